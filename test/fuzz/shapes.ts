/**
 * Inputs of any length: a start, a unit that is repeated, and an end. Most inputs that take a parser long have this
 * form. Bytes are strings of one character each. `{n}` in the unit stands for the number of the repetition, so that
 * names can differ.
 */
import type { SeededRandom } from '../../testkit/random.ts';
import { isNonEmpty } from './input.ts';

export interface Shape {
  readonly start: string;
  readonly unit: string;
  readonly end: string;
}

const COUNTER = '{n}';
const MAX_PART_LENGTH = 100;

const CHARACTERS = '%&=+;,:/?#@.-_ \t\n\0"\'\\[]{}()<>*|~$adh019AZ\xff\xc3\xf0';

/** Tokens that mean something to at least one parser. */
const TOKENS: readonly [string, ...string[]] = [
  COUNTER,
  ...CHARACTERS.split(''),
  '%41',
  '%C3',
  '%zz',
  '%u0061',
  String.raw`\"`,
  String.raw`\\`,
  String.raw`\u0000`,
  String.raw`\ud800`,
  '\xe2\x80\xa8',
  '\xef\xbf\xbd',
  '\xf0\x9f\x98',
  '["',
  '"]',
  '","',
  '127.0.0.1',
  '[::1]',
  'for=',
  'http://',
  'JSESSIONID=',
  '\x81\x80\0\0\0\0',
  '\x00\x80\0\0\0\0',
  '\x89\x81\0\0\0\0',
];

/** Returns an input of about this length. */
export function expand({ start, unit, end }: Shape, length: number): string {
  if (unit === '') return start + end;
  const rest = Math.max(0, length - start.length - end.length);
  if (!unit.includes(COUNTER)) return start + unit.repeat(Math.ceil(rest / unit.length)) + end;
  const units: string[] = [];
  for (let count = 0, size = 0; size < rest; count += 1) {
    const text = unit.replaceAll(COUNTER, count.toString(36));
    units.push(text);
    size += text.length;
  }
  return start + units.join('') + end;
}

function mutatePart(random: SeededRandom, part: string, other: string): string {
  const at = random.integer(0, part.length);
  const end = random.integer(at, part.length);
  switch (random.integer(0, 5)) {
    case 0:
      return part.slice(0, at) + part.slice(end);
    case 1:
      return part.slice(0, end) + part.slice(at);
    case 2:
      return other;
    default:
      return part.slice(0, at) + random.pick(TOKENS) + part.slice(random.oneIn(2) ? at : end);
  }
}

/** Changes one to three parts. @param shapes shapes whose parts may replace others */
export function mutateShape(random: SeededRandom, shape: Shape, shapes: readonly Shape[]): Shape {
  const mutated = { ...shape };
  for (let count = random.integer(1, 3); count > 0; count -= 1) {
    const part = random.pick(['start', 'unit', 'unit', 'end'] as const);
    const other = isNonEmpty(shapes) ? random.pick(shapes) : shape;
    mutated[part] = mutatePart(random, mutated[part], other[part]).slice(0, MAX_PART_LENGTH);
  }
  return mutated;
}

/**
 * Measures parsers for linear-parsing.test.ts, as a separate process: the coverage of tests makes loops five times
 * slower. It gets the name of a parser, and replies with a line for each shape that takes it too long.
 */
import { setTimeout } from 'node:timers/promises';
import { PARSERS, type Parser } from '../fuzz/parsers.ts';
import { type Shape, expand } from '../fuzz/shapes.ts';
import { measure } from '../fuzz/slowest.ts';

/**
 * Two inputs of half the length take as long as one, if time is linear. Quadratic time doubles with each doubling. An
 * input for which V8 allocates large objects takes up to three times as long, whatever its length.
 */
const DOUBLINGS = 6;
const MAX_GROWTH = 5;
/** Least and greatest length for the growth. Parsers of heads take only microseconds for one head. */
const MIN_LENGTH = 65_536;
const MAX_LENGTH = 524_288;
/**
 * Below this time, memory and the compiler decide. The fastest quadratic search takes longer for 64 KiB, and a thousand
 * times as long for 2 MiB.
 */
const NEGLIGIBLE_MS = 15;
/** Only the best of a few runs counts, since the machine may be busy. A pause outlasts a short load. */
const MAX_RUNS = 20;
const PAUSE_MS = 50;

/** Looks for a missing character from each character on, which takes quadratic time. */
function parseSlowly(input: string): number {
  let sum = 0;
  for (let at = 0; at < input.length; at += 1) sum += input.indexOf('=', at);
  return sum;
}

const COMMAS: readonly Shape[] = [{ start: '', unit: ',', end: '' }];
/** Parsers that must be found too slow. */
const SLOW_PARSERS: readonly Parser[] = [
  { name: 'quadratic', limit: { bytes: 131_072, ms: 1000 }, shapes: COMMAS, parse: parseSlowly },
  {
    name: 'slow',
    limit: { bytes: 16_384, ms: 0.01 },
    shapes: COMMAS,
    parse: (input) => parseSlowly(input.slice(0, 8192)),
  },
];

/** Returns what takes too long, or undefined. */
async function findFault({ limit, parse }: Parser, shape: Shape): Promise<string | undefined> {
  const count = 2 ** DOUBLINGS;
  const length = Math.min(MAX_LENGTH, Math.max(MIN_LENGTH, limit.bytes));
  const short = expand(shape, length / count);
  const long = expand(shape, length);
  const longest = expand(shape, limit.bytes);
  const parseShort = (): void => {
    for (let index = 0; index < count; index += 1) parse(short);
  };
  let [shortMs, longMs, longestMs] = [Infinity, Infinity, Infinity];
  let fault: string | undefined;
  parseShort(); // V8 compiles the parser. The first run takes several times as long as the others.
  for (let run = 0; run < MAX_RUNS; run += 1) {
    shortMs = Math.min(shortMs, measure(parseShort));
    longMs = Math.min(
      longMs,
      measure(() => parse(long)),
    );
    longestMs = Math.min(
      longestMs,
      measure(() => parse(longest)),
    );
    if (longMs > Math.max(MAX_GROWTH * shortMs, NEGLIGIBLE_MS))
      fault = `${longMs} ms for ${long.length} bytes, but only ${shortMs} ms in ${count} parts`;
    else if (longestMs > limit.ms) fault = `${longestMs} ms for ${longest.length} bytes`;
    else return undefined;
    await setTimeout(PAUSE_MS);
  }
  return fault;
}

/** Returns a line for each shape that takes a parser too long. */
async function findFaults(parser: Parser): Promise<string[]> {
  const faults: string[] = [];
  for (const shape of parser.shapes) {
    const fault = await findFault(parser, shape);
    if (fault !== undefined) faults.push(`${JSON.stringify(shape)}: ${fault}`);
  }
  return faults;
}

process.on('message', (name) => {
  const parser = [...PARSERS, ...SLOW_PARSERS].find((candidate) => candidate.name === name);
  if (parser === undefined) process.send?.(`There is no parser ${String(name)}.`);
  else void findFaults(parser).then((faults) => process.send?.(faults.join('\n')));
});

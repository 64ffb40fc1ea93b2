/** Payloads: messages of clients, malformed ones, and noise. */
import type { SeededRandom } from '../../testkit/random.ts';
import { bytes } from './input.ts';
import { BROADCAST } from './servers.ts';

/** Commands to the connections of servers.ts. */
const COMMANDS = ['close', 'flood', 'huge', 'later', BROADCAST] as const;

const TEXTS = [
  'hello',
  '',
  '\0\u001f\u2028\u2029\ufff0\uffff\u200c',
  '\ud800',
  '😀'.repeat(20),
  '</script><!--',
  'x'.repeat(3000),
  'sub,a',
  'msg,a,text',
  'uns,a',
  'sub,nobody',
  'sub,%61',
  'sub,%u0061%',
  `sub,${'%'.repeat(300)}`,
] as const;

const MALFORMED = [
  '',
  '[]',
  '[',
  ']',
  '""',
  '"one"',
  'null',
  '[null]',
  '[{"a":1},5]',
  '{"__proto__":null}',
  '{"length":1,"0":"a"}',
  '["a",]',
  '["a"]["b"]',
  '[["a"]]',
  '["\\ud800"]',
  '["\\u0000"]',
  '[1e999999]',
  `[${'9'.repeat(400)}]`,
  `["${'a'.repeat(5000)}"]`,
  '['.repeat(3000),
  `${'['.repeat(500)}${']'.repeat(500)}`,
  `[${'"",'.repeat(1500)}""]`,
  '['.repeat(18_000),
  `["",${'{},'.repeat(6000)}1]`,
  `["${String.raw`\"`.repeat(9000)}"]`,
  `["${'%'.repeat(18_000)}"]`,
  '\n'.repeat(500),
  ' [ "a" ] ',
  '\ufeff["a"]',
  "['a']",
  'undefined',
].map(bytes);

/** Bytes that are not UTF-8. */
const INVALID_UTF8 = [
  '["\xff"]',
  '\xc0\x80',
  '["\xed\xa0\x80"]',
  '\xf5\xf5\xf5',
  '["\xe2\x82',
  '\0\0\0',
] as const;

export function text(random: SeededRandom): string {
  return random.oneIn(2) ? random.pick(COMMANDS) : random.pick(TEXTS);
}

/** A valid JSON array of strings. */
export function messages(random: SeededRandom): string {
  return bytes(JSON.stringify(Array.from({ length: random.integer(1, 3) }, () => text(random))));
}

export function noise(random: SeededRandom, maxLength: number): string {
  const length = random.integer(0, maxLength);
  return Array.from({ length }, () => String.fromCharCode(random.integer(0, 255))).join('');
}

export function payload(random: SeededRandom): string {
  switch (random.integer(0, 7)) {
    case 0:
      return random.pick(INVALID_UTF8);
    case 1:
      return noise(random, 60);
    case 2:
    case 3:
      return random.pick(MALFORMED as [string, ...string[]]);
    default:
      return messages(random);
  }
}

/** Forms for which other parsers take quadratic time. */
const LONG_FORMS = ['a&', 'a=%C3&', '%&', '&', 'dd=&', '%64%'] as const;

/** A body for `jsonp_send`. */
export function form(random: SeededRandom): string {
  const json = payload(random);
  switch (random.integer(0, 6)) {
    case 0:
      return json;
    case 1:
      return `x=1&d=${json}&d=2`;
    case 3:
      return `${random.pick(LONG_FORMS).repeat(3000)}&%64=${encodeURIComponent(json)}`;
    case 2:
      return `d=%${json}`;
    default:
      return `d=${encodeURIComponent(json)}`;
  }
}

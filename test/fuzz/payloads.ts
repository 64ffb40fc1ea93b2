/** Payloads: what clients send as messages, what nearly is that, and what never was. */
import type { Dice } from '../faults/dice.ts';
import { bytes } from './input.ts';

/** What the connections behind the servers listen to; see targets.ts. */
const COMMANDS = ['close', 'flood', 'huge', 'later', 'all', 'channels'] as const;

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
] as const;

const ODDITIES = [
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
  '\n'.repeat(500),
  ' [ "a" ] ',
  '\ufeff["a"]',
  "['a']",
  'undefined',
].map(bytes);

/** No UTF-8. */
const BROKEN = [
  '["\xff"]',
  '\xc0\x80',
  '["\xed\xa0\x80"]',
  '\xf5\xf5\xf5',
  '["\xe2\x82',
  '\0\0\0',
] as const;

export function text(dice: Dice): string {
  return dice.oneIn(2) ? dice.pick(COMMANDS) : dice.pick(TEXTS);
}

/** As a client would write it. */
export function messages(dice: Dice): string {
  return bytes(JSON.stringify(Array.from({ length: dice.between(1, 3) }, () => text(dice))));
}

export function noise(dice: Dice, most: number): string {
  const length = dice.between(0, most);
  return Array.from({ length }, () => String.fromCharCode(dice.between(0, 255))).join('');
}

export function payload(dice: Dice): string {
  switch (dice.between(0, 7)) {
    case 0:
      return dice.pick(BROKEN);
    case 1:
      return noise(dice, 60);
    case 2:
    case 3:
      return dice.pick(ODDITIES as [string, ...string[]]);
    default:
      return messages(dice);
  }
}

/** For `jsonp_send`. */
export function form(dice: Dice): string {
  const json = payload(dice);
  switch (dice.between(0, 5)) {
    case 0:
      return json;
    case 1:
      return `x=1&d=${json}&d=2`;
    case 2:
      return `d=%${json}`;
    default:
      return `d=${encodeURIComponent(json)}`;
  }
}

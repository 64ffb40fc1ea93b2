import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Escaper } from '../../src/base/escape.ts';

const ESCAPES = new Map([
  ['%', '%25'],
  ['\n', '%0A'],
  ['\u2028', String.raw`\u2028`],
]);
const escaper = new Escaper(/[%\n\u2028]/, ESCAPES);

/** Replaces one character after the other. */
function expected(text: string): string {
  return text
    .replaceAll('%', '%25')
    .replaceAll('\n', '%0A')
    .replaceAll('\u2028', String.raw`\u2028`);
}

for (const unit of ['%', '%a', 'a', 'é%', '\u2028', '\u2027\u2028\u2029', '👋%', '\n%']) {
  for (const count of [0, 1, 2, 10_000]) {
    test(`${JSON.stringify(unit)} × ${count} is escaped character by character`, () => {
      const text = unit.repeat(count);
      assert.equal(escaper.escapeText(text), expected(text));
      assert.equal(escaper.escapeBytes(Buffer.from(text)).toString(), expected(text));
    });
  }
}

test('a text without a character to escape is returned as it is', () => {
  const text = 'é'.repeat(10_000);
  assert.equal(escaper.escapeText(text), text);
});

test('time grows linearly with the number of characters to escape', () => {
  const time = (count: number): number => {
    const text = '%'.repeat(count);
    const times = Array.from({ length: 5 }, () => {
      const began = performance.now();
      escaper.escapeText(text);
      return performance.now() - began;
    });
    return Math.min(...times);
  };
  time(2 ** 18);
  const ratio = time(2 ** 21) / time(2 ** 18);
  assert.ok(ratio < 8 * 4, `eight times the length took ${ratio.toFixed(1)} times as long`);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSE_REASONS, isCloseCode } from '../../src/base/close-reasons.ts';

for (const [name, { cause, code, reason }] of Object.entries(CLOSE_REASONS)) {
  test(`${name} is counted under its own name and fits into a close frame`, () => {
    assert.equal(cause, name);
    assert.ok(code >= 1000 && code < 5000);
    assert.ok(Buffer.byteLength(reason) <= 123);
  });
}

for (const [code, may] of [
  [999, false],
  [1000, true],
  [1003, true],
  [1004, false],
  [1005, false],
  [1006, false],
  [1007, true],
  [1014, true],
  [1015, false],
  [2999, false],
  [3000, true],
  [3000.5, false],
  [4999, true],
  [5000, false],
  [Number.NaN, false],
] as const) {
  test(`RFC 6455, 7.4: a close frame may ${may ? '' : 'not '}carry ${code}`, () => {
    assert.equal(isCloseCode(code), may);
  });
}

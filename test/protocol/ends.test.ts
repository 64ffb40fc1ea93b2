import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENDS } from '../../src/protocol/ends.ts';

for (const [name, { cause, code, reason }] of Object.entries(ENDS)) {
  test(`${name} is counted under its name, and fits a close frame`, () => {
    assert.equal(cause, name);
    assert.ok(code >= 1000 && code < 5000);
    assert.ok(Buffer.byteLength(reason) <= 123);
  });
}

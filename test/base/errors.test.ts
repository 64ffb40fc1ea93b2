import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSError } from '../../src/base/errors.ts';

test('an error has a name, a code and a message', () => {
  const error = new SockJSError('ERR_SETTING', 'Use another value.');
  assert.ok(error instanceof Error);
  assert.equal(error.code, 'ERR_SETTING');
  assert.equal(String(error), 'SockJSError: Use another value.');
});

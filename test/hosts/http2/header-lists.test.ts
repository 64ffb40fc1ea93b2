/** Heads of responses over HTTP/2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { responseHeaders } from '../../../src/hosts/http2/header-lists.ts';

test('repeated headers are joined, cookies are not, and headers of a connection are left out', () => {
  const list = ['A', '1', 'a', '2', 'Set-Cookie', 'x', 'set-cookie', 'y', 'Connection', 'close'];
  assert.deepEqual(responseHeaders(200, list), {
    ':status': 200,
    a: '1, 2',
    'set-cookie': ['x', 'y'],
  });
});

test('a header may have the name of a member of every object', () => {
  assert.equal(responseHeaders(403, ['Constructor', 'a'])['constructor'], 'a');
});

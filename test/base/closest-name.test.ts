import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closestName } from '../../src/base/closest-name.ts';

const NAMES = ['allowedOrigins', 'xhr_streaming', 'xhr', 'maxSessions', 'maxMessages'] as const;

for (const [wrong, meant] of [
  ['allowedOrigin', 'allowedOrigins'],
  ['alowedOrigins', 'allowedOrigins'],
  ['allowedOrigisn', 'allowedOrigins'],
  ['ALLOWED_ORIGINS', 'allowedOrigins'],
  ['xhr-streaming', 'xhr_streaming'],
  ['xrh', 'xhr'],
  ['Origins', 'allowedOrigins'],
  ['max', undefined],
  ['sockets', undefined],
  ['', undefined],
  ['constructor', undefined],
] as const) {
  test(`${wrong} probably means ${meant ?? 'none of the names'}`, () => {
    assert.equal(closestName(wrong, NAMES), meant);
  });
}

test('a name of another library is found by its alias', () => {
  assert.equal(closestName('Max-Sockets', NAMES, { maxsockets: 'maxSessions' }), 'maxSessions');
});

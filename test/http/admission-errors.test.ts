/** Functions of the application that throw or reject before a session opens: one log line, whatever the client tries. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SockJSSettings } from '../../src/index.ts';
import { connectOfficial } from '../../testkit/official-client.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { TRANSPORTS, openRequest } from '../../testkit/transports.ts';

function fail(): never {
  throw new Error('no database');
}

const FAILING: readonly (readonly [name: string, how: string, settings: SockJSSettings])[] = [
  ['authorize', 'throws', { authorize: fail }],
  ['authorize', 'rejects', { authorize: () => Promise.reject(new Error('no database')) }],
  ['allowedOrigins', 'throws', { allowedOrigins: fail }],
  ['allowedOrigins', 'rejects', { allowedOrigins: async () => fail() }],
  ['verifyIp', 'throws', { verifyIp: fail }],
];

const HEADERS = [['Origin', 'http://other.example']] as const;

for (const [name, how, settings] of FAILING) {
  test(`${name} that ${how} is logged once for all transports, and every request gets 500`, async (t) => {
    const { port, router, logger } = await startRouter(t, { allowedOrigins: '*', ...settings });
    // The key of a WebSocket session has no part of verifyIp.
    const transports = TRANSPORTS.filter(({ isWebSocket }) => name !== 'verifyIp' || !isWebSocket);
    for (const transport of transports) {
      const { status } = await httpRequest(port, openRequest(transport, { headers: HEADERS }));
      assert.equal(status, 500, transport.name);
    }
    const [entry, ...others] = logger.take();
    assert.deepEqual(others, []);
    assert.equal(entry?.level, 'error');
    const start = `${name} failed; its client gets 500: Error: no database\n    at `;
    assert.ok(entry.line.startsWith(start), entry.line);
    assert.equal(router.stats.dump().refused.internalError, transports.length);
  });
}

test('sockjs-client that meets an authorize that throws causes one log line', async (t) => {
  const { url, logger } = await startRouter(t, { authorize: fail });
  const { code, reason } = await connectOfficial(t, url).closed();
  assert.deepEqual({ code, reason }, { code: 2000, reason: 'All transports failed' });
  assert.equal(logger.take().length, 1);
});

/** An `onOpen` that never settles delays input, but no longer than its session lives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { newSession } from '../../testkit/transports.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

class NeverOpening extends SockJSConnection {
  override async onOpen(): Promise<void> {
    await new Promise<never>(() => undefined);
  }
}

for (const [endpoint, status] of [
  ['xhr_send', 204],
  ['jsonp_send', 200],
] as const) {
  test(`${endpoint} that waits for onOpen gets ${status} when the router closes`, async (t) => {
    const { port, router } = await startRouter(t, {}, NeverOpening);
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    const headers = [['Content-Type', 'text/plain']] as const;
    const pending = [1, 2].map(async () => {
      const answer = await postBody(port, session, '["early"]', { endpoint, headers });
      return answer.status;
    });
    // One request waits, and the other one is refused.
    assert.equal(await Promise.race(pending), 503);
    const closed = router.close({ timeout: 5000 });
    assert.deepEqual(new Set(await Promise.all(pending)), new Set([status, 503]));
    assert.equal(await poll(port, session), 'c[1001,"Server is going away"]');
    await closed;
  });
}

test('xhr_send that waits for onOpen gets 404 when its client has stopped polling', async (t) => {
  const { port, router } = await startRouter(t, { disconnectDelay: 100 }, NeverOpening);
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  assert.equal((await postBody(port, session, '["early"]')).status, 404);
  assert.equal(router.stats.dump().closed.timeout, 1);
});

test('a WebSocket whose onOpen is pending is read again when the router closes', async (t) => {
  const { port, router } = await startRouter(t, {}, NeverOpening);
  const client = await openWebSocket(t, port, '/echo/000/s/websocket');
  assert.equal(await client.next(), 'o');
  await until(() => router.stats.dump().connectionsActive === 1, 'the receiver is attached');
  const began = performance.now();
  await router.close({ timeout: 10_000 });
  assert.ok(performance.now() - began < 5000, 'the close handshake was read');
});

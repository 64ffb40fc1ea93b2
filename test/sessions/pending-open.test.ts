/** An `onOpen` that never settles delays input, but no longer than `openTimeout`, and than its session lives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multiplex } from '../../src/extras/multiplex.ts';
import { SockJSConnection } from '../../src/index.ts';
import { newSession } from '../../testkit/transports.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { Echo, startRouter } from '../../testkit/server.ts';
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

for (const [endpoint, status] of [
  ['xhr_send', 204],
  ['jsonp_send', 200],
] as const) {
  test(`${endpoint} that waits for onOpen gets ${status} after openTimeout, and the next poll 1011`, async (t) => {
    const { port, router, logger } = await startRouter(t, { openTimeout: 100 }, NeverOpening);
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    const headers = [['Content-Type', 'text/plain']] as const;
    assert.equal(
      (await postBody(port, session, '["early"]', { endpoint, headers })).status,
      status,
    );
    assert.equal(await poll(port, session), 'c[1011,"Opening took too long"]');
    assert.equal(router.stats.dump().closed.openTimeout, 1);
    const lines = logger.take().filter(({ level }) => level === 'error');
    assert.equal(lines.length, 1);
    assert.match(lines[0]?.line ?? '', /NeverOpening\.onOpen has been pending for 100 ms/);
  });
}

test('a WebSocket whose onOpen is pending is closed with 1011 after openTimeout', async (t) => {
  const { port, logger } = await startRouter(t, { openTimeout: 100 }, NeverOpening);
  const client = await openWebSocket(t, port, '/echo/websocket');
  assert.deepEqual(await client.closed(), { code: 1011, reason: 'Opening took too long' });
  assert.equal(logger.take().filter(({ level }) => level === 'error').length, 1);
});

test('a channel whose onOpen is pending is closed with 1011 after openTimeout, and its session goes on', async (t) => {
  const channels = multiplex({ never: NeverOpening, echo: Echo });
  const { port, logger } = await startRouter(t, { openTimeout: 100 }, channels);
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.send('sub,never').send('msg,never,early').send('sub,echo').send('msg,echo,a');
  assert.equal(await client.next(), 'msg,echo,a');
  assert.equal(await client.next(), 'uns,never,1011,Opening took too long');
  client.send('msg,never,late').send('msg,echo,b');
  assert.equal(await client.next(), 'msg,echo,b');
  client.send('sub,never');
  assert.equal(await client.next(), 'uns,never,1013,Channel is still opening');
  assert.equal(logger.take().filter(({ level }) => level === 'error').length, 1);
});

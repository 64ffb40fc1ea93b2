import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

test('broadcast(text) reaches every connection of the router', async (t) => {
  const { port, router } = await startRouter(t);
  const clients = [
    await openWebSocket(t, port, '/echo/websocket'),
    await openWebSocket(t, port, '/echo/websocket'),
  ];
  await until(() => [...router.connections].length === 2, 'both connections');
  router.broadcast('news');
  for (const client of clients) assert.equal(await client.next(), 'news');
});

test('broadcast(connections, text) reaches only these connections', async (t) => {
  const { port, router } = await startRouter(t);
  const first = await openWebSocket(t, port, '/echo/websocket');
  await until(() => [...router.connections].length === 1, 'the first connection');
  const chosen = [...router.connections];
  const second = await openWebSocket(t, port, '/echo/websocket');
  await until(() => [...router.connections].length === 2, 'the second connection');
  router.broadcast(chosen, 'for one');
  router.broadcast('for all');
  assert.equal(await first.next(), 'for one');
  assert.equal(await first.next(), 'for all');
  assert.equal(await second.next(), 'for all');
});

for (const args of [[], [1], [[]], [[], { text: 'x' }]]) {
  test(`broadcast(${JSON.stringify(args).slice(1, -1)}) throws ERR_MESSAGE_TYPE`, () => {
    const router = new SockJSRouter(SockJSConnection, '/echo');
    const broadcast: unknown = Reflect.get(router, 'broadcast');
    assert.ok(typeof broadcast === 'function');
    assert.throws(() => Reflect.apply(broadcast, router, args), { code: 'ERR_MESSAGE_TYPE' });
  });
}

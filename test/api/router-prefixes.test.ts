import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { createRouter, startServer } from '../../testkit/server.ts';
import { poll } from '../../testkit/sockjs-http.ts';

/** Returns a class whose connections send the prefix of their router. */
function naming(prefix: string): new () => SockJSConnection {
  return class extends SockJSConnection {
    override onOpen(): void {
      this.send(prefix);
    }
  };
}

for (const order of [
  ['/a', '/a/b'],
  ['/a/b', '/a'],
]) {
  test(`the longest prefix serves requests and upgrades when attached as ${order.join(', ')}`, async (t) => {
    const server = createServer();
    for (const prefix of order) {
      createRouter(t, {}, naming(prefix), { prefix }).attach(server);
    }
    const port = await startServer(t, server);
    for (const prefix of order) {
      const socket = await openWebSocket(t, port, `${prefix}/websocket`);
      assert.equal(await socket.next(), prefix);
      const session = `${prefix}/000/session`;
      assert.equal(await poll(port, session), 'o');
      assert.equal(await poll(port, session), `a["${prefix}"]`);
    }
  });
}

test('a second router with the same prefix throws ERR_ATTACHED, and the first one goes on', async (t) => {
  const server = createServer();
  createRouter(t, {}, naming('first'), { prefix: '/a' }).attach(server);
  const second = createRouter(t, {}, naming('second'), { prefix: '/a' });
  assert.throws(() => second.attach(server), { code: 'ERR_ATTACHED' });
  const port = await startServer(t, server);
  const socket = await openWebSocket(t, port, '/a/websocket');
  assert.equal(await socket.next(), 'first');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { deferred, until } from '../../testkit/until.ts';

const SOCKJS = '/echo/000/session/websocket';
const RAW = '/echo/websocket';

test('a SockJS WebSocket takes an array of strings, one string, and nothing', async (t) => {
  const { port } = await startRouter(t);
  const socket = await openWebSocket(t, port, SOCKJS);
  assert.equal(await socket.next(), 'o');
  for (const message of ['["a","b"]', '"c"', '', '[]', '["d"]']) socket.send(message);
  let received: unknown[] = [];
  await until(async () => {
    const frame = String(await socket.next());
    const messages: unknown = JSON.parse(frame.slice(1));
    received = [...received, ...(messages as unknown[])];
    return received.length === 4;
  }, 'all echoes');
  assert.deepEqual(received, ['a', 'b', 'c', 'd']);
});

test('a raw WebSocket carries text and bytes without frames', async (t) => {
  class Echo extends SockJSConnection {
    override onMessage(message: string): void {
      this.send(message);
    }

    override onBinary(data: Uint8Array): void {
      this.send(data);
    }
  }
  const { port } = await startRouter(t, {}, Echo);
  const socket = await openWebSocket(t, port, RAW);
  socket.send('["a"]');
  assert.equal(await socket.next(), '["a"]');
  socket.send(Buffer.from([1, 2, 3]));
  assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3]));
});

for (const [name, message, code, cause] of [
  ['broken JSON', '{', 1007, 'invalidJson'],
  ['JSON that is no string', '[1]', 1007, 'invalidJson'],
  ['bytes', Buffer.from([1]), 1003, 'textOnly'],
] as const) {
  test(`${name} on a SockJS WebSocket closes it with ${code}`, async (t) => {
    const { port, router } = await startRouter(t);
    const socket = await openWebSocket(t, port, SOCKJS);
    assert.equal(await socket.next(), 'o');
    socket.send(message);
    assert.equal((await socket.closed()).code, code);
    await until(() => router.stats.dump().closed[cause] === 1, 'the end is counted');
  });
}

for (const path of [SOCKJS, RAW]) {
  test(`${path}: the close frame carries the code and the reason of close()`, async (t) => {
    class Closing extends SockJSConnection {
      override onMessage(): void {
        this.close(3001, 'enough');
      }
    }
    const { port } = await startRouter(t, {}, Closing);
    const socket = await openWebSocket(t, port, path);
    socket.send('["x"]');
    const { code, reason } = await socket.closed();
    assert.deepEqual({ code, reason }, { code: 3001, reason: 'enough' });
  });

  test(`${path}: messages wait in the socket while onOpen is pending`, async (t) => {
    const opening = deferred();
    class Slow extends SockJSConnection {
      override async onOpen(): Promise<void> {
        await opening.promise;
        this.send('open');
      }

      override onMessage(message: string): void {
        this.send(message);
      }
    }
    const { port, router } = await startRouter(t, {}, Slow);
    const socket = await openWebSocket(t, port, path);
    socket.send(path === RAW ? 'early' : '["early"]');
    await until(() => router.stats.dump().sessionsActive === 1, 'the session');
    assert.equal(router.stats.dump().packetsRecvTotal, 0);
    opening.resolve();
    await until(() => router.stats.dump().packetsRecvTotal === 1, 'the message');
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection, SockJSRouter, broadcast } from '../../src/index.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { Echo, startRouter } from '../../testkit/server.ts';
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

const router = new SockJSRouter(SockJSConnection, '/echo');

/** Calls a method of a connection without the connection. */
function callDetached(name: string, text: string): void {
  const method: unknown = Reflect.get(new Echo(), name);
  if (typeof method === 'function') Reflect.apply(method, undefined, [text]);
}

const WRONG: readonly (readonly [name: string, call: () => void, code: string, message: RegExp])[] =
  [
    [
      'router.broadcast()',
      () => router.broadcast(undefined as never),
      'ERR_MESSAGE_TYPE',
      /^broadcast\(\) takes a string, not undefined\. Use JSON\.stringify/,
    ],
    [
      'router.broadcast({ … })',
      () => router.broadcast({ text: 'x' } as never),
      'ERR_MESSAGE_TYPE',
      /not an object\. Use JSON\.stringify/,
    ],
    [
      'router.broadcast([])',
      () => router.broadcast([] as never),
      'ERR_MESSAGE_TYPE',
      /takes a string, not an array/,
    ],
    [
      'router.broadcast([], { … })',
      () => router.broadcast([], { text: 'x' } as never),
      'ERR_MESSAGE_TYPE',
      /takes a string, not an object/,
    ],
    [
      'broadcast([router], text)',
      () => broadcast([router] as never, 'x'),
      'ERR_ARGUMENT',
      /^broadcast\(\) sends to connections, not to an instance of SockJSRouter\. The connections of a router are router\.connections/,
    ],
    [
      'broadcast(router, text)',
      () => broadcast(router as never, 'x'),
      'ERR_ARGUMENT',
      /takes an iterable of connections first, not an instance of SockJSRouter\. To send to all .* router\.broadcast\(text\)/,
    ],
    [
      'broadcast(text)',
      () => broadcast('x' as never, undefined as never),
      'ERR_ARGUMENT',
      /^broadcast\(connections, text\) takes an iterable of connections first, not a string/,
    ],
    [
      'this.broadcast(text)',
      () => callDetached('broadcast', 'x'),
      'ERR_ARGUMENT',
      /router\.broadcast\(text\)/,
    ],
    [
      'broadcast(map, text)',
      () => broadcast(new Map([['a', new Echo()]]) as never, 'x'),
      'ERR_ARGUMENT',
      /not to an array\..*those of a Map are map\.values\(\)/,
    ],
    [
      'send without its connection',
      () => callDetached('send', 'x'),
      'ERR_ARGUMENT',
      /^send needs its connection as `this`/,
    ],
    [
      'send through a Proxy',
      () => void new Proxy(new Echo(), {}).send('x'),
      'ERR_ARGUMENT',
      /not through a Proxy/,
    ],
  ];

for (const [name, call, code, message] of WRONG) {
  test(`${name} throws ${code}`, () => {
    assert.throws(call, { name: 'SockJSError', code, message });
  });
}

test('sendAll rejects what is not a source of messages', async () => {
  for (const [source, described] of [
    [undefined, 'undefined'],
    [42, 'a number'],
    [{ text: 'x' }, 'an object'],
  ] as const) {
    await assert.rejects(new Echo().sendAll(source as never), {
      code: 'ERR_MESSAGE_TYPE',
      message: `sendAll() takes a string, an array, a generator or a stream, not ${described}.`,
    });
  }
});

test('send names the type of a value that is neither text nor bytes, and not the value', async (t) => {
  class Sender extends SockJSConnection {
    override onMessage(): void {
      assert.throws(() => this.send({ secret: 1 } as never), {
        code: 'ERR_MESSAGE_TYPE',
        message:
          'send() takes a string or bytes, not an object. Use JSON.stringify for other values.',
      });
      this.send('thrown');
    }
  }
  const { port } = await startRouter(t, {}, Sender);
  const socket = await openWebSocket(t, port, '/echo/websocket');
  socket.send('x');
  assert.equal(await socket.next(), 'thrown');
});

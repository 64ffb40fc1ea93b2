/** A handler that was written for `ws` works on every transport. */
import assert from 'node:assert/strict';
import { type EventEmitter, on } from 'node:events';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type MigratedWebSocket,
  type WebSocketHandler,
  webSocketHandler,
} from '../src/extras/ws-compat.ts';
import { until } from './support/client.ts';
import { serve } from './support/service.ts';
import { connectWebSocket } from './support/ws.ts';

test('a handler of ws: message, send, close', async (t) => {
  const log: unknown[] = [];
  const handler: WebSocketHandler = (socket, request) => {
    log.push(request.url, request.headers['sec-websocket-version'], request.socket.remoteAddress);
    socket.on('message', (data, isBinary) => {
      log.push(isBinary, socket.readyState === socket.OPEN, socket.bufferedAmount);
      socket.send(`${data.toString()}!`, () => undefined);
      if (String(data) === 'bye') socket.close(4000, 'bye');
    });
    socket.on('close', (code, reason) =>
      log.push(code, String(reason), socket.readyState === socket.CLOSED),
    );
  };
  const { url } = await serve(t, {}, webSocketHandler(handler));
  const client = await connectWebSocket(t, `${url}/websocket?a=1`);
  client.send('bye');
  assert.equal(await client.next(), 'bye!');
  assert.deepEqual(await client.closed(), { code: 4000, reason: 'bye' });
  assert.deepEqual(log, [
    '/echo/websocket?a=1',
    '13',
    '127.0.0.1',
    false,
    true,
    0,
    4000,
    'bye',
    true,
  ]);
});

test('bytes come and go on a raw WebSocket', async (t) => {
  const handler: WebSocketHandler = (socket) => {
    socket.on('message', (data, isBinary) => socket.send(isBinary ? data : 'text'));
  };
  const { url } = await serve(t, {}, webSocketHandler(handler));
  const client = await connectWebSocket(t, `${url}/websocket`);
  client.socket.send(Buffer.from([1, 2, 3]));
  assert.equal(await client.next(), '\u0001\u0002\u0003');
});

for (const transport of ['/websocket', '/0/session/websocket']) {
  test(`the idioms of ws work on ${transport}`, async (t) => {
    const handler: WebSocketHandler = (socket) => {
      socket.on('error', () => undefined);
      socket.on('message', (data, isBinary) => {
        socket.ping();
        socket.pong();
        socket.send(data, { binary: isBinary });
        if (transport !== '/websocket') socket.send(data);
        socket.send(data.toString(), { binary: isBinary }, () => undefined);
      });
    };
    const { url } = await serve(t, {}, webSocketHandler(handler));
    const client = await connectWebSocket(t, url + transport);
    const framed = transport !== '/websocket';
    if (framed) assert.equal(await client.next(), 'o');
    client.send(framed ? '["é"]' : 'é');
    if (framed) {
      assert.equal(await client.next(), 'a["é","é","é"]');
    } else {
      assert.equal(await client.next(), 'é');
      assert.equal(await client.next(), 'é');
    }
  });
}

test('bytes that are no text end a connection that carries text only', async (t) => {
  const handler: WebSocketHandler = (socket) => socket.send(Buffer.from([0xff]));
  const { url, logs } = await serve(t, {}, webSocketHandler(handler));
  const client = await connectWebSocket(t, `${url}/0/session/websocket`);
  assert.equal(await client.next(), 'o');
  assert.equal(await client.next(), 'c[1011,"Internal error"]');
  assert.match(logs.take()[0]?.line ?? '', /Bytes can be sent to clients of rawwebsocket only/);
});

test('a socket that is closing sends no more, and says so', async (t) => {
  const errors: (Error | undefined)[] = [];
  const handler: WebSocketHandler = (socket, { url }) => {
    assert.equal(url, '/echo/0');
    socket.terminate();
    assert.equal(socket.readyState, socket.CLOSING);
    socket.send('late', (error) => errors.push(error));
    socket.send('late, unnoticed');
  };
  const { url } = await serve(t, {}, webSocketHandler(handler));
  const client = await connectWebSocket(t, `${url}/0/session/websocket`);
  assert.equal(await client.next(), 'o');
  assert.equal(await client.next(), 'c[1001,"Terminated"]');
  assert.match(errors[0]?.message ?? '', /closed/);
});

function fail(): never {
  throw new Error('broken');
}

async function reject(): Promise<void> {
  await nextTurn();
  fail();
}

const FAILURES: readonly (readonly [how: string, broken: () => unknown])[] = [
  ['throws', fail],
  ['rejects', reject],
];

for (const [how, broken] of FAILURES) {
  const failing: readonly (readonly [what: string, handler: WebSocketHandler])[] = [
    ['a handler that', how === 'throws' ? fail : reject],
    ["a listener for 'message' that", (socket) => socket.on('message', () => broken())],
    [
      "a listener for 'message' that, called once,",
      (socket) => socket.once('message', () => broken()),
    ],
    [
      'a callback of send() that',
      (socket) => socket.on('message', () => socket.send('x', () => broken())),
    ],
  ];
  for (const [what, handler] of failing) {
    test(`${what} ${how} ends its own connection with 1011, and a log line says why`, async (t) => {
      const { url, logs, router } = await serve(t, {}, webSocketHandler(handler));
      const client = await connectWebSocket(t, `${url}/websocket`);
      client.send('hello');
      assert.deepEqual(await client.closed(), { code: 1011, reason: 'Internal error' });
      assert.equal(router.stats.dump().closed.failed, 1);
      const lines = logs.take();
      assert.equal(lines.length, 1);
      assert.match(
        lines[0]?.line ?? '',
        /failed; its connection is closed with 1011: Error: broken/,
      );
    });
  }

  test(`a listener for 'close' that ${how} is a log line`, async (t) => {
    const handler: WebSocketHandler = (socket) => socket.on('close', () => broken());
    const { url, logs } = await serve(t, {}, webSocketHandler(handler));
    const client = await connectWebSocket(t, `${url}/websocket`);
    client.socket.close(1000);
    await until('it is logged', () => logs.take().some(({ line }) => line.includes('broken')));
  });

  test(`a callback that ${how} for a message that came too late is a log line`, async (t) => {
    const handler: WebSocketHandler = (socket) => {
      socket.close(4000, 'bye');
      socket.send('late', () => broken());
    };
    const { url, logs } = await serve(t, {}, webSocketHandler(handler));
    const client = await connectWebSocket(t, `${url}/websocket`);
    assert.deepEqual(await client.closed(), { code: 4000, reason: 'bye' });
    await until('it is logged', () => logs.take().some(({ line }) => line.includes('broken')));
  });
}

test('messages do not wait for a handler that is asynchronous', async (t) => {
  const handler = async (socket: MigratedWebSocket): Promise<void> => {
    for await (const [data] of on(socket as EventEmitter, 'message')) socket.send(String(data));
  };
  const { url } = await serve(t, {}, webSocketHandler(handler));
  const client = await connectWebSocket(t, `${url}/websocket`);
  client.send('hello');
  assert.equal(await client.next(), 'hello');
});

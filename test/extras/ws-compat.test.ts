/** `webSocketHandler`: handlers that were written for `ws`. */
import assert from 'node:assert/strict';
import { type EventEmitter, on } from 'node:events';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type CompatWebSocket,
  type WebSocketHandler,
  webSocketHandler,
} from '../../src/extras/ws-compat.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

test('a ws handler receives messages, sends and closes', async (t) => {
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
  const { port } = await startRouter(t, {}, webSocketHandler(handler));
  const client = await openWebSocket(t, port, '/echo/websocket?a=1');
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

test('a raw WebSocket carries bytes in both directions', async (t) => {
  const handler: WebSocketHandler = (socket) => {
    socket.on('message', (data, isBinary) => socket.send(isBinary ? data : 'text'));
  };
  const { port } = await startRouter(t, {}, webSocketHandler(handler));
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.send(Buffer.from([1, 2, 3]));
  assert.deepEqual(await client.next(), Buffer.from([1, 2, 3]));
});

for (const transport of ['/websocket', '/0/session/websocket']) {
  test(`the common calls of ws work on ${transport}`, async (t) => {
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
    const { port } = await startRouter(t, {}, webSocketHandler(handler));
    const client = await openWebSocket(t, port, `/echo${transport}`);
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

test('bytes that are not UTF-8 close a connection that carries only text', async (t) => {
  const handler: WebSocketHandler = (socket) => socket.send(Buffer.from([0xff]));
  const { port, logger } = await startRouter(t, {}, webSocketHandler(handler));
  const client = await openWebSocket(t, port, '/echo/0/session/websocket');
  assert.equal(await client.next(), 'o');
  assert.equal(await client.next(), 'c[1011,"Internal error"]');
  assert.match(logger.take()[0]?.line ?? '', /Only clients of rawwebsocket can receive bytes/);
});

for (const [title, reason] of [
  ['a Buffer', Buffer.from('bücher')],
  ['a Uint8Array', new TextEncoder().encode('bücher')],
  ['a view of a part of a buffer', Buffer.from('xbücherx').subarray(1, -1)],
  ['an ArrayBuffer', new Uint8Array(Buffer.from('bücher')).buffer],
  ['a text', 'bücher'],
] as const) {
  test(`close takes ${title} as its reason`, async (t) => {
    const handler: WebSocketHandler = (socket) => socket.close(1000, reason);
    const { port } = await startRouter(t, {}, webSocketHandler(handler));
    const client = await openWebSocket(t, port, '/echo/websocket');
    assert.deepEqual(await client.closed(), { code: 1000, reason: 'bücher' });
  });
}

test('a reason that is too long throws, also as bytes', async (t) => {
  const handler: WebSocketHandler = (socket) => {
    const reason = Buffer.alloc(124, 'x');
    assert.throws(() => socket.close(1000, reason), { code: 'ERR_CLOSE_ARGUMENT' });
    socket.close(4000, reason.subarray(1));
  };
  const { port } = await startRouter(t, {}, webSocketHandler(handler));
  const client = await openWebSocket(t, port, '/echo/websocket');
  assert.deepEqual(await client.closed(), { code: 4000, reason: 'x'.repeat(123) });
});

test('send takes an ArrayBuffer and any view, as ws does', async (t) => {
  const bytes = Uint8Array.from([0, 1, 2, 3]);
  const handler: WebSocketHandler = (socket) => {
    socket.send(bytes.buffer);
    socket.send(new DataView(bytes.buffer, 1, 2));
    socket.send(new Uint16Array([0x4141]), { binary: false });
  };
  const { port } = await startRouter(t, {}, webSocketHandler(handler));
  const client = await openWebSocket(t, port, '/echo/websocket');
  assert.deepEqual(await client.take(3), [Buffer.from(bytes), Buffer.from([1, 2]), 'AA']);
});

test('send on a closing socket calls back with an error', async (t) => {
  const errors: (Error | undefined)[] = [];
  const handler: WebSocketHandler = (socket, { url }) => {
    assert.equal(url, '/echo/0');
    socket.terminate();
    assert.equal(socket.readyState, socket.CLOSING);
    socket.send('late', (error) => errors.push(error));
    socket.send('late, unnoticed');
  };
  const { port } = await startRouter(t, {}, webSocketHandler(handler));
  const client = await openWebSocket(t, port, '/echo/0/session/websocket');
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

const FAILURES: readonly (readonly [failure: string, broken: () => unknown])[] = [
  ['throws', fail],
  ['rejects', reject],
];

for (const [failure, broken] of FAILURES) {
  const failing: readonly (readonly [source: string, handler: WebSocketHandler])[] = [
    ['a handler that', failure === 'throws' ? fail : reject],
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
  for (const [source, handler] of failing) {
    test(`${source} ${failure} closes its connection with 1011, and the error is logged`, async (t) => {
      const { port, logger, router } = await startRouter(t, {}, webSocketHandler(handler));
      const client = await openWebSocket(t, port, '/echo/websocket');
      client.send('hello');
      assert.deepEqual(await client.closed(), { code: 1011, reason: 'Internal error' });
      assert.equal(router.stats.dump().closed.internalError, 1);
      const lines = logger.take();
      assert.equal(lines.length, 1);
      assert.match(
        lines[0]?.line ?? '',
        /failed; its connection is closed with 1011: Error: broken/,
      );
    });
  }

  test(`the error of a listener for 'close' that ${failure} is logged`, async (t) => {
    const handler: WebSocketHandler = (socket) => socket.on('close', () => broken());
    const { port, logger } = await startRouter(t, {}, webSocketHandler(handler));
    const client = await openWebSocket(t, port, '/echo/websocket');
    client.close(1000);
    await until(
      () => logger.take().some(({ line }) => line.includes('broken')),
      'the error is logged',
    );
  });

  test(`the error of a send callback that ${failure} on a closed connection is logged`, async (t) => {
    const handler: WebSocketHandler = (socket) => {
      socket.close(4000, 'bye');
      socket.send('late', () => broken());
    };
    const { port, logger } = await startRouter(t, {}, webSocketHandler(handler));
    const client = await openWebSocket(t, port, '/echo/websocket');
    assert.deepEqual(await client.closed(), { code: 4000, reason: 'bye' });
    await until(
      () => logger.take().some(({ line }) => line.includes('broken')),
      'the error is logged',
    );
  });
}

test('messages arrive while an async handler runs', async (t) => {
  const handler = async (socket: CompatWebSocket): Promise<void> => {
    for await (const [data] of on(socket as EventEmitter, 'message')) socket.send(String(data));
  };
  const { port } = await startRouter(t, {}, webSocketHandler(handler));
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.send('hello');
  assert.equal(await client.next(), 'hello');
});

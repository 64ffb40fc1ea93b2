/** The setting `compression` on both kinds of WebSockets, with raw clients and with `ws`. RFC 7692. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { type TestContext, test } from 'node:test';
import zlib from 'node:zlib';
import { type ClientOptions, WebSocket } from 'ws';
import { SockJSConnection } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { httpConnection } from '../../testkit/raw-http.ts';
import { OFFER_COMPRESSION, handshakeHeaders, openWebSocket } from '../../testkit/raw-websocket.ts';
import { SeededRandom } from '../../testkit/random.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';
import { WS_TRANSPORTS, newSession, openRequest, wsPath } from '../../testkit/transports.ts';
import { COMPRESSED, OPCODE, deflate, encodeFrame } from '../../testkit/websocket-frames.ts';

const ON = { compression: { threshold: 100 } } as const;
const ACCEPTED = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const LONG = 'A message that is long enough. '.repeat(10);
const OFFERING = { headers: OFFER_COMPRESSION };

for (const transport of WS_TRANSPORTS) {
  const isRaw = transport.name === 'rawwebsocket';
  const write = (message: string): string => (isRaw ? message : JSON.stringify([message]));
  const frameOf = (message: string): string => (isRaw ? message : `a${write(message)}`);

  test(`${transport.name}: messages are compressed in both directions from the threshold on`, async (t) => {
    const { port } = await startRouter(t, ON);
    const client = await openWebSocket(t, port, wsPath(transport, newSession()), OFFERING);
    assert.equal(client.head.header('sec-websocket-extensions'), ACCEPTED);
    if (!isRaw) assert.equal(await client.next(), 'o');
    client.frames.drain();
    client.sendFrame(OPCODE.text, deflate(write(LONG)), COMPRESSED);
    assert.equal(await client.next(), frameOf(LONG));
    client.sendFrame(OPCODE.text, deflate(write('short')), COMPRESSED);
    assert.equal(await client.next(), frameOf('short'));
    client.send(write('plain'));
    assert.equal(await client.next(), frameOf('plain'));
    const isCompressed = client.frames.drain().map((frame) => frame.isCompressed);
    assert.deepEqual(isCompressed, [true, false, false]);
    client.close(1000);
    assert.equal((await client.closed()).code, 1000);
  });

  test(`${transport.name}: a client that does not offer compression gets none`, async (t) => {
    const { port } = await startRouter(t, ON);
    const client = await openWebSocket(t, port, wsPath(transport, newSession()));
    assert.equal(client.head.header('sec-websocket-extensions'), undefined);
    if (!isRaw) assert.equal(await client.next(), 'o');
    client.send(write(LONG));
    assert.equal(await client.next(), frameOf(LONG));
    client.sendFrame(OPCODE.text, deflate(write(LONG)), COMPRESSED);
    assert.equal((await client.closed()).code, 1002);
  });

  test(`${transport.name}: an offer that is not acceptable is declined`, async (t) => {
    const { port } = await startRouter(t, ON);
    const headers = [
      ['Sec-WebSocket-Extensions', 'permessage-deflate; server_max_window_bits=10'],
    ] as const;
    const client = await openWebSocket(t, port, wsPath(transport, newSession()), { headers });
    assert.equal(client.head.header('sec-websocket-extensions'), undefined);
  });

  test(`${transport.name}: offers in several headers are one list`, async (t) => {
    const { port } = await startRouter(t, ON);
    const headers = [['Sec-WebSocket-Extensions', 'x-other'] as const, ...OFFER_COMPRESSION];
    const client = await openWebSocket(t, port, wsPath(transport, newSession()), { headers });
    assert.equal(client.head.header('sec-websocket-extensions'), ACCEPTED);
  });

  test(`${transport.name}: a malformed header is 400 with compression, and ignored without`, async (t) => {
    for (const [settings, status] of [
      [ON, 400],
      [{}, 101],
    ] as const) {
      const { port } = await startRouter(t, settings);
      const connection = httpConnection(t, port);
      const headers = handshakeHeaders({ 'Sec-WebSocket-Extensions': 'permessage-deflate;' });
      connection.send({ ...openRequest(transport), headers });
      assert.equal((await connection.readHead()).status, status);
    }
  });

  test(`${transport.name}: a bomb closes with 1009, and invalid data with 1007`, async (t) => {
    const { port, router } = await startRouter(t, { ...ON, maxMessageBytes: 100_000 });
    for (const [data, code] of [
      [deflate(Buffer.alloc(20_000_000)), 1009],
      [deflate(write(LONG)).subarray(0, -3), 1007],
    ] as const) {
      const client = await openWebSocket(t, port, wsPath(transport, newSession()), OFFERING);
      client.sendFrame(OPCODE.text, data, COMPRESSED);
      assert.equal((await client.closed()).code, code);
    }
    const { invalidCompression, messageTooLarge } = router.stats.dump().closed;
    assert.deepEqual([invalidCompression, messageTooLarge], [1, 1]);
  });

  test(`${transport.name}: while a handler is pending, compressed messages wait, whatever their length`, async (t) => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    class Slow extends SockJSConnection {
      override async onMessage(message: string): Promise<void> {
        await released;
        this.send(`${message.length} characters`);
      }
    }
    const settings = { ...ON, maxConcurrentHandlers: 1 };
    const { port, router } = await startRouter(t, settings, Slow);
    const client = await openWebSocket(t, port, wsPath(transport, newSession()), OFFERING);
    if (!isRaw) assert.equal(await client.next(), 'o');
    // 10 MiB in one chunk, more than an uncompressed client may send until then.
    const long = 'x'.repeat(1024 * 1024);
    const frame = encodeFrame(OPCODE.text, deflate(write(long)), COMPRESSED);
    client.write(...Array.from({ length: 10 }, () => frame));
    await until(() => router.stats.dump().buffered.messages > 0, 'input to wait');
    release();
    for (let count = 0; count < 10; count += 1)
      assert.equal(await client.next(), frameOf(`${long.length} characters`));
  });
}

test('bytes of a raw WebSocket are compressed too', async (t) => {
  const { port } = await startRouter(t, ON);
  const client = await openWebSocket(t, port, '/echo/websocket', OFFERING);
  const data = Buffer.alloc(5000, 'abc');
  client.sendFrame(OPCODE.binary, deflate(data), COMPRESSED);
  assert.deepEqual(await client.next(), data);
  assert.equal((await client.frames.next()).isCompressed, true);
});

test('heartbeats, pings, pongs and close frames are never compressed', async (t) => {
  const { port, router } = await startRouter(t, {
    compression: { threshold: 0 },
    heartbeatDelay: 1000,
  });
  const client = await openWebSocket(t, port, `${newSession()}/websocket`, OFFERING);
  assert.equal(await client.next(), 'o');
  assert.equal(await client.next(), 'h');
  client.ping('x'.repeat(125));
  await client.pongs.next();
  for (const connection of router.connections) connection.close(3000, 'x'.repeat(123));
  assert.equal((await client.closed()).code, 3000);
  // The SockJS close frame is a message, and is long enough.
  const [open, ping, heartbeat, pong, message, close] = client.frames.drain();
  assert.deepEqual(
    [open, ping, heartbeat, pong, message, close].map((frame) => frame?.isCompressed),
    [false, false, false, false, true, false],
  );
});

/** Replaces `deflateRawSync` of Node. @returns the number of calls so far */
function countDeflates(t: TestContext): () => number {
  const mocked = t.mock.method(zlib, 'deflateRawSync');
  syncBuiltinESMExports();
  t.after(() => {
    mocked.mock.restore();
    syncBuiltinESMExports();
  });
  return () => mocked.mock.callCount();
}

for (const [name, message] of [
  ['short', `Broadcast: ${LONG}`],
  ['long', `Broadcast: ${LONG.repeat(500)}`],
] as const) {
  test(`a ${name} broadcast is compressed once for each kind of WebSocket, and not for other clients`, async (t) => {
    const { port, router } = await startRouter(t, ON);
    const open = async (path: string, options: object) =>
      Promise.all(
        Array.from({ length: 10 }, () =>
          openWebSocket(t, port, path.replace('SESSION', newSession()), options),
        ),
      );
    const [sessions, raw, plain] = [
      await open('SESSION/websocket', OFFERING),
      await open('/echo/websocket', OFFERING),
      await open('SESSION/websocket', {}),
    ];
    for (const client of [...sessions, ...plain]) assert.equal(await client.next(), 'o');
    const deflates = countDeflates(t);
    router.broadcast(message);
    for (const client of [...sessions, ...plain]) {
      assert.equal(await client.next(), `a${JSON.stringify([message])}`);
    }
    for (const client of raw) assert.equal(await client.next(), message);
    assert.equal(deflates(), 2);
  });
}

test('on a raw WebSocket, the messages of one frame are compressed once for all', async (t) => {
  const { port, router } = await startRouter(t, ON);
  const clients = await Promise.all(
    Array.from({ length: 10 }, () => openWebSocket(t, port, '/echo/websocket', OFFERING)),
  );
  const deflates = countDeflates(t);
  const messages = [`First: ${LONG}`, `Second: ${LONG}`];
  for (const message of messages) router.broadcast(message);
  for (const client of clients) assert.deepEqual(await client.take(2), messages);
  assert.equal(deflates(), 2);
});

const RANDOM = new SeededRandom('compression');
const LIMIT = 300_000;
const LENGTHS = [
  0,
  1,
  99,
  100,
  101,
  125,
  126,
  127,
  1023,
  1024,
  1025,
  16_383,
  16_384,
  16_385,
  65_535,
  65_536,
  65_537,
  131_072,
  LIMIT - 2,
  LIMIT - 1,
];

function randomMessage(random: SeededRandom): string {
  const length = random.oneIn(2)
    ? random.pick([0, ...LENGTHS])
    : random.integer(0, random.oneIn(10) ? LIMIT : 3000);
  if (random.oneIn(4))
    return randomBytes(Math.ceil(length / 2))
      .toString('hex')
      .slice(0, length);
  if (random.oneIn(4)) return 'Größe 日本 🎉'.repeat(Math.ceil(length / 40));
  return JSON.stringify({ text: 'price ', at: random.integer(0, 1e9) })
    .repeat(length)
    .slice(0, length);
}

for (const [name, perMessageDeflate] of [
  ['its defaults', true],
  ['no context takeover', { clientNoContextTakeover: true, serverNoContextTakeover: true }],
  ['a threshold of 0 and level 9', { threshold: 0, zlibDeflateOptions: { level: 9 } }],
  ['a window of 9 bits', { threshold: 0, clientMaxWindowBits: 9 }],
  ['stored blocks', { threshold: 0, zlibDeflateOptions: { level: 0 } }],
  ['a small memory', { threshold: 0, zlibDeflateOptions: { memLevel: 1 } }],
] as const satisfies readonly (readonly [string, ClientOptions['perMessageDeflate']])[]) {
  test(`ws with ${name} and the server understand each other`, async (t) => {
    const { port } = await startRouter(t, {
      compression: { threshold: 100 },
      maxMessageBytes: LIMIT + 10_000, // Stored blocks and small blocks are longer than their content.
    });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/echo/websocket`, { perMessageDeflate });
    t.after(() => socket.terminate());
    const messages = new AsyncQueue<string>('a message');
    socket.on('message', (data, isBinary) => {
      assert.ok(Buffer.isBuffer(data));
      messages.push(isBinary ? data.toString('hex') : data.toString());
    });
    await new Promise((resolve) => {
      socket.once('open', resolve);
    });
    assert.equal(socket.extensions, 'permessage-deflate');
    const random = RANDOM.fork(name);
    for (let batch = 0; batch < 12; batch += 1) {
      const expected: string[] = [];
      for (let count = random.integer(1, 6); count > 0; count -= 1) {
        const message = randomMessage(random);
        const isBinary = random.oneIn(4);
        const parts = random.oneIn(4) ? 2 : 1;
        const half = parts === 1 ? 0 : Math.floor(message.length / 2);
        const isText = !isBinary && message.toWellFormed() === message;
        const data = isText ? message : Buffer.from(message);
        if (parts === 2 && typeof data !== 'string') {
          socket.send(data.subarray(0, half), { fin: false });
          socket.send(data.subarray(half));
        } else {
          socket.send(data);
        }
        expected.push(typeof data === 'string' ? data : data.toString('hex'));
      }
      for (const message of expected) {
        const received = await messages.next();
        // `assert.equal` would print both.
        assert.ok(received === message, `${received.length} characters, not ${message.length}`);
      }
    }
    const closed = new Promise((resolve) => {
      socket.once('close', resolve);
    });
    socket.close(1000);
    assert.equal(await closed, 1000);
  });
}

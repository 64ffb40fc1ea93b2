/** RFC 6455 over a socket: both closing handshakes, pings, half-closed and lost connections, buffered frames. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CLOSE_REASONS } from '../../../src/base/close-reasons.ts';
import { HELLO } from '../../websocket/frame-recorder.ts';
import { webSocketPair } from './websocket-pair.ts';
import { OPCODE, encodeClose, encodeFrame } from '../../../testkit/websocket-frames.ts';
import { until } from '../../../testkit/until.ts';

const CLOSE_FRAME = encodeFrame(OPCODE.close, encodeClose(1000, 'bye'));
/** Time after which the server would close such a connection anyway. */
const CLOSE_TIMEOUT_MS = 2000;
const LARGE = 'x'.repeat(4 * 1024 * 1024);

/** A WebSocket that buffers frames for a client that does not read. */
async function blockedPair(
  ...[t, settings]: Parameters<typeof webSocketPair>
): Promise<Awaited<ReturnType<typeof webSocketPair>>> {
  const both = await webSocketPair(t, settings);
  both.client.raw.pause();
  both.webSocket.sendText(LARGE);
  both.webSocket.sendText(LARGE);
  assert.equal(both.webSocket.writable, false);
  return both;
}

/** Sends until a frame stays buffered. A busy system takes a frame late, so it has 200 ms. */
async function fill(
  webSocket: { sendText(text: string): void },
  socket: { writableLength: number; writableNeedDrain: boolean },
): Promise<void> {
  for (let count = 0; count < 10_000; count += 1) {
    if (socket.writableLength > 0) {
      await delay(200);
      if (socket.writableLength > 0) break;
    }
    webSocket.sendText(`${count} ${'x'.repeat(10_000)}`);
    if (count % 10 === 0) await new Promise(setImmediate);
  }
  assert.ok(socket.writableLength > 0 && !socket.writableNeedDrain);
}

test('bytes that came with the upgrade are read first', async (t) => {
  const { events, client } = await webSocketPair(t, {}, HELLO.subarray(0, 8));
  client.send(HELLO.subarray(8), encodeFrame(OPCODE.binary, 'b'));
  assert.deepEqual(await events.take(2), [
    ['text', 'Hello'],
    ['binary', '62'],
  ]);
});

test('frames arrive in the order in which they were sent', async (t) => {
  const { webSocket, client } = await webSocketPair(t);
  webSocket.sendText('a');
  webSocket.sendBinary(Buffer.from('b'));
  webSocket.ping();
  webSocket.ping('h');
  webSocket.close(3000, 'Go away!');
  assert.deepEqual(await client.events.take(6), [
    ['text', 'a'],
    ['binary', '62'],
    ['ping', ''],
    ['ping', ''],
    ['text', 'h'],
    ['close', 3000, 'Go away!'],
  ]);
});

// 5.5.1, 7.1: the closing handshake

for (const [content, payload, closed] of [
  ['1000 and a reason', encodeClose(1000, 'bye'), [1000, 'bye']],
  ['a code alone', encodeClose(4000), [4000, '']],
  ['no code', '', [1005, '']],
] as const) {
  test(`5.5.1: a close frame with ${content} is returned, and the server ends the connection`, async (t) => {
    const { client, events } = await webSocketPair(t);
    client.send(encodeFrame(OPCODE.close, payload));
    assert.deepEqual(await client.events.take(2), [['close', ...closed], ['end']]);
    assert.deepEqual(await events.next(), ['closed', ...closed]);
  });
}

test('5.5.1: after its close frame the server sends no other frame', async (t) => {
  const { webSocket, client, events } = await webSocketPair(t);
  webSocket.close(3000, 'a');
  webSocket.close(3001, 'b');
  webSocket.sendText('late');
  webSocket.sendBinary(Buffer.from('late'));
  webSocket.ping();
  client.send(encodeFrame(OPCODE.ping, 'late'), HELLO);
  assert.deepEqual(await events.next(), ['text', 'Hello']); // Frames already on their way are still read.
  client.send(CLOSE_FRAME);
  assert.deepEqual(await client.events.take(2), [['close', 3000, 'a'], ['end']]);
  assert.deepEqual(await events.next(), ['closed', 1000, 'bye']);
});

test('7.1.1: the server waits for the close frame of the client before it ends the connection', async (t) => {
  const { webSocket, client, socket } = await webSocketPair(t);
  webSocket.close(3000, '');
  assert.deepEqual(await client.events.next(), ['close', 3000, '']);
  assert.equal(socket.destroyed || socket.writableEnded, false);
});

test('7.1.5: a connection that ends without a close frame is 1006', async (t) => {
  const { client, events } = await webSocketPair(t);
  client.raw.end();
  assert.deepEqual(await events.next(), ['closed', 1006, '']);
  assert.deepEqual(await client.events.next(), ['end']);
});

test('7.1.5: a connection that is reset is 1006', async (t) => {
  const { client, events } = await webSocketPair(t);
  client.raw.abort();
  assert.deepEqual(await events.next(), ['closed', 1006, '']);
});

test('7.1.5: an incomplete close frame is 1006', async (t) => {
  const { client, events } = await webSocketPair(t);
  client.send(CLOSE_FRAME.subarray(0, -1)).raw.end();
  assert.deepEqual(await events.next(), ['closed', 1006, '']);
});

test('a close frame and the end of the connection follow the frames that are buffered', async (t) => {
  const { webSocket, client, events } = await blockedPair(t);
  client.send(CLOSE_FRAME);
  await until(
    () => webSocket.bytesReceived === CLOSE_FRAME.length,
    'the server to read the close frame',
  );
  client.raw.resume();
  const frames = await client.events.take(4);
  assert.deepEqual(
    frames.map(([name, detail]) => [name, String(detail).length]),
    [
      ['text', LARGE.length],
      ['text', LARGE.length],
      ['close', 4],
      ['end', 9],
    ],
  );
  assert.deepEqual(await events.next(), ['closed', 1000, 'bye']);
});

test('a client that has ended its side gets the buffered frames, and none that are sent later', async (t) => {
  const { webSocket, client, socket, events } = await blockedPair(t);
  client.raw.end();
  await until(() => socket.writableEnded, 'the server to end its side');
  webSocket.sendText('too late');
  client.raw.resume();
  const frames = await client.events.take(3);
  assert.deepEqual(
    frames.map(([name]) => name),
    ['text', 'text', 'end'],
  );
  assert.deepEqual(await events.next(), ['closed', 1006, '']);
});

for (const [end, last] of [
  ['sent a close frame', CLOSE_FRAME],
  ['ended its side', undefined],
] as const) {
  test(`a client that has ${end} and reads no buffered frame reaches writeTimeout`, async (t) => {
    const { webSocket, client, socket, events } = await webSocketPair(t, { writeTimeout: 100 });
    client.raw.pause();
    // More than the system accepts, and less than the high-water mark of the socket.
    await fill(webSocket, socket);
    if (last === undefined) client.raw.end();
    else client.send(last);
    assert.deepEqual(await events.next(), ['writeTimeout']);
    webSocket.abort();
    assert.equal((await events.next())[0], 'closed');
  });
}

// 7.1.7: invalid frames

const TOO_LONG = encodeFrame(OPCODE.text, '', { declaredLength: 1_000_001 });

const INVALID = [
  ['a reserved bit', encodeFrame(OPCODE.text, '', { rsv: 4 }), 'invalidFrame'],
  ['invalid UTF-8', encodeFrame(OPCODE.text, Buffer.from([0xff])), 'invalidUtf8'],
  ['a message that is too long', TOO_LONG, 'messageTooLarge'],
] as const;

for (const [content, bytes, fault] of INVALID) {
  const { code, reason } = CLOSE_REASONS[fault];
  test(`7.1.7: ${content} closes with ${code}, and no later frame is read`, async (t) => {
    const { client, events } = await webSocketPair(t);
    client.send(bytes, HELLO, CLOSE_FRAME);
    assert.deepEqual(await client.events.next(), ['close', code, reason]);
    client.raw.end();
    assert.deepEqual(await events.take(2), [
      ['fault', fault],
      ['closed', code, reason],
    ]);
  });
}

for (const [content, bytes, fault] of INVALID) {
  const { code, reason } = CLOSE_REASONS[fault];
  test(`7.1.1: after ${content} the server ends its side at once, and reads until the client has ended`, async (t) => {
    const { client, socket, events } = await webSocketPair(t);
    const began = performance.now();
    client.send(bytes);
    assert.deepEqual(await client.events.take(2), [['close', code, reason], ['end']]);
    assert.ok(
      performance.now() - began < CLOSE_TIMEOUT_MS,
      `after ${performance.now() - began} ms`,
    );
    assert.equal(socket.destroyed, false, 'a reset could overtake the close frame');
    client.send(CLOSE_FRAME).raw.end();
    assert.deepEqual(await events.take(2), [
      ['fault', fault],
      ['closed', code, reason],
    ]);
    assert.ok(
      performance.now() - began < CLOSE_TIMEOUT_MS,
      `after ${performance.now() - began} ms`,
    );
  });
}

test('7.1.1: after an invalid frame that follows our close frame the server ends its side at once', async (t) => {
  const { webSocket, client, events } = await webSocketPair(t);
  const began = performance.now();
  webSocket.close(3000, '');
  client.send(encodeFrame(3));
  assert.deepEqual(await client.events.take(2), [['close', 3000, ''], ['end']]);
  client.raw.end();
  assert.deepEqual(await events.next(), ['closed', 1006, '']);
  assert.ok(performance.now() - began < CLOSE_TIMEOUT_MS, `after ${performance.now() - began} ms`);
});

test('a client that sends a close frame after a fault is disconnected', async (t) => {
  const { webSocket, client, events } = await webSocketPair(t);
  webSocket.fail('invalidJson');
  const { code, reason } = CLOSE_REASONS.invalidJson;
  assert.deepEqual(await client.events.next(), ['close', code, reason]);
  client.send(CLOSE_FRAME);
  assert.deepEqual(await client.events.next(), ['end']);
  assert.deepEqual(await events.take(2), [
    ['fault', 'invalidJson'],
    ['closed', 1000, 'bye'],
  ]);
});

test('7.1.7: a client that does not close after a fault is disconnected within seconds', async (t) => {
  const { client, events } = await webSocketPair(t);
  client.send(encodeFrame(3));
  const { code, reason } = CLOSE_REASONS.invalidFrame;
  assert.deepEqual(await client.events.next(), ['close', code, reason]);
  assert.deepEqual(await events.take(2), [
    ['fault', 'invalidFrame'],
    ['closed', code, reason],
  ]);
  assert.equal(events.size, 0);
});

test('7.1.7: an invalid frame after our close frame gets no second close frame', async (t) => {
  const { webSocket, client, events } = await webSocketPair(t);
  webSocket.close(3000, '');
  client.send(encodeFrame(3)).raw.end();
  assert.deepEqual(await client.events.take(2), [['close', 3000, ''], ['end']]);
  assert.deepEqual(await events.next(), ['closed', 1006, '']);
});

// 5.5.2, 5.5.3: pings

for (const payload of ['', 'a', 'x'.repeat(125)]) {
  test(`5.5.2, 5.5.3: a ping of ${payload.length} bytes gets a pong with the same payload`, async (t) => {
    const { client } = await webSocketPair(t);
    client.send(encodeFrame(OPCODE.ping, payload));
    const expected = Buffer.from(payload).toString('hex');
    assert.deepEqual(await client.events.next(), ['pong', expected]);
  });
}

test('5.5.3: of several pings in one chunk the last one gets a pong, in one write', async (t) => {
  const { client, socket, listener } = await webSocketPair(t);
  const write = t.mock.method(socket, 'write');
  const pings = Array.from({ length: 1000 }, (_, index) => encodeFrame(OPCODE.ping, String(index)));
  client.send(...pings);
  assert.deepEqual(await client.events.next(), ['pong', Buffer.from('999').toString('hex')]);
  assert.equal(write.mock.callCount(), 1);
  assert.equal(listener.frames, 1000);
});

test('a ping whose payload arrives later gets its pong', async (t) => {
  const { client } = await webSocketPair(t);
  const ping = encodeFrame(OPCODE.ping, 'payload');
  client.send(ping.subarray(0, 8));
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.send(ping.subarray(8));
  assert.deepEqual(await client.events.next(), ['pong', Buffer.from('payload').toString('hex')]);
});

test('pongs and short fragments are counted as frames without a message, and long fragments are not', async (t) => {
  const { client, events, listener } = await webSocketPair(t);
  client.send(
    encodeFrame(OPCODE.pong, 'x'),
    encodeFrame(OPCODE.binary, '', { fin: false }),
    encodeFrame(OPCODE.continuation, 'x', { fin: false }),
    encodeFrame(OPCODE.continuation, Buffer.alloc(126), { fin: false }),
    encodeFrame(OPCODE.continuation, ''),
    HELLO,
  );
  await events.take(2);
  assert.equal(listener.frames, 3);
});

for (const [name, ending] of [
  ['a close frame', [encodeFrame(OPCODE.close, encodeClose(1000))]],
  ['a fault', [encodeFrame(OPCODE.text, 'x', { rsv: 1 })]],
  ['the end of the connection', []],
] as const) {
  test(`what was sent before ${name} of the client is written before the server ends`, async (t) => {
    const { client, webSocket, listener } = await webSocketPair(t);
    listener.sendLast = () => webSocket.sendText('last');
    client.send(encodeFrame(OPCODE.ping, 'p'), ...ending);
    if (ending.length === 0) client.raw.end();
    assert.deepEqual(await client.events.take(2), [
      ['pong', Buffer.from('p').toString('hex')],
      ['text', 'last'],
    ]);
    assert.equal(webSocket.writable, false);
  });
}

test('pings of a client that does not read get no pongs, which would be buffered', async (t) => {
  const { webSocket, client } = await blockedPair(t);
  const before = webSocket.bufferedBytes;
  const pings = Buffer.concat(
    Array.from({ length: 10_000 }, () => encodeFrame(OPCODE.ping, 'x'.repeat(99))),
  );
  client.send(pings);
  await until(() => webSocket.bytesReceived === pings.length, 'the server to read all pings');
  assert.ok(webSocket.bufferedBytes <= before);
});

// Pausing

test('a paused WebSocket finishes its chunk and reads no other', async (t) => {
  const { webSocket, client, events } = await webSocketPair(t);
  webSocket.pause();
  client.send(HELLO);
  webSocket.resume();
  assert.deepEqual(await events.next(), ['text', 'Hello']);
  webSocket.pause();
  const before = webSocket.bytesReceived ?? 0;
  for (let count = 0; count < 50; count += 1)
    client.send(encodeFrame(OPCODE.binary, Buffer.alloc(100_000)));
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  assert.equal(events.size, 0);
  assert.ok((webSocket.bytesReceived ?? 0) - before <= 200_000);
  webSocket.resume();
  assert.equal((await events.take(50)).length, 50);
});

// Backpressure

test('a client that has read everything causes a drain', async (t) => {
  const { webSocket, client, events } = await blockedPair(t);
  assert.ok(webSocket.bufferedBytes > 0);
  client.raw.resume();
  assert.deepEqual(await events.next(), ['drain']);
  assert.equal(webSocket.bufferedBytes, 0);
  assert.equal(webSocket.writable, true);
});

test('a client that reads nothing for writeTimeout is reported', async (t) => {
  const { webSocket, events } = await blockedPair(t, { writeTimeout: 50 });
  assert.deepEqual(await events.next(), ['writeTimeout']);
  webSocket.abort();
  assert.deepEqual(await events.next(), ['closed', 1006, '']);
});

test('after abort nothing is sent, and no frame is reported', async (t) => {
  const { webSocket, client, events } = await webSocketPair(t);
  webSocket.abort();
  webSocket.sendText('late');
  webSocket.close(3000, '');
  client.send(HELLO);
  assert.deepEqual(await events.next(), ['closed', 1006, '']);
});

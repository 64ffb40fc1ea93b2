/** RFC 6455 over a socket: the encodeClose handshake both ways, pings, half-closed and lost connections, what waits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSE_REASONS } from '../../../src/base/close-reasons.ts';
import { pair } from './port.ts';
import { OPCODE, encodeClose, encodeFrame } from '../../../testkit/websocket-frames.ts';
import { until } from '../../../testkit/until.ts';

const HELLO = encodeFrame(OPCODE.text, 'Hello');
const GOODBYE = encodeFrame(OPCODE.close, encodeClose(1000, 'bye'));
const LARGE = 'x'.repeat(4 * 1024 * 1024);

/** A port whose client takes nothing of what waits. */
async function deafPair(
  ...[t, settings]: Parameters<typeof pair>
): Promise<Awaited<ReturnType<typeof pair>>> {
  const both = await pair(t, settings);
  both.peer.socket.pause();
  both.port.sendText(LARGE);
  both.port.sendText(LARGE);
  assert.equal(both.port.writable, false);
  return both;
}

/** Sends until something waits in the process. */
async function fill(
  port: { sendText(text: string): void },
  socket: { writableLength: number; writableNeedDrain: boolean },
): Promise<void> {
  for (let count = 0; count < 10_000 && socket.writableLength === 0; count += 1) {
    port.sendText(`${count} ${'x'.repeat(10_000)}`);
    if (count % 10 === 0) await new Promise(setImmediate);
  }
  assert.ok(socket.writableLength > 0 && !socket.writableNeedDrain);
}

test('bytes that came with the upgrade are read first', async (t) => {
  const { told, peer } = await pair(t, {}, HELLO.subarray(0, 8));
  peer.send(HELLO.subarray(8), encodeFrame(OPCODE.binary, 'b'));
  assert.deepEqual(await told.take(2), [
    ['text', 'Hello'],
    ['binary', '62'],
  ]);
});

test('what is sent arrives in its order', async (t) => {
  const { port, peer } = await pair(t);
  port.sendText('a');
  port.sendBinary(Buffer.from('b'));
  port.ping();
  port.ping('h');
  port.close(3000, 'Go away!');
  assert.deepEqual(await peer.told.take(6), [
    ['text', 'a'],
    ['binary', '62'],
    ['ping', ''],
    ['ping', ''],
    ['text', 'h'],
    ['closing', 3000, 'Go away!'],
  ]);
});

// 5.5.1, 7.1: encodeClose

for (const [what, payload, answer] of [
  ['1000 and a reason', encodeClose(1000, 'bye'), [1000, 'bye']],
  ['a code alone', encodeClose(4000), [4000, '']],
  ['no code', '', [1005, '']],
] as const) {
  test(`5.5.1: a close encodeFrame with ${what} is answered by the same, and the server hangs up`, async (t) => {
    const { peer, told } = await pair(t);
    peer.send(encodeFrame(OPCODE.close, payload));
    assert.deepEqual(await peer.told.take(2), [['closing', ...answer], ['end']]);
    assert.deepEqual(await told.next(), ['closed', ...answer]);
  });
}

test('5.5.1: after its close encodeFrame the server sends nothing, and closes once', async (t) => {
  const { port, peer, told } = await pair(t);
  port.close(3000, 'a');
  port.close(3001, 'b');
  port.sendText('late');
  port.sendBinary(Buffer.from('late'));
  port.ping();
  peer.send(encodeFrame(OPCODE.ping, 'late'), HELLO);
  assert.deepEqual(await told.next(), ['text', 'Hello']); // What was on its way is still read.
  peer.send(GOODBYE);
  assert.deepEqual(await peer.told.take(2), [['closing', 3000, 'a'], ['end']]);
  assert.deepEqual(await told.next(), ['closed', 1000, 'bye']);
});

test('7.1.1: the server waits for the answer to its close encodeFrame before it hangs up', async (t) => {
  const { port, peer, socket } = await pair(t);
  port.close(3000, '');
  assert.deepEqual(await peer.told.next(), ['closing', 3000, '']);
  assert.equal(socket.destroyed || socket.writableEnded, false);
});

test('7.1.5: a client that hangs up without a word is 1006', async (t) => {
  const { peer, told } = await pair(t);
  peer.socket.end();
  assert.deepEqual(await told.next(), ['closed', 1006, '']);
  assert.deepEqual(await peer.told.next(), ['end']);
});

test('7.1.5: a connection that is reset is 1006', async (t) => {
  const { peer, told } = await pair(t);
  peer.socket.resetAndDestroy();
  assert.deepEqual(await told.next(), ['closed', 1006, '']);
});

test('7.1.5: a close encodeFrame that never comes whole is 1006', async (t) => {
  const { peer, told } = await pair(t);
  peer.send(GOODBYE.subarray(0, -1)).socket.end();
  assert.deepEqual(await told.next(), ['closed', 1006, '']);
});

test('a close encodeFrame waits its turn behind what is being sent, and so does hanging up', async (t) => {
  const { port, peer, told } = await deafPair(t);
  peer.send(GOODBYE);
  await until(() => port.bytesReceived === GOODBYE.length, 'the close encodeFrame is read');
  peer.socket.resume();
  const frames = await peer.told.take(4);
  assert.deepEqual(
    frames.map(([what, detail]) => [what, String(detail).length]),
    [
      ['text', LARGE.length],
      ['text', LARGE.length],
      ['closing', 4],
      ['end', 9],
    ],
  );
  assert.deepEqual(await told.next(), ['closed', 1000, 'bye']);
});

test('a client that has sent its last byte still gets what waits, whatever is sent later', async (t) => {
  const { port, peer, socket, told } = await deafPair(t);
  peer.socket.end();
  await until(() => socket.writableEnded, 'the server is hanging up');
  port.sendText('too late');
  peer.socket.resume();
  const frames = await peer.told.take(3);
  assert.deepEqual(
    frames.map(([what]) => what),
    ['text', 'text', 'end'],
  );
  assert.deepEqual(await told.next(), ['closed', 1006, '']);
});

for (const [what, last] of [
  ['said goodbye', GOODBYE],
  ['hung up', undefined],
] as const) {
  test(`a client that has ${what} and takes nothing of what waits is given up`, async (t) => {
    const { port, peer, socket, told } = await pair(t, { writeTimeout: 100 });
    peer.socket.pause();
    // Enough for the system to take no more, but not so much that `write` asks to wait.
    await fill(port, socket);
    if (last === undefined) peer.socket.end();
    else peer.send(last);
    assert.deepEqual(await told.next(), ['stalled']);
    port.abort();
    assert.equal((await told.next())[0], 'closed');
  });
}

// 7.1.7: faults

const TOO_LONG = encodeFrame(OPCODE.text, '', { declaredLength: 1_000_001 });

for (const [what, bytes, fault] of [
  ['a reserved bit', encodeFrame(FIN | 0x40 | OPCODE.text), 'invalidFrame'],
  ['no UTF-8', encodeFrame(OPCODE.text, Buffer.from([0xff])), 'invalidUtf8'],
  ['too long a message', TOO_LONG, 'messageTooLarge'],
] as const) {
  const { code, reason } = CLOSE_REASONS[fault];
  test(`7.1.7: ${what} is answered by ${code}, and nothing that follows is read`, async (t) => {
    const { peer, told } = await pair(t);
    peer.send(bytes, HELLO, GOODBYE);
    assert.deepEqual(await peer.told.next(), ['closing', code, reason]);
    peer.socket.end();
    assert.deepEqual(await told.take(2), [
      ['refused', fault],
      ['closed', code, reason],
    ]);
  });
}

test('a client that says goodbye once it is refused is hung up on', async (t) => {
  const { port, peer, told } = await pair(t);
  port.fail('invalidJson');
  const { code, reason } = CLOSE_REASONS.invalidJson;
  assert.deepEqual(await peer.told.next(), ['closing', code, reason]);
  peer.send(GOODBYE);
  assert.deepEqual(await peer.told.next(), ['end']);
  assert.deepEqual(await told.take(2), [
    ['refused', 'invalidJson'],
    ['closed', 1000, 'bye'],
  ]);
});

test('7.1.7: a client that does not hang up after a fault is hung up on within seconds', async (t) => {
  const { peer, told } = await pair(t);
  peer.send(encodeFrame(3));
  const { code, reason } = CLOSE_REASONS.invalidFrame;
  assert.deepEqual(await peer.told.next(), ['closing', code, reason]);
  assert.deepEqual(await told.take(2), [
    ['refused', 'invalidFrame'],
    ['closed', code, reason],
  ]);
  assert.equal(told.size, 0);
});

test('7.1.7: a fault after our close encodeFrame is answered by none', async (t) => {
  const { port, peer, told } = await pair(t);
  port.close(3000, '');
  peer.send(encodeFrame(3)).socket.end();
  assert.deepEqual(await peer.told.take(2), [['closing', 3000, ''], ['end']]);
  assert.deepEqual(await told.next(), ['closed', 1006, '']);
});

// 5.5.2, 5.5.3: pings

test('5.5.2, 5.5.3: every ping is answered by a pong with the same content', async (t) => {
  const { peer } = await pair(t);
  const contents = ['', 'a', 'x'.repeat(125)];
  peer.send(...contents.map((content) => encodeFrame(OPCODE.ping, content)));
  assert.deepEqual(
    await peer.told.take(3),
    contents.map((content) => ['pong', Buffer.from(content).toString('hex')]),
  );
});

test('pings without end whose pongs nobody reads take no room', async (t) => {
  const { port, peer } = await deafPair(t);
  const before = port.bufferedBytes;
  const pings = Buffer.concat(
    Array.from({ length: 10_000 }, () => encodeFrame(OPCODE.ping, 'x'.repeat(99))),
  );
  peer.send(pings);
  await until(() => port.bytesReceived === pings.length, 'all pings are read');
  assert.ok(port.bufferedBytes <= before);
});

// Pausing

test('a port that is paused finishes its chunk, and reads no other', async (t) => {
  const { port, peer, told } = await pair(t);
  port.pause();
  peer.send(HELLO);
  port.resume();
  assert.deepEqual(await told.next(), ['text', 'Hello']);
  port.pause();
  const before = port.bytesReceived ?? 0;
  for (let count = 0; count < 50; count += 1) peer.send(encodeFrame(OPCODE.binary, Buffer.alloc(100_000)));
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  assert.equal(told.size, 0);
  assert.ok((port.bytesReceived ?? 0) - before <= 200_000);
  port.resume();
  assert.equal((await told.take(50)).length, 50);
});

// What waits

test('a client that takes everything again is told of as drained', async (t) => {
  const { port, peer, told } = await deafPair(t);
  assert.ok(port.bufferedBytes > 0);
  peer.socket.resume();
  assert.deepEqual(await told.next(), ['drained']);
  assert.equal(port.bufferedBytes, 0);
  assert.equal(port.writable, true);
});

test('a client that takes nothing for writeTimeout has stalled', async (t) => {
  const { port, told } = await deafPair(t, { writeTimeout: 50 });
  assert.deepEqual(await told.next(), ['stalled']);
  port.abort();
  assert.deepEqual(await told.next(), ['closed', 1006, '']);
});

test('after abort nothing is sent, and what comes says nothing', async (t) => {
  const { port, peer, told } = await pair(t);
  port.abort();
  port.sendText('late');
  port.close(3000, '');
  peer.send(HELLO);
  assert.deepEqual(await told.next(), ['closed', 1006, '']);
});

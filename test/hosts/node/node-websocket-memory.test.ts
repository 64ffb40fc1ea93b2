/** Incomplete messages of WebSockets are counted in the backlog, and refused where too much waits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pair } from './port.ts';
import { OPCODE, encodeClose, encodeFrame } from '../../../testkit/websocket-frames.ts';
import { until } from '../../../testkit/until.ts';

const HELLO = encodeFrame(OPCODE.text, 'Hello');
const GOODBYE = encodeFrame(OPCODE.close, encodeClose(1000, 'bye'));

test('an incomplete message is in the backlog until it is complete', async (t) => {
  const { peer, told, budget } = await pair(t);
  peer.send(encodeFrame(OPCODE.text, 'abc', { fin: false }));
  await until(() => budget.bytes === 3, 'it is counted');
  peer.send(encodeFrame(OPCODE.continuation, 'd'));
  assert.deepEqual(await told.next(), ['text', 'abcd']);
  await until(() => budget.bytes === 0, 'it is counted no more');
});

for (const [what, end] of [
  ['a reset', undefined],
  ['a close frame', GOODBYE],
  ['a fault', encodeFrame(3)],
] as const) {
  test(`the backlog is what it was after ${what} within a message, and never less`, async (t) => {
    const { peer, told, budget } = await pair(t);
    peer.send(encodeFrame(OPCODE.text, 'abc', { fin: false }));
    await until(() => budget.bytes === 3, 'it is counted');
    if (end === undefined) peer.socket.resetAndDestroy();
    else peer.send(end).socket.end();
    while ((await told.next())[0] !== 'closed');
    assert.equal(budget.bytes, 0);
  });
}

test('an incomplete message that is too much for the backlog closes with 1013', async (t) => {
  const { peer, told, budget } = await pair(t, { maxTotalBufferedBytes: 10, highWaterMark: 10 });
  peer.send(encodeFrame(OPCODE.text, '0123456789', { fin: false }));
  await until(() => budget.bytes === 10, 'it is counted');
  peer.send(encodeFrame(OPCODE.continuation, 'x').subarray(0, -1), Buffer.from('x'));
  assert.equal((await told.next())[0], 'text');
  peer.send(encodeFrame(OPCODE.text, 'x'.repeat(11), { fin: false }));
  assert.deepEqual(await peer.told.next(), ['closing', 1013, 'Server is out of buffer memory']);
  peer.send(HELLO).socket.end();
  assert.deepEqual(await told.next(), ['refused', 'memoryLimit']);
  assert.equal(budget.bytes, 0);
});

test('a short message waits for its rest also where too much waits', async (t) => {
  const { peer, told, budget } = await pair(t, { maxTotalBufferedBytes: 10, highWaterMark: 20 });
  peer.send(encodeFrame(OPCODE.text, 'x'.repeat(20), { fin: false }));
  await until(() => budget.bytes === 20, 'it is counted');
  peer.send(encodeFrame(OPCODE.continuation, ''));
  assert.deepEqual(await told.next(), ['text', 'x'.repeat(20)]);
});

test('a message that is not complete within bodyTimeout closes with 1008', async (t) => {
  const { peer, told, budget } = await pair(t, { bodyTimeout: 50 });
  peer.send(encodeFrame(OPCODE.text, 'abc', { fin: false }));
  assert.deepEqual(await peer.told.next(), ['closing', 1008, 'Message took too long']);
  peer.socket.end();
  assert.deepEqual(await told.next(), ['refused', 'messageTimeout']);
  assert.equal(budget.bytes, 0);
});

test('each message has its own time, however many are cut by chunks', async (t) => {
  const { peer, told, budget } = await pair(t, { bodyTimeout: 300 });
  const whole = encodeFrame(OPCODE.text, 'one of many');
  peer.send(whole.subarray(0, 8));
  const begin = performance.now();
  while (performance.now() - begin < 700) {
    peer.send(whole.subarray(8), whole.subarray(0, 8));
    assert.deepEqual(await told.next(), ['text', 'one of many']);
    await until(() => budget.bytes === 2, 'the next has begun');
  }
  peer.send(whole.subarray(8));
  assert.deepEqual(await told.next(), ['text', 'one of many']);
});

test('the time in which we do not read does not count', async (t) => {
  const { peer, told, port, budget } = await pair(t, { bodyTimeout: 50 });
  peer.send(encodeFrame(OPCODE.text, 'abc', { fin: false }));
  await until(() => budget.bytes === 3, 'it is counted');
  port.pause();
  peer.send(encodeFrame(OPCODE.continuation, 'd'));
  await new Promise((resolve) => {
    setTimeout(resolve, 200);
  });
  assert.equal(told.size, 0);
  port.resume();
  assert.deepEqual(await told.next(), ['text', 'abcd']);
});

test('a goodbye within a message that is too much for the backlog is still a goodbye', async (t) => {
  const { peer, told } = await pair(t, { maxTotalBufferedBytes: 10 });
  peer.send(encodeFrame(OPCODE.text, 'x'.repeat(11), { fin: false }), GOODBYE);
  assert.deepEqual(await peer.told.next(), ['closing', 1000, 'bye']);
  assert.deepEqual(await told.next(), ['closed', 1000, 'bye']);
});

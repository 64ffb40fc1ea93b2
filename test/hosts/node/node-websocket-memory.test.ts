/** Incomplete messages count towards `maxTotalBufferedBytes`, and have to be complete within `bodyTimeout`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELLO } from '../../websocket/frame-recorder.ts';
import { webSocketPair } from './websocket-pair.ts';
import { OPCODE, encodeClose, encodeFrame } from '../../../testkit/websocket-frames.ts';
import { until } from '../../../testkit/until.ts';

const FRAGMENT = { fin: false } as const;
const CLOSE_FRAME = encodeFrame(OPCODE.close, encodeClose(1000, 'bye'));

test('a message counts towards the memory budget until it is complete', async (t) => {
  const { client, events, budget } = await webSocketPair(t);
  client.send(encodeFrame(OPCODE.text, 'abc', FRAGMENT));
  await until(() => budget.bytes === 3, 'the message to be counted');
  client.send(encodeFrame(OPCODE.continuation, 'd'));
  assert.deepEqual(await events.next(), ['text', 'abcd']);
  await until(() => budget.bytes === 0, 'the budget to be empty');
});

for (const [end, bytes] of [
  ['a reset', undefined],
  ['a close frame', CLOSE_FRAME],
  ['an invalid frame', encodeFrame(3)],
] as const) {
  test(`the budget is empty after ${end} within a message, and never negative`, async (t) => {
    const { client, events, budget } = await webSocketPair(t);
    client.send(encodeFrame(OPCODE.text, 'abc', FRAGMENT));
    await until(() => budget.bytes === 3, 'the message to be counted');
    if (bytes === undefined) client.raw.abort();
    else client.send(bytes).raw.end();
    while ((await events.next())[0] !== 'closed');
    assert.equal(budget.bytes, 0);
  });
}

test('an incomplete message beyond the budget closes with 1013', async (t) => {
  const { client, events, budget } = await webSocketPair(t, {
    maxTotalBufferedBytes: 10,
    highWaterMark: 10,
  });
  client.send(encodeFrame(OPCODE.text, '0123456789', FRAGMENT));
  await until(() => budget.bytes === 10, 'the message to be counted');
  client.send(encodeFrame(OPCODE.continuation, 'x').subarray(0, -1), Buffer.from('x'));
  assert.equal((await events.next())[0], 'text');
  client.send(encodeFrame(OPCODE.text, 'x'.repeat(11), FRAGMENT));
  assert.deepEqual(await client.events.next(), ['close', 1013, 'Server is out of buffer memory']);
  client.send(HELLO).raw.end();
  assert.deepEqual(await events.next(), ['fault', 'memoryLimit']);
  assert.equal(budget.bytes, 0);
});

test('a message up to highWaterMark is completed although the budget is used up', async (t) => {
  const { client, events, budget } = await webSocketPair(t, {
    maxTotalBufferedBytes: 10,
    highWaterMark: 20,
  });
  client.send(encodeFrame(OPCODE.text, 'x'.repeat(20), FRAGMENT));
  await until(() => budget.bytes === 20, 'the message to be counted');
  client.send(encodeFrame(OPCODE.continuation, ''));
  assert.deepEqual(await events.next(), ['text', 'x'.repeat(20)]);
});

test('a message that is not complete within bodyTimeout closes with 1008', async (t) => {
  const { client, events, budget } = await webSocketPair(t, { bodyTimeout: 50 });
  client.send(encodeFrame(OPCODE.text, 'abc', FRAGMENT));
  assert.deepEqual(await client.events.next(), ['close', 1008, 'Message took too long']);
  client.raw.end();
  assert.deepEqual(await events.next(), ['fault', 'messageTimeout']);
  assert.equal(budget.bytes, 0);
});

test('each message has the whole bodyTimeout, however many are split between chunks', async (t) => {
  const { client, events, budget } = await webSocketPair(t, { bodyTimeout: 300 });
  const whole = encodeFrame(OPCODE.text, 'one of many');
  client.send(whole.subarray(0, 8));
  const begin = performance.now();
  while (performance.now() - begin < 700) {
    client.send(whole.subarray(8), whole.subarray(0, 8));
    assert.deepEqual(await events.next(), ['text', 'one of many']);
    await until(() => budget.bytes === 2, 'the next message to begin');
  }
  client.send(whole.subarray(8));
  assert.deepEqual(await events.next(), ['text', 'one of many']);
});

test('the time in which the WebSocket is paused does not count', async (t) => {
  const { client, events, webSocket, budget } = await webSocketPair(t, { bodyTimeout: 50 });
  client.send(encodeFrame(OPCODE.text, 'abc', FRAGMENT));
  await until(() => budget.bytes === 3, 'the message to be counted');
  webSocket.pause();
  client.send(encodeFrame(OPCODE.continuation, 'd'));
  await new Promise((resolve) => {
    setTimeout(resolve, 200);
  });
  assert.equal(events.size, 0);
  webSocket.resume();
  assert.deepEqual(await events.next(), ['text', 'abcd']);
});

test('a close frame after an incomplete message beyond the budget closes with its code', async (t) => {
  const { client, events } = await webSocketPair(t, { maxTotalBufferedBytes: 10 });
  client.send(encodeFrame(OPCODE.text, 'x'.repeat(11), FRAGMENT), CLOSE_FRAME);
  assert.deepEqual(await client.events.next(), ['close', 1000, 'bye']);
  assert.deepEqual(await events.next(), ['closed', 1000, 'bye']);
});

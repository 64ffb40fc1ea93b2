/** Compressed messages on a real socket: their order, the time they may take, and what waits meanwhile. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HostSettings } from '../../../src/http/exchange.ts';
import { MAX_COMPRESSED_BYTES } from '../../../src/websocket/message-compressor.ts';
import { until } from '../../../testkit/until.ts';
import {
  COMPRESSED,
  OPCODE,
  deflate,
  encodeClose,
  encodeFrame,
} from '../../../testkit/websocket-frames.ts';
import { HELLO } from '../../websocket/frame-recorder.ts';
import { webSocketPair } from './websocket-pair.ts';

const COMPRESSION = { compression: { threshold: 10 } } as const;
const CLOSE_FRAME = encodeFrame(OPCODE.close, encodeClose(1000, 'bye'));

function compressed(message: string | Uint8Array): Buffer {
  return encodeFrame(OPCODE.text, deflate(message), COMPRESSED);
}

/** A pair whose server takes a time for each message: blocks the event loop, as JSON and handlers do. */
async function slowPair(
  t: TestContext,
  milliseconds: number,
  settings: Partial<HostSettings> = {},
) {
  const pair = await webSocketPair(t, { ...COMPRESSION, ...settings });
  const onText = pair.listener.onText.bind(pair.listener);
  pair.listener.onText = (text: string): void => {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
    onText(text);
  };
  return pair;
}

test('messages from the threshold on are compressed, in either form', async (t) => {
  const { client, webSocket } = await webSocketPair(t, COMPRESSION);
  const long = 'x'.repeat(100_000);
  webSocket.sendText('x'.repeat(9));
  webSocket.sendText('x'.repeat(10));
  webSocket.sendText('abcdefghij'); // Compression would not shorten it.
  webSocket.sendText([Buffer.from(long)]);
  webSocket.sendText([Buffer.from('x'.repeat(9))]);
  webSocket.sendBinary(Buffer.alloc(9, 'x'));
  webSocket.sendBinary(Buffer.alloc(10, 'x'));
  webSocket.ping('h'.repeat(50));
  webSocket.close(1000, 'x'.repeat(100));
  assert.deepEqual(await client.events.take(10), [
    ['text', 'x'.repeat(9)],
    ['compressed', 'x'.repeat(10)],
    ['text', 'abcdefghij'],
    ['compressed', long],
    ['text', 'x'.repeat(9)],
    ['binary', '78'.repeat(9)],
    ['compressed', 'x'.repeat(10)],
    ['ping', ''],
    ['text', 'h'.repeat(50)],
    ['close', 1000, 'x'.repeat(100)],
  ]);
});

test('the length of a text is measured in bytes', async (t) => {
  const { client, webSocket } = await webSocketPair(t, { compression: { threshold: 40 } });
  webSocket.sendText('ö'.repeat(19));
  webSocket.sendText('ö'.repeat(20));
  assert.deepEqual(await client.events.take(2), [
    ['text', 'ö'.repeat(19)],
    ['compressed', 'ö'.repeat(20)],
  ]);
});

test('of the messages of one frame, those after 1 MiB are sent as they are', async (t) => {
  const { client, webSocket } = await webSocketPair(t, COMPRESSION);
  const long = Buffer.alloc(MAX_COMPRESSED_BYTES / 2, 'x');
  webSocket.cork();
  for (let count = 0; count < 3; count += 1) webSocket.sendBinary(long);
  webSocket.uncork();
  webSocket.sendBinary(long);
  webSocket.sendBinary(long);
  webSocket.sendBinary(long);
  webSocket.cork();
  webSocket.sendBinary(long);
  webSocket.uncork();
  const names = (await client.events.take(7)).map(([name]) => name);
  assert.deepEqual(names, [
    'compressed',
    'binary',
    'binary',
    'compressed',
    'compressed',
    'compressed',
    'compressed',
  ]);
});

test('many short messages of one frame are compressed until their time is up', async (t) => {
  const { client, webSocket } = await webSocketPair(t, COMPRESSION);
  webSocket.cork();
  for (let count = 0; count < 300; count += 1) webSocket.sendText(`${count}`.padEnd(20));
  webSocket.uncork();
  const names = (await client.events.take(300)).map(([name]) => name);
  const first = names.indexOf('text');
  assert.ok(first > 200 && first < 260, `${first} were compressed`);
  assert.ok(names.slice(first).every((name) => name === 'text'));
});

test('a client may compress, and both kinds of messages keep their order', async (t) => {
  const { client, events } = await webSocketPair(t, COMPRESSION);
  client.send(compressed('one'), HELLO, compressed('two'), HELLO, CLOSE_FRAME).raw.end();
  assert.deepEqual(await events.take(5), [
    ['text', 'one'],
    ['text', 'Hello'],
    ['text', 'two'],
    ['text', 'Hello'],
    ['closed', 1000, 'bye'],
  ]);
});

for (const [name, data, code] of [
  ['invalid', 'Hello', 1007],
  ['incomplete', deflate('Hello, hello').subarray(0, -1), 1007],
  ['too long', deflate('x'.repeat(1_000_001)), 1009],
  ['not UTF-8', deflate(Buffer.from([0xff])), 1007],
] as const) {
  test(`a compressed message that is ${name} closes with ${code}, after the messages before it`, async (t) => {
    const { client, events } = await webSocketPair(t, COMPRESSION);
    client.send(compressed('one'), encodeFrame(OPCODE.text, data, COMPRESSED), compressed('two'));
    const [message, [fault]] = [await events.next(), await events.next()];
    assert.deepEqual([message, fault], [['text', 'one'], 'fault']);
    const [close, closeCode] = await client.events.next();
    assert.deepEqual([close, closeCode], ['close', code]);
    client.raw.end();
    assert.equal((await events.next())[0], 'closed');
  });
}

test('the messages of one client wait while they take long, and other work runs between them', async (t) => {
  const { client, events } = await slowPair(t, 15);
  let turns = 0;
  const count = (): void => {
    turns += 1;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  const started = performance.now();
  client.send(...Array.from({ length: 10 }, (_, index) => compressed(`message ${index}`)));
  const messages = await events.take(10);
  const time = performance.now() - started;
  clearImmediate(immediate);
  assert.deepEqual(messages.at(-1), ['text', 'message 9']);
  // After each of the first nine, the client waits as long as the message has taken.
  assert.ok(time > 260, `took ${time} ms`);
  assert.ok(turns >= 9, `${turns} turns`);
});

test('two clients with long messages get their turns alternately', async (t) => {
  const [first, second] = [await slowPair(t, 12), await slowPair(t, 12)];
  const order: string[] = [];
  for (const [name, { listener }] of [
    ['first', first],
    ['second', second],
  ] as const) {
    const onText = listener.onText.bind(listener);
    listener.onText = (text: string): void => {
      order.push(name);
      onText(text);
    };
  }
  const messages = Array.from({ length: 6 }, (_, index) => compressed(`message ${index}`));
  first.client.send(...messages);
  await first.events.next();
  second.client.send(...messages);
  await Promise.all([first.events.take(5), second.events.take(6)]);
  assert.ok(order.indexOf('second') < order.lastIndexOf('first') - 1, order.join(' '));
});

test('while the listener accepts no input, no message is inflated and the socket is not read', async (t) => {
  const { client, events, webSocket, socket, listener } = await webSocketPair(t, COMPRESSION);
  const onText = listener.onText.bind(listener);
  listener.onText = (text: string): void => {
    if (text === 'pause') webSocket.pause();
    onText(text);
  };
  client.send(
    compressed('pause'),
    compressed('one'),
    HELLO,
    compressed('pause'),
    compressed('two'),
  );
  assert.deepEqual(await events.next(), ['text', 'pause']);
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  assert.deepEqual(events.drain(), []);
  assert.equal(socket.isPaused(), true);
  webSocket.resume();
  assert.deepEqual(await events.take(3), [
    ['text', 'one'],
    ['text', 'Hello'],
    ['text', 'pause'],
  ]);
  client.send(HELLO, CLOSE_FRAME).raw.end();
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  assert.deepEqual(events.drain(), []);
  webSocket.resume();
  assert.deepEqual(await events.take(3), [
    ['text', 'two'],
    ['text', 'Hello'],
    ['closed', 1000, 'bye'],
  ]);
});

test('after a fault that the listener finds, no message is inflated', async (t) => {
  const { client, events, webSocket, listener } = await webSocketPair(t, COMPRESSION);
  const onText = listener.onText.bind(listener);
  listener.onText = (text: string): void => {
    onText(text);
    webSocket.fail('invalidJson');
  };
  client.send(compressed('one'), HELLO, compressed('two'), CLOSE_FRAME).raw.end();
  assert.deepEqual(await events.take(3), [
    ['text', 'one'],
    ['fault', 'invalidJson'],
    ['closed', 1007, 'Broken JSON encoding.'],
  ]);
});

test('the time for a message does not run while it waits for its turn', async (t) => {
  const { client, events } = await slowPair(t, 100, { bodyTimeout: 20 });
  client.send(compressed('one'), compressed('two'), compressed('three'));
  assert.deepEqual(await events.take(3), [
    ['text', 'one'],
    ['text', 'two'],
    ['text', 'three'],
  ]);
});

test('a client whose message waits need not show that it is connected', async (t) => {
  const { client, events, webSocket, listener } = await webSocketPair(t, COMPRESSION);
  const onText = listener.onText.bind(listener);
  listener.onText = (text: string): void => {
    webSocket.pause();
    onText(text);
  };
  client.send(compressed('one'), compressed('two'));
  assert.deepEqual(await events.next(), ['text', 'one']);
  assert.equal(webSocket.bytesReceived, undefined);
  webSocket.resume();
  assert.deepEqual(await events.next(), ['text', 'two']);
  assert.equal(typeof webSocket.bytesReceived, 'number');
});

test('the end of the connection waits for the messages before it', async (t) => {
  const { client, events } = await slowPair(t, 12);
  client.send(compressed('one'), compressed('two'), compressed('three')).raw.end();
  assert.deepEqual(await events.take(4), [
    ['text', 'one'],
    ['text', 'two'],
    ['text', 'three'],
    ['closed', 1006, ''],
  ]);
});

test('a connection that is lost or aborted drops the messages that wait', async (t) => {
  for (const end of ['lost', 'aborted'] as const) {
    const { client, events, webSocket, budget } = await slowPair(t, 12);
    client.send(...Array.from({ length: 20 }, (_, index) => compressed(`message ${index}`)));
    assert.deepEqual(await events.next(), ['text', 'message 0']);
    assert.ok(budget.bytes > 0);
    if (end === 'lost') client.raw.abort();
    else webSocket.abort();
    let event = await events.next();
    while (event[0] === 'text') event = await events.next();
    assert.deepEqual(event, ['closed', 1006, '']);
    assert.equal(budget.bytes, 0);
  }
});

test('input that waits counts towards the memory budget, and is dropped with 1013 beyond it', async (t) => {
  const limits = { maxTotalBufferedBytes: 200, highWaterMark: 1 };
  const { client, events, webSocket, budget } = await webSocketPair(t, {
    ...COMPRESSION,
    ...limits,
  });
  webSocket.pause();
  webSocket.resume();
  client.send(compressed('one'), compressed('two'), HELLO);
  assert.equal((await events.take(3)).length, 3);
  await until(() => budget.bytes === 0, 'the budget to be empty');
  client.send(compressed('one'), ...Array.from({ length: 20 }, () => HELLO));
  assert.deepEqual(await events.next(), ['fault', 'memoryLimit']);
  assert.deepEqual(await client.events.next(), ['close', 1013, 'Server is out of buffer memory']);
  client.raw.end();
  assert.deepEqual(await events.next(), ['closed', 1013, 'Server is out of buffer memory']);
  assert.equal(budget.bytes, 0);
});

test('fragments and pings between compressed messages count as frames without a message', async (t) => {
  const { client, events, listener } = await webSocketPair(t, COMPRESSION);
  const ping = encodeFrame(OPCODE.ping, 'p');
  client.send(compressed('one'), ping, compressed('two'), ping, HELLO);
  await events.take(3);
  await until(() => listener.frames === 2, 'the frames to be counted');
  assert.deepEqual(await client.events.next(), ['pong', '70']);
});

/** RFC 6455, 5.2, 5.5 and 5.6: frames that a server sends, read by `ws`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  PING_FRAME,
  encodeBinary,
  encodeClose,
  encodeCompressed,
  encodePingWithText,
  encodePong,
  encodeText,
  encodeTextHead,
} from '../../src/websocket/frame-encoder.ts';
import { WsReceiver } from './ws-receiver.ts';
import type { WsEvent } from './frame-recorder.ts';

/** The events of `ws` as a client. */
function readBack(bytes: Buffer): WsEvent[] {
  const reference = new WsReceiver(false);
  reference.push(Buffer.from(bytes));
  return reference.events;
}

const BORDERS = [0, 1, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537];
for (const length of BORDERS) {
  test(`5.2: ws reads our frames of ${length} bytes, and their heads have the shortest form`, () => {
    const text = 'x'.repeat(length);
    const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
    const data = Buffer.from(text);
    assert.deepEqual(readBack(encodeText(text)), [['text', text]]);
    assert.deepEqual(readBack(encodeBinary(data)), [['binary', data.toString('hex')]]);
    assert.equal(encodeText(text).length, head + length);
    assert.equal(encodeBinary(data).length, head + length);
  });
}

for (const unit of ['é', '€', '👋', '\ud83d', '\udc4b', '\ufffd', '\0']) {
  for (const length of [1, 41, 42, 62, 63, 125, 126, 16_384, 32_768, 65_535]) {
    const text = unit.repeat(length);
    test(`5.6: ws reads ${length} × ${JSON.stringify(unit)} as Node encodes it in UTF-8`, () => {
      assert.deepEqual(readBack(encodeText(text)), [['text', Buffer.from(text).toString('utf8')]]);
    });
  }
}

test('5.6: ws reads any text that we encode', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      assert.deepEqual(readBack(encodeText(text)), [['text', text]]);
    }),
    { numRuns: 500 },
  );
});

test('5.6: the frame of the last text is memoized', () => {
  const memoized = encodeText('short');
  assert.equal(encodeText('short'), memoized);
  assert.notEqual(encodeText('other'), memoized);
});

for (const length of BORDERS) {
  test(`5.2: ws reads a text of ${length} bytes after its head`, () => {
    const text = 'x'.repeat(length);
    const bytes = Buffer.concat([encodeTextHead(length), Buffer.from(text)]);
    assert.deepEqual(readBack(bytes), [['text', text]]);
    assert.deepEqual(bytes, encodeText(text));
  });
}

test('5.6: binary data is copied, so that a later change is not sent', () => {
  const data = Buffer.from('abc');
  const bytes = encodeBinary(data);
  data.fill('x');
  assert.deepEqual(readBack(bytes), [['binary', '616263']]);
});

for (const length of [0, 1, 124, 125]) {
  test(`5.5.3: ws reads a pong of ${length} bytes`, () => {
    const data = Buffer.alloc(length, 'p');
    assert.deepEqual(readBack(encodePong(data)), [['pong', data.toString('hex')]]);
  });
}

test('5.5.2: ws reads our ping', () => {
  assert.deepEqual(readBack(PING_FRAME), [['ping', '']]);
});

test('5.5.2: ws reads a heartbeat as a ping and a text', () => {
  const heartbeat = encodePingWithText('h');
  assert.deepEqual(readBack(heartbeat), [
    ['ping', ''],
    ['text', 'h'],
  ]);
  assert.equal(encodePingWithText('h'), heartbeat, 'it is memoized');
});

for (const [code, reason] of [
  [1000, ''],
  [1001, 'away'],
  [3000, 'Go away!'],
  [4999, 'tschüß 👋'],
  [1011, 'x'.repeat(123)],
] as const) {
  test(`5.5.1: ws reads our close frame with ${code} ${reason.slice(0, 10)}`, () => {
    assert.deepEqual(readBack(encodeClose(code, reason)), [['close', code, reason]]);
  });
}

test('7.4.1: 1005 is sent as a close frame without a code', () => {
  assert.equal(encodeClose(1005, '').length, 2);
  assert.deepEqual(readBack(encodeClose(1005, '')), [['close', 1005, '']]);
});

test('a frame with a compressed message has RSV1', () => {
  const data = Buffer.from('hello');
  assert.deepEqual(encodeCompressed(1, data), Buffer.concat([Buffer.from([0xc1, 5]), data]));
  assert.deepEqual(encodeCompressed(2, data), Buffer.concat([Buffer.from([0xc2, 5]), data]));
});

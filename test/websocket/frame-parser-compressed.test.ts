/** RFC 7692, sections 6 and 7.2: frames of compressed messages, with the frame parser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WsFrameParser } from '../../src/websocket/frame-parser.ts';
import {
  COMPRESSED,
  OPCODE,
  deflate,
  encodeClose,
  encodeFrame,
} from '../../testkit/websocket-frames.ts';
import {
  FrameRecorder,
  HELLO,
  MAX_MESSAGE_BYTES,
  errorEvent,
  splitBytes,
} from './frame-recorder.ts';

const { continuation, text, binary, close, ping, pong } = OPCODE;

function create(maxMessageBytes = MAX_MESSAGE_BYTES) {
  const recorder = new FrameRecorder();
  const parser = new WsFrameParser(maxMessageBytes, recorder, true);
  /** The events after these bytes, with all messages inflated at once. */
  const push = (bytes: Uint8Array) => {
    parser.push(Buffer.from(bytes));
    while (parser.isWaiting) parser.resume();
    return recorder.events;
  };
  return { parser, push, events: recorder.events };
}

function compressed(message: string | Uint8Array, opcode: number = text): Buffer {
  return encodeFrame(opcode, deflate(message), COMPRESSED);
}

/** The frames of a compressed message, each with one byte of it. */
function fragments(message: string): Buffer[] {
  const data = deflate(message);
  return Array.from(data, (_, at) =>
    encodeFrame(at === 0 ? text : continuation, data.subarray(at, at + 1), {
      fin: at === data.length - 1,
      rsv: at === 0 ? 4 : 0,
    }),
  );
}

test('6.1: a compressed text and a compressed binary message are delivered', () => {
  assert.deepEqual(create().push(compressed('Hello')), [['text', 'Hello']]);
  assert.deepEqual(create().push(compressed('ab', binary)), [['binary', '6162']]);
  assert.deepEqual(create().push(compressed('')), [['text', '']]);
});

test('6.1: each message may be compressed or not', () => {
  const stream = Buffer.concat([compressed('one'), HELLO, compressed('two'), HELLO]);
  const expected = ['one', 'Hello', 'two', 'Hello'].map((message) => ['text', message]);
  for (let size = 1; size <= stream.length; size += 1) {
    const { push, events } = create();
    for (const chunk of splitBytes(stream, size)) push(chunk);
    assert.deepEqual(events, expected, `in chunks of ${size}`);
  }
});

test('6.1: only the first fragment is marked, and control frames may be between fragments', () => {
  const [first = Buffer.alloc(0), ...rest] = fragments('Hello');
  const stream = Buffer.concat([first, encodeFrame(ping, 'p'), ...rest, encodeFrame(ping, 'q')]);
  for (let size = 1; size <= stream.length; size += 1) {
    const { push, events } = create();
    for (const chunk of splitBytes(stream, size)) push(chunk);
    assert.deepEqual(events, [
      ['ping', '70'],
      ['text', 'Hello'],
      ['ping', '71'],
    ]);
  }
});

test('7.2.3.1: the example in two fragments', () => {
  const stream = Buffer.concat([
    encodeFrame(text, Buffer.from('f248cd', 'hex'), { ...COMPRESSED, fin: false }),
    encodeFrame(continuation, Buffer.from('c9c90700', 'hex')),
  ]);
  assert.deepEqual(create().push(stream), [['text', 'Hello']]);
});

for (const [name, ...frames] of [
  [
    'a continuation',
    encodeFrame(text, 'a', { fin: false }),
    encodeFrame(continuation, 'b', COMPRESSED),
  ],
  [
    'a continuation of a compressed message',
    encodeFrame(text, deflate('a'), { ...COMPRESSED, fin: false }),
    encodeFrame(continuation, '\0', COMPRESSED),
  ],
  ['a continuation of nothing', encodeFrame(continuation, deflate('a'), COMPRESSED)],
  ['a ping', encodeFrame(ping, deflate('a'), COMPRESSED)],
  ['a pong', encodeFrame(pong, deflate('a'), COMPRESSED)],
  ['a close frame', encodeFrame(close, encodeClose(1000), COMPRESSED)],
  ['a reserved opcode', encodeFrame(3, deflate('a'), COMPRESSED)],
  ['a new message within another', encodeFrame(text, 'a', { fin: false }), compressed('a')],
] as const) {
  test(`6.1: RSV1 on ${name} is an error`, () => {
    assert.deepEqual(create().push(Buffer.concat([...frames, HELLO])), errorEvent(1002));
  });
}

for (const rsv of [1, 2, 3, 5, 6, 7]) {
  test(`RSV ${rsv} is an error, with compression too`, () => {
    const frame = encodeFrame(text, deflate('a'), { rsv });
    assert.deepEqual(create().push(Buffer.concat([frame, HELLO])), errorEvent(1002));
  });
}

test('7: RSV1 without negotiation is an error', () => {
  const recorder = new FrameRecorder();
  const parser = new WsFrameParser(MAX_MESSAGE_BYTES, recorder);
  parser.push(Buffer.concat([compressed('Hello'), HELLO]));
  assert.deepEqual(recorder.events, errorEvent(1002));
});

test('invalid and incomplete data end with 1007', () => {
  const data = deflate('Hello, hello, hello');
  const truncated = encodeFrame(text, data.subarray(0, -2), COMPRESSED);
  const invalid = encodeFrame(text, 'Hello', COMPRESSED);
  const none = encodeFrame(text, '', COMPRESSED);
  for (const frame of [truncated, invalid, none]) {
    assert.deepEqual(create().push(Buffer.concat([frame, HELLO])), errorEvent(1007));
  }
});

test('text is checked for UTF-8 after inflating, and binary data is not', () => {
  const bytes = Buffer.from('61ff', 'hex');
  assert.deepEqual(create().push(compressed(bytes)), errorEvent(1007));
  assert.deepEqual(create().push(compressed(bytes, binary)), [['binary', '61ff']]);
  assert.deepEqual(create().push(compressed('\ufffd')), [['text', '\ufffd']]);
});

test('the limit holds before and after inflating', () => {
  const long = 'x'.repeat(1000);
  assert.deepEqual(create(1000).push(compressed(long)), [['text', long]]);
  assert.deepEqual(create(999).push(compressed(long)), errorEvent(1009));
  assert.deepEqual(create(4).push(compressed('12345678')), errorEvent(1009));
  const declared = encodeFrame(text, '', { ...COMPRESSED, declaredLength: 1001 });
  assert.deepEqual(create(1000).push(declared), errorEvent(1009));
});

test('the parser waits after each compressed message, and delivers all in order', () => {
  const { parser, events } = create();
  const stream = [
    HELLO,
    compressed('one'),
    encodeFrame(ping, 'p'),
    HELLO,
    compressed('two'),
    HELLO,
  ];
  parser.push(Buffer.concat(stream));
  assert.deepEqual(events.splice(0), [['text', 'Hello']]);
  parser.push(Buffer.from(encodeFrame(close, encodeClose(1000))));
  assert.deepEqual(events, []);
  parser.resume();
  assert.deepEqual(events.splice(0), [
    ['text', 'one'],
    ['ping', '70'],
    ['text', 'Hello'],
  ]);
  parser.resume();
  assert.deepEqual(events.splice(0), [
    ['text', 'two'],
    ['text', 'Hello'],
    ['close', 1000, ''],
  ]);
  assert.equal(parser.isWaiting, false);
  parser.resume();
  assert.deepEqual(events, []);
});

test('input that waits counts as buffered until it is delivered', () => {
  const { parser } = create();
  const first = compressed('one');
  parser.push(Buffer.concat([first, HELLO, compressed('two')]));
  const payload = deflate('one').length;
  assert.equal(parser.bufferedBytes, payload + HELLO.length + compressed('two').length);
  parser.push(Buffer.from(HELLO));
  assert.equal(parser.bufferedBytes, payload + 2 * HELLO.length + compressed('two').length);
  parser.resume();
  assert.equal(parser.bufferedBytes, deflate('two').length + HELLO.length);
  parser.resume();
  assert.equal(parser.bufferedBytes, 0);
});

test('a parser that is stopped while a message waits drops it', () => {
  const { parser, events } = create();
  parser.push(Buffer.concat([compressed('one'), HELLO]));
  parser.stop();
  assert.equal(parser.isWaiting, false);
  assert.equal(parser.bufferedBytes, 0);
  parser.resume();
  parser.push(Buffer.from(HELLO));
  assert.deepEqual(events, []);
});

test('messages count once, when they are delivered', () => {
  const { parser } = create();
  parser.push(Buffer.concat([compressed('one'), HELLO]));
  assert.equal(parser.messages, 0);
  parser.resume();
  assert.equal(parser.messages, 2);
});

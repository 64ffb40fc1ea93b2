/** RFC 6455, 5.5 and 7.4: pings, pongs and close frames that a server receives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WsFrameParser } from '../../src/websocket/frame-parser.ts';
import {
  HELLO,
  MAX_MESSAGE_BYTES,
  FrameRecorder,
  errorEvent,
  splitBytes,
  parse,
} from './frame-recorder.ts';
import { OPCODE, encodeClose, encodeFrame } from '../../testkit/websocket-frames.ts';

// 5.5: control frames

for (const opcode of [OPCODE.close, OPCODE.ping, OPCODE.pong]) {
  test(`5.5: control frame ${opcode} has at most 125 bytes`, () => {
    const data =
      opcode === OPCODE.close ? encodeClose(1000, 'x'.repeat(123)) : Buffer.alloc(125, 'x');
    for (const chunks of [
      [encodeFrame(opcode, data)],
      splitBytes(encodeFrame(opcode, data), 1),
      splitBytes(encodeFrame(opcode, data), 50),
    ]) {
      const [event] = parse(chunks);
      if (opcode === OPCODE.close) assert.deepEqual(event, ['close', 1000, 'x'.repeat(123)]);
      else
        assert.deepEqual(
          event,
          opcode === OPCODE.ping ? ['ping', data.toString('hex')] : undefined,
        );
    }
    assert.deepEqual(parse([encodeFrame(opcode, Buffer.alloc(126))]), errorEvent(1002));
    for (const lengthForm of ['16 bit', '64 bit'] as const) {
      assert.deepEqual(parse([encodeFrame(opcode, 'xx', { lengthForm })]), errorEvent(1002));
    }
  });

  test(`5.5: a fragmented control frame ${opcode} is an error`, () => {
    assert.deepEqual(
      parse([encodeFrame(opcode, encodeClose(1000), { fin: false })]),
      errorEvent(1002),
    );
  });
}

test('5.5.2: each ping is reported with its payload', () => {
  const bytes = Buffer.concat([encodeFrame(OPCODE.ping), encodeFrame(OPCODE.ping, 'a'), HELLO]);
  assert.deepEqual(parse([bytes]), [
    ['ping', ''],
    ['ping', '61'],
    ['text', 'Hello'],
  ]);
});

test('5.5.3: an unsolicited pong is ignored', () => {
  assert.deepEqual(parse([encodeFrame(OPCODE.pong), encodeFrame(OPCODE.pong, 'x'), HELLO]), [
    ['text', 'Hello'],
  ]);
});

// 5.5.1, 7.4: close frames

test('5.5.1, 7.1.5: a close frame without a code is 1005', () => {
  assert.deepEqual(parse([encodeFrame(OPCODE.close)]), [['close', 1005, '']]);
});

test('5.5.1: a close frame of one byte is an error', () => {
  assert.deepEqual(parse([encodeFrame(OPCODE.close, Buffer.from([3]))]), errorEvent(1002));
});

const GIVEN = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
for (const code of [...GIVEN, 3000, 3999, 4000, 4999]) {
  test(`7.4: a client may close with ${code}`, () => {
    const events = parse([encodeFrame(OPCODE.close, encodeClose(code, 'so long'))]);
    assert.deepEqual(events, [['close', code, 'so long']]);
  });
}

// 1005, 1006 and 1015 stand for the lack of a code, and are never sent.
for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
  test(`7.4: a close frame with ${code} is an error`, () => {
    assert.deepEqual(parse([encodeFrame(OPCODE.close, encodeClose(code))]), errorEvent(1002));
    assert.deepEqual(parse([encodeFrame(OPCODE.close, encodeClose(code, 'x'))]), errorEvent(1002));
  });
}

test('5.5.1: a reason that is not UTF-8 is an error', () => {
  const events = parse([encodeFrame(OPCODE.close, encodeClose(1000, 'tschüß 👋'))]);
  assert.deepEqual(events, [['close', 1000, 'tschüß 👋']]);
  const bytes = encodeClose(1000, Buffer.from([0xff]));
  assert.deepEqual(parse([encodeFrame(OPCODE.close, bytes)]), errorEvent(1007));
});

for (const [end, last] of [
  ['a close frame', encodeFrame(OPCODE.close, encodeClose(1000))],
  ['an error', encodeFrame(3)],
] as const) {
  test(`5.5.1, 7.1.7: after ${end} nothing is reported, in the same chunk or later`, () => {
    const rest = [HELLO, encodeFrame(OPCODE.ping), encodeFrame(OPCODE.close), encodeFrame(3)];
    const events = parse([Buffer.concat([last, ...rest]), ...rest]);
    assert.equal(events.length, 1);
    assert.equal(parse(splitBytes(Buffer.concat([last, ...rest]), 1)).length, 1);
  });
}

test('a stopped parser reports nothing and buffers nothing', () => {
  const recorder = new FrameRecorder();
  const parser = new WsFrameParser(MAX_MESSAGE_BYTES, recorder);
  parser.push(encodeFrame(OPCODE.text, 'abc', { fin: false }));
  assert.equal(parser.bufferedBytes, 3);
  parser.stop();
  assert.equal(parser.bufferedBytes, 0);
  parser.push(encodeFrame(OPCODE.continuation, 'd'));
  assert.deepEqual(recorder.events, []);
});

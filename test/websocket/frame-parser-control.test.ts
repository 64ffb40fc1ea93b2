/** RFC 6455, 5.5 and 7.4: pings, pongs and close frames that a server receives. No socket. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WsFrameParser } from '../../src/websocket/frame-parser.ts';
import {
  CLOSE,
  FIN,
  HELLO,
  MOST,
  PING,
  PONG,
  Recorder,
  TEXT,
  closing,
  faultWith,
  frame,
  inPieces,
  toldOf,
} from './wire.ts';

// 5.5: control frames

for (const opcode of [CLOSE, PING, PONG]) {
  test(`5.5: control frame ${opcode} is at most 125 bytes long`, () => {
    const data = opcode === CLOSE ? closing(1000, 'x'.repeat(123)) : Buffer.alloc(125, 'x');
    for (const chunks of [
      [frame(FIN | opcode, data)],
      inPieces(frame(FIN | opcode, data), 1),
      inPieces(frame(FIN | opcode, data), 50),
    ]) {
      const [told] = toldOf(chunks);
      if (opcode === CLOSE) assert.deepEqual(told, ['closing', 1000, 'x'.repeat(123)]);
      else assert.deepEqual(told, opcode === PING ? ['ping', data.toString('hex')] : undefined);
    }
    assert.deepEqual(toldOf([frame(FIN | opcode, Buffer.alloc(126))]), faultWith(1002));
    for (const form of ['16 bit', '64 bit'] as const) {
      assert.deepEqual(toldOf([frame(FIN | opcode, 'xx', { form })]), faultWith(1002));
    }
  });

  test(`5.5: control frame ${opcode} is not fragmented`, () => {
    assert.deepEqual(toldOf([frame(opcode, closing(1000))]), faultWith(1002));
  });
}

test('5.5.2: pings are told one by one, with what they carry', () => {
  const bytes = Buffer.concat([frame(FIN | PING), frame(FIN | PING, 'a'), HELLO]);
  assert.deepEqual(toldOf([bytes]), [
    ['ping', ''],
    ['ping', '61'],
    ['text', 'Hello'],
  ]);
});

test('5.5.3: a pong that nobody asked for says nothing', () => {
  assert.deepEqual(toldOf([frame(FIN | PONG), frame(FIN | PONG, 'x'), HELLO]), [['text', 'Hello']]);
});

// 5.5.1, 7.4: closing

test('5.5.1, 7.1.5: a close frame without a code is 1005', () => {
  assert.deepEqual(toldOf([frame(FIN | CLOSE)]), [['closing', 1005, '']]);
});

test('5.5.1: a close frame of one byte is a fault', () => {
  assert.deepEqual(toldOf([frame(FIN | CLOSE, Buffer.from([3]))]), faultWith(1002));
});

const GIVEN = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
for (const code of [...GIVEN, 3000, 3999, 4000, 4999]) {
  test(`7.4: a client may close with ${code}`, () => {
    const told = toldOf([frame(FIN | CLOSE, closing(code, 'so long'))]);
    assert.deepEqual(told, [['closing', code, 'so long']]);
  });
}

// 1005, 1006 and 1015 stand for what was not said, and are never sent.
for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
  test(`7.4: closing with ${code} is a fault`, () => {
    assert.deepEqual(toldOf([frame(FIN | CLOSE, closing(code))]), faultWith(1002));
    assert.deepEqual(toldOf([frame(FIN | CLOSE, closing(code, 'x'))]), faultWith(1002));
  });
}

test('5.5.1: the reason is UTF-8', () => {
  const told = toldOf([frame(FIN | CLOSE, closing(1000, 'tschüß 👋'))]);
  assert.deepEqual(told, [['closing', 1000, 'tschüß 👋']]);
  const bytes = closing(1000, Buffer.from([0xff]));
  assert.deepEqual(toldOf([frame(FIN | CLOSE, bytes)]), faultWith(1007));
});

for (const [what, last] of [
  ['a close frame', frame(FIN | CLOSE, closing(1000))],
  ['a fault', frame(FIN | 3)],
] as const) {
  test(`5.5.1, 7.1.7: after ${what} nothing is told, in the same chunk or later`, () => {
    const rest = [HELLO, frame(FIN | PING), frame(FIN | CLOSE), frame(FIN | 3)];
    const told = toldOf([Buffer.concat([last, ...rest]), ...rest]);
    assert.equal(told.length, 1);
    assert.equal(toldOf(inPieces(Buffer.concat([last, ...rest]), 1)).length, 1);
  });
}

test('a reader that is stopped tells nothing, and holds nothing', () => {
  const recorder = new Recorder();
  const reader = new WsFrameParser(MOST, recorder);
  reader.push(frame(TEXT, 'abc'));
  assert.equal(reader.bufferedBytes, 3);
  reader.stop();
  assert.equal(reader.bufferedBytes, 0);
  reader.push(frame(FIN, 'd'));
  assert.deepEqual(recorder.told, []);
});

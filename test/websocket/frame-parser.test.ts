/** RFC 6455, 5.2 to 5.4, 8.1 and 10.4: what a server makes of the messages that it receives. No socket. */
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import { WsFrameParser } from '../../src/websocket/frame-parser.ts';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  FIN,
  HELLO,
  MASK,
  MOST,
  PING,
  PONG,
  Recorder,
  TEXT,
  faultWith,
  frame,
  inPieces,
  toldOf,
} from './wire.ts';

// 5.2: the head

test('5.7: the masked "Hello" of the examples', () => {
  const bytes = Buffer.from('818537fa213d7f9f4d5158', 'hex');
  assert.deepEqual(toldOf([bytes]), [['text', 'Hello']]);
});

test('5.7: the ping of the examples, masked', () => {
  assert.deepEqual(toldOf([frame(FIN | PING, 'Hello')]), [['ping', '48656c6c6f']]);
});

for (const bit of [0x40, 0x20, 0x10, 0x70]) {
  for (const opcode of [TEXT, BINARY, CLOSE, PING, PONG]) {
    test(`5.2: reserved bits ${bit} with opcode ${opcode} are a fault`, () => {
      assert.deepEqual(toldOf([frame(FIN | bit | opcode)]), faultWith(1002));
    });
  }
}

test('5.2: reserved bits in a continuation are a fault', () => {
  assert.deepEqual(toldOf([frame(TEXT, 'a'), frame(FIN | 0x40, 'b')]), faultWith(1002));
});

for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  test(`5.2: opcode ${opcode} is reserved, and a fault, final or not`, () => {
    assert.deepEqual(toldOf([frame(FIN | opcode)]), faultWith(1002));
    assert.deepEqual(toldOf([frame(opcode)]), faultWith(1002));
  });
}

for (const length of [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537]) {
  const data = Buffer.alloc(length, 'abc');
  for (const form of ['7 bit', '16 bit', '64 bit'] as const) {
    if ((form === '7 bit' && length > 125) || (form === '16 bit' && length > 65_535)) continue;
    // The RFC wants the shortest form, but says nothing of those who read; ws takes the others, so do we.
    test(`5.2: ${length} bytes, with a length of ${form}`, () => {
      const bytes = frame(FIN | BINARY, data, { form });
      assert.deepEqual(toldOf([bytes]), [['binary', data.toString('hex')]]);
    });
  }
}

for (const [what, announced] of [
  ['of 32 bits', 2n ** 32n],
  ['beyond 53 bits', 2n ** 53n + 1n],
  ['with the first bit set', 2n ** 63n],
  ['of ones', 2n ** 64n - 1n],
] as const) {
  test(`5.2: a length ${what} is too long, never short by rounding`, () => {
    assert.deepEqual(toldOf([frame(FIN | BINARY, 'x', { announced })]), faultWith(1009));
  });
}

test('5.2: all 64 bits of a length count', () => {
  const bytes = frame(FIN | BINARY, '', { announced: 2n ** 32n });
  assert.deepEqual(toldOf([bytes], 2 ** 32 - 1), faultWith(1009));
  assert.deepEqual(toldOf([bytes], 2 ** 32), []);
});

test('10.4: a message as long as allowed is taken, a longer one is a fault by its head alone', () => {
  const data = 'x'.repeat(200);
  assert.deepEqual(toldOf([frame(FIN | TEXT, data)], 200), [['text', data]]);
  const head = frame(FIN | TEXT, `${data}x`).subarray(0, 8);
  assert.deepEqual(toldOf([head], 200), faultWith(1009));
});

test('10.4: the limit is for all fragments together', () => {
  const parts = [frame(TEXT, 'abc'), frame(CONTINUATION, 'def')];
  assert.deepEqual(toldOf([...parts, frame(FIN, 'ghi')], 9), [['text', 'abcdefghi']]);
  assert.deepEqual(toldOf([...parts, frame(FIN, 'ghij')], 9), faultWith(1009));
  assert.deepEqual(toldOf([...parts, frame(CONTINUATION, 'ghij')], 9), faultWith(1009));
});

test('10.4: control frames do not count as part of the message around them', () => {
  const told = toldOf([frame(TEXT, 'abc'), frame(FIN | PING, 'xxxx'), frame(FIN, 'd')], 4);
  assert.deepEqual(told, [
    ['ping', '78787878'],
    ['text', 'abcd'],
  ]);
});

test('10.4: the next message has the whole limit again', () => {
  const two = [frame(TEXT, 'ab'), frame(FIN, 'cd'), frame(FIN | TEXT, 'efgh')];
  assert.deepEqual(toldOf(two, 4), [
    ['text', 'abcd'],
    ['text', 'efgh'],
  ]);
});

// 5.1, 5.3: masking

for (const opcode of [TEXT, BINARY, CLOSE, PING, PONG]) {
  test(`5.1: opcode ${opcode} without a mask is a fault`, () => {
    assert.deepEqual(toldOf([frame(FIN | opcode, '', { mask: false })]), faultWith(1002));
  });
}

for (const mask of [[0, 0, 0, 0], [255, 255, 255, 255], [1, 2, 3, 4], [0, 0, 0, 128], MASK]) {
  test(`5.3: the mask ${[...mask].join(' ')} is taken off`, () => {
    for (const length of [1, 5, 63, 64, 65, 500]) {
      const data = 'é'.repeat(length);
      const told = toldOf([frame(FIN | TEXT, data, { mask: Buffer.from(mask) })]);
      assert.deepEqual(told, [['text', data]]);
    }
  });
}

test('5.3: a mask is taken off at every place in memory, at lengths short and long', () => {
  for (let place = 0; place < 8; place += 1) {
    for (const length of [0, 1, 2, 3, 4, 5, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 127, 255]) {
      const data = Buffer.from(Array.from({ length }, (_, index) => index * 31));
      const bytes = frame(FIN | BINARY, data);
      const memory = Buffer.alloc(place + bytes.length + 8, 0xee);
      memory.set(bytes, place);
      const recorder = new Recorder();
      new WsFrameParser(MOST, recorder).push(memory.subarray(place, place + bytes.length));
      assert.deepEqual(recorder.told, [['binary', data.toString('hex')]]);
      const around = [...memory.subarray(0, place), ...memory.subarray(place + bytes.length)];
      assert.ok(around.every((byte) => byte === 0xee));
    }
  }
});

test('5.3: a mask goes on where a chunk ends, whatever of it has been used', () => {
  const data = Buffer.from(Array.from({ length: 300 }, (_, index) => index * 13));
  const bytes = frame(FIN | BINARY, data);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    const told = toldOf([bytes.subarray(0, cut), bytes.subarray(cut)]);
    assert.deepEqual(told, [['binary', data.toString('hex')]]);
  }
});

// 5.4: fragments

test('5.4: a message in fragments', () => {
  const parts = [frame(TEXT, 'a'), frame(CONTINUATION, 'b'), frame(FIN, 'c')];
  assert.deepEqual(toldOf(parts), [['text', 'abc']]);
  assert.deepEqual(toldOf([Buffer.concat(parts)]), [['text', 'abc']]);
});

test('5.4: fragments of bytes are bytes', () => {
  assert.deepEqual(toldOf([frame(BINARY, 'a'), frame(FIN, 'b')]), [['binary', '6162']]);
});

for (const parts of [
  ['', ''],
  ['', '', ''],
  ['a', ''],
  ['', 'a'],
  ['', 'a', '', 'b', ''],
]) {
  test(`5.4: fragments may be empty: ${JSON.stringify(parts)}`, () => {
    const frames = parts.map((part, index) =>
      frame((index === 0 ? TEXT : 0) | (index === parts.length - 1 ? FIN : 0), part),
    );
    assert.deepEqual(toldOf(frames), [['text', parts.join('')]]);
  });
}

test('5.4: control frames come between fragments, and are told at once', () => {
  const frames = [frame(TEXT, 'a'), frame(FIN | PING, 'p'), frame(FIN | PONG), frame(FIN, 'b')];
  for (const chunks of [frames, [Buffer.concat(frames)], inPieces(Buffer.concat(frames), 1)]) {
    assert.deepEqual(toldOf(chunks), [
      ['ping', '70'],
      ['text', 'ab'],
    ]);
  }
});

test('5.5.1: a close frame between fragments ends the message unsaid', () => {
  const recorder = new Recorder();
  const reader = new WsFrameParser(MOST, recorder);
  for (const bytes of [frame(TEXT, 'a'), frame(FIN | CLOSE), frame(FIN, 'b')]) reader.push(bytes);
  assert.deepEqual(recorder.told, [['closing', 1005, '']]);
  assert.equal(reader.bufferedBytes, 0);
});

for (const first of [FIN, CONTINUATION]) {
  test(`5.4: a continuation (${first}) of nothing is a fault`, () => {
    assert.deepEqual(toldOf([frame(first, 'a')]), faultWith(1002));
    assert.deepEqual(toldOf([HELLO, frame(first, 'a')]), [['text', 'Hello'], ...faultWith(1002)]);
    const whole = [frame(TEXT, 'a'), frame(FIN, 'b'), frame(first, 'c')];
    assert.deepEqual(toldOf(whole), [['text', 'ab'], ...faultWith(1002)]);
  });
}

for (const first of [FIN | TEXT, TEXT, FIN | BINARY, BINARY]) {
  test(`5.4: a new message (${first}) within another is a fault`, () => {
    assert.deepEqual(toldOf([frame(TEXT, 'a'), frame(first, 'b')]), faultWith(1002));
    assert.deepEqual(toldOf([frame(TEXT, ''), frame(first, 'b')]), faultWith(1002));
  });
}

// 8.1: UTF-8

const WRONG_UTF8 = ['80', 'c3', 'c328', 'c0af', 'e28280e2', 'eda080', 'edbfbf', 'f4908080'];
for (const hex of [...WRONG_UTF8, 'f5808080', 'f0808080', 'fe', 'ff', '61ff62', 'efbfbdff']) {
  test(`8.1: ${hex} is no text`, () => {
    const data = Buffer.from(hex, 'hex');
    assert.deepEqual(toldOf([frame(FIN | TEXT, data)]), faultWith(1007));
    assert.deepEqual(toldOf([frame(TEXT, data), frame(FIN)]), faultWith(1007));
    assert.deepEqual(toldOf(inPieces(frame(FIN | TEXT, data), 1)), faultWith(1007));
    assert.deepEqual(toldOf([frame(FIN | BINARY, data)]), [['binary', hex]]);
  });
}

const TEXTS = ['', '\0', '\ufffd', 'a\ufffdb', '\ufeffBOM', '\uffff', '\u{10ffff}', '𝒽é€👋'];
for (const text of [...TEXTS, 'x'.repeat(70), `${'é'.repeat(70)}\ufffd`]) {
  test(`8.1: ${JSON.stringify(text.slice(0, 9))} is text, wherever chunks and fragments end`, () => {
    const data = Buffer.from(text);
    const whole = frame(FIN | TEXT, data);
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const told = toldOf([whole.subarray(0, cut), whole.subarray(cut)]);
      assert.deepEqual(told, [['text', text]]);
    }
    for (let cut = 0; cut <= data.length; cut += 1) {
      const told = toldOf([frame(TEXT, data.subarray(0, cut)), frame(FIN, data.subarray(cut))]);
      assert.deepEqual(told, [['text', text]]);
    }
  });
}

test('8.1: of all sequences of two bytes those are text that Node calls UTF-8', () => {
  for (let pair = 0; pair < 65_536; pair += 1) {
    const data = Buffer.from([pair >> 8, pair & 0xff]);
    const [told] = toldOf([frame(FIN | TEXT, data)]);
    assert.equal(told?.[0] === 'text', isUtf8(data), data.toString('hex'));
  }
});

// What is kept

test('10.4: what is announced takes no room before it comes', () => {
  const reader = new WsFrameParser(MOST, new Recorder());
  reader.push(frame(FIN | TEXT, 'abc', { announced: MOST }));
  assert.equal(reader.bufferedBytes, 3);
});

test('10.4: fragments without bytes take no room, however many', () => {
  const reader = new WsFrameParser(MOST, new Recorder());
  reader.push(frame(TEXT));
  const many = Buffer.concat(Array.from({ length: 1000 }, () => frame(CONTINUATION)));
  for (let count = 0; count < 20; count += 1) reader.push(Buffer.from(many));
  assert.equal(reader.bufferedBytes, 0);
});

test('10.4: what is held is counted, through control frames and until the message is complete', () => {
  const reader = new WsFrameParser(MOST, new Recorder());
  const held = [frame(TEXT, 'ab'), frame(FIN | PING, 'xyz'), frame(0, 'c'), frame(FIN, 'd')].map(
    (bytes) => {
      reader.push(bytes);
      return reader.bufferedBytes;
    },
  );
  assert.deepEqual(held, [2, 2, 3, 0]);
});

test('a small part of a chunk that has to wait does not keep the chunk', () => {
  const recorder = new Recorder();
  const reader = new WsFrameParser(MOST, recorder);
  const next = frame(FIN | TEXT, 'next');
  // The end of a chunk is the beginning of a head, then a few bytes of a payload.
  for (const cut of [1, 2, 5, 8]) {
    const chunk = Buffer.concat([frame(FIN | PONG, 'x'.repeat(100)), next.subarray(0, cut)]);
    reader.push(chunk);
    chunk.fill(0xff);
    reader.push(Buffer.from(next.subarray(cut)));
  }
  assert.deepEqual(
    recorder.told,
    Array.from({ length: 4 }, () => ['text', 'next']),
  );
});

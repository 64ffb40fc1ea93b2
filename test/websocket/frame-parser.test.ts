/** RFC 6455, 5.2 to 5.4, 8.1 and 10.4: messages that a server receives. */
import assert from 'node:assert/strict';
import { constants, isUtf8 } from 'node:buffer';
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
import { DEFAULT_MASK, OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';

const FRAGMENT = { fin: false } as const;

// 5.2: the head

test('5.7: the masked "Hello" of the examples is a text', () => {
  const bytes = Buffer.from('818537fa213d7f9f4d5158', 'hex');
  assert.deepEqual(parse([bytes]), [['text', 'Hello']]);
});

test('5.7: the masked ping of the examples is a ping', () => {
  assert.deepEqual(parse([encodeFrame(OPCODE.ping, 'Hello')]), [['ping', '48656c6c6f']]);
});

for (const rsv of [4, 2, 1, 7]) {
  for (const opcode of [OPCODE.text, OPCODE.binary, OPCODE.close, OPCODE.ping, OPCODE.pong]) {
    test(`5.2: reserved bits ${rsv} with opcode ${opcode} are an error`, () => {
      assert.deepEqual(parse([encodeFrame(opcode, '', { rsv })]), errorEvent(1002));
    });
  }
}

test('5.2: reserved bits in a continuation are an error', () => {
  assert.deepEqual(
    parse([
      encodeFrame(OPCODE.text, 'a', FRAGMENT),
      encodeFrame(OPCODE.continuation, 'b', { rsv: 4 }),
    ]),
    errorEvent(1002),
  );
});

for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  test(`5.2: the reserved opcode ${opcode} is an error, final or not`, () => {
    assert.deepEqual(parse([encodeFrame(opcode)]), errorEvent(1002));
    assert.deepEqual(parse([encodeFrame(opcode, '', FRAGMENT)]), errorEvent(1002));
  });
}

for (const length of [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537]) {
  const data = Buffer.alloc(length, 'abc');
  for (const lengthForm of ['7 bit', '16 bit', '64 bit'] as const) {
    if ((lengthForm === '7 bit' && length > 125) || (lengthForm === '16 bit' && length > 65_535))
      continue;
    // The RFC requires the shortest form of senders and nothing of receivers. ws accepts all forms too.
    test(`5.2: a length of ${length} is accepted in the form of ${lengthForm}`, () => {
      const bytes = encodeFrame(OPCODE.binary, data, { lengthForm });
      assert.deepEqual(parse([bytes]), [['binary', data.toString('hex')]]);
    });
  }
}

for (const [length, declaredLength] of [
  ['of 32 bits', 2n ** 32n],
  ['beyond 53 bits', 2n ** 53n + 1n],
  ['with the first bit set', 2n ** 63n],
  ['of ones', 2n ** 64n - 1n],
] as const) {
  test(`5.2: a length ${length} is too long and not rounded`, () => {
    assert.deepEqual(
      parse([encodeFrame(OPCODE.binary, 'x', { declaredLength })]),
      errorEvent(1009),
    );
  });
}

test('5.2: all 64 bits of a length are read', () => {
  const bytes = encodeFrame(OPCODE.binary, '', { declaredLength: 2n ** 32n });
  assert.deepEqual(parse([bytes], 2 ** 32 - 1), errorEvent(1009));
});

test('a message is not longer than the longest string, whatever the limit is', () => {
  const longest = BigInt(constants.MAX_STRING_LENGTH);
  const accepted = encodeFrame(OPCODE.text, '', { declaredLength: longest });
  assert.deepEqual(parse([accepted], 2 ** 32), []);
  const tooLong = encodeFrame(OPCODE.text, '', { declaredLength: longest + 1n });
  assert.deepEqual(parse([tooLong], 2 ** 32), errorEvent(1009));
});

test('10.4: a message of the longest length is accepted, a longer one is an error after its head', () => {
  const data = 'x'.repeat(200);
  assert.deepEqual(parse([encodeFrame(OPCODE.text, data)], 200), [['text', data]]);
  const head = encodeFrame(OPCODE.text, `${data}x`).subarray(0, 8);
  assert.deepEqual(parse([head], 200), errorEvent(1009));
});

test('10.4: the limit holds for all fragments together', () => {
  const parts = [
    encodeFrame(OPCODE.text, 'abc', FRAGMENT),
    encodeFrame(OPCODE.continuation, 'def', FRAGMENT),
  ];
  assert.deepEqual(parse([...parts, encodeFrame(OPCODE.continuation, 'ghi')], 9), [
    ['text', 'abcdefghi'],
  ]);
  assert.deepEqual(
    parse([...parts, encodeFrame(OPCODE.continuation, 'ghij')], 9),
    errorEvent(1009),
  );
  assert.deepEqual(
    parse([...parts, encodeFrame(OPCODE.continuation, 'ghij', FRAGMENT)], 9),
    errorEvent(1009),
  );
});

test('10.4: control frames do not count towards the limit of the message around them', () => {
  const events = parse(
    [
      encodeFrame(OPCODE.text, 'abc', FRAGMENT),
      encodeFrame(OPCODE.ping, 'xxxx'),
      encodeFrame(OPCODE.continuation, 'd'),
    ],
    4,
  );
  assert.deepEqual(events, [
    ['ping', '78787878'],
    ['text', 'abcd'],
  ]);
});

test('10.4: each message has the whole limit', () => {
  const two = [
    encodeFrame(OPCODE.text, 'ab', FRAGMENT),
    encodeFrame(OPCODE.continuation, 'cd'),
    encodeFrame(OPCODE.text, 'efgh'),
  ];
  assert.deepEqual(parse(two, 4), [
    ['text', 'abcd'],
    ['text', 'efgh'],
  ]);
});

// 5.1, 5.3: masking

for (const opcode of [OPCODE.text, OPCODE.binary, OPCODE.close, OPCODE.ping, OPCODE.pong]) {
  test(`5.1: opcode ${opcode} without a mask is an error`, () => {
    assert.deepEqual(parse([encodeFrame(opcode, '', { mask: false })]), errorEvent(1002));
  });
}

for (const mask of [
  [0, 0, 0, 0],
  [255, 255, 255, 255],
  [1, 2, 3, 4],
  [0, 0, 0, 128],
  DEFAULT_MASK,
]) {
  test(`5.3: the mask ${[...mask].join(' ')} is removed`, () => {
    for (const length of [1, 5, 63, 64, 65, 500]) {
      const data = 'é'.repeat(length);
      const events = parse([encodeFrame(OPCODE.text, data, { mask: Buffer.from(mask) })]);
      assert.deepEqual(events, [['text', data]]);
    }
  });
}

test('5.3: a mask is removed at every alignment, and bytes around the frame stay as they are', () => {
  for (let offset = 0; offset < 8; offset += 1) {
    for (const length of [0, 1, 2, 3, 4, 5, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 127, 255]) {
      const data = Buffer.from(Array.from({ length }, (_, index) => index * 31));
      const bytes = encodeFrame(OPCODE.binary, data);
      const memory = Buffer.alloc(offset + bytes.length + 8, 0xee);
      memory.set(bytes, offset);
      const recorder = new FrameRecorder();
      new WsFrameParser(MAX_MESSAGE_BYTES, recorder).push(
        memory.subarray(offset, offset + bytes.length),
      );
      assert.deepEqual(recorder.events, [['binary', data.toString('hex')]]);
      const around = [...memory.subarray(0, offset), ...memory.subarray(offset + bytes.length)];
      assert.ok(around.every((byte) => byte === 0xee));
    }
  }
});

test('5.3: a mask continues in the next chunk at any of its bytes', () => {
  const data = Buffer.from(Array.from({ length: 300 }, (_, index) => index * 13));
  const bytes = encodeFrame(OPCODE.binary, data);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    const events = parse([bytes.subarray(0, cut), bytes.subarray(cut)]);
    assert.deepEqual(events, [['binary', data.toString('hex')]]);
  }
});

// 5.4: fragments

test('5.4: fragments are joined to one message', () => {
  const parts = [
    encodeFrame(OPCODE.text, 'a', FRAGMENT),
    encodeFrame(OPCODE.continuation, 'b', FRAGMENT),
    encodeFrame(OPCODE.continuation, 'c'),
  ];
  assert.deepEqual(parse(parts), [['text', 'abc']]);
  assert.deepEqual(parse([Buffer.concat(parts)]), [['text', 'abc']]);
});

test('5.4: binary fragments are joined to a binary message', () => {
  assert.deepEqual(
    parse([encodeFrame(OPCODE.binary, 'a', FRAGMENT), encodeFrame(OPCODE.continuation, 'b')]),
    [['binary', '6162']],
  );
});

for (const parts of [
  ['', ''],
  ['', '', ''],
  ['a', ''],
  ['', 'a'],
  ['', 'a', '', 'b', ''],
]) {
  test(`5.4: fragments may be empty, as in ${JSON.stringify(parts)}`, () => {
    const frames = parts.map((part, index) =>
      encodeFrame(index === 0 ? OPCODE.text : OPCODE.continuation, part, {
        fin: index === parts.length - 1,
      }),
    );
    assert.deepEqual(parse(frames), [['text', parts.join('')]]);
  });
}

test('5.4: control frames between fragments are reported at once', () => {
  const frames = [
    encodeFrame(OPCODE.text, 'a', FRAGMENT),
    encodeFrame(OPCODE.ping, 'p'),
    encodeFrame(OPCODE.pong),
    encodeFrame(OPCODE.continuation, 'b'),
  ];
  for (const chunks of [frames, [Buffer.concat(frames)], splitBytes(Buffer.concat(frames), 1)]) {
    assert.deepEqual(parse(chunks), [
      ['ping', '70'],
      ['text', 'ab'],
    ]);
  }
});

test('5.5.1: a close frame between fragments drops the incomplete message', () => {
  const recorder = new FrameRecorder();
  const parser = new WsFrameParser(MAX_MESSAGE_BYTES, recorder);
  for (const bytes of [
    encodeFrame(OPCODE.text, 'a', FRAGMENT),
    encodeFrame(OPCODE.close),
    encodeFrame(OPCODE.continuation, 'b'),
  ])
    parser.push(bytes);
  assert.deepEqual(recorder.events, [['close', 1005, '']]);
  assert.equal(parser.bufferedBytes, 0);
});

for (const fin of [true, false]) {
  test(`5.4: a continuation with fin ${fin} is an error without a message before it`, () => {
    assert.deepEqual(parse([encodeFrame(OPCODE.continuation, 'a', { fin })]), errorEvent(1002));
    assert.deepEqual(parse([HELLO, encodeFrame(OPCODE.continuation, 'a', { fin })]), [
      ['text', 'Hello'],
      ...errorEvent(1002),
    ]);
    const whole = [
      encodeFrame(OPCODE.text, 'a', FRAGMENT),
      encodeFrame(OPCODE.continuation, 'b'),
      encodeFrame(OPCODE.continuation, 'c', { fin }),
    ];
    assert.deepEqual(parse(whole), [['text', 'ab'], ...errorEvent(1002)]);
  });
}

for (const [opcode, fin] of [
  [OPCODE.text, true],
  [OPCODE.text, false],
  [OPCODE.binary, true],
  [OPCODE.binary, false],
] as const) {
  test(`5.4: a message of opcode ${opcode} with fin ${fin} within another is an error`, () => {
    assert.deepEqual(
      parse([encodeFrame(OPCODE.text, 'a', FRAGMENT), encodeFrame(opcode, 'b', { fin })]),
      errorEvent(1002),
    );
    assert.deepEqual(
      parse([encodeFrame(OPCODE.text, '', FRAGMENT), encodeFrame(opcode, 'b', { fin })]),
      errorEvent(1002),
    );
  });
}

// 8.1: UTF-8

const WRONG_UTF8 = ['80', 'c3', 'c328', 'c0af', 'e28280e2', 'eda080', 'edbfbf', 'f4908080'];
for (const hex of [...WRONG_UTF8, 'f5808080', 'f0808080', 'fe', 'ff', '61ff62', 'efbfbdff']) {
  test(`8.1: ${hex} is an error in a text`, () => {
    const data = Buffer.from(hex, 'hex');
    assert.deepEqual(parse([encodeFrame(OPCODE.text, data)]), errorEvent(1007));
    assert.deepEqual(
      parse([encodeFrame(OPCODE.text, data, FRAGMENT), encodeFrame(OPCODE.continuation)]),
      errorEvent(1007),
    );
    assert.deepEqual(parse(splitBytes(encodeFrame(OPCODE.text, data), 1)), errorEvent(1007));
    assert.deepEqual(parse([encodeFrame(OPCODE.binary, data)]), [['binary', hex]]);
  });
}

const TEXTS = ['', '\0', '\ufffd', 'a\ufffdb', '\ufeffBOM', '\uffff', '\u{10ffff}', '𝒽é€👋'];
for (const text of [...TEXTS, 'x'.repeat(70), `${'é'.repeat(70)}\ufffd`]) {
  test(`8.1: ${JSON.stringify(text.slice(0, 9))} is a text, wherever chunks and fragments end`, () => {
    const data = Buffer.from(text);
    const whole = encodeFrame(OPCODE.text, data);
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const events = parse([whole.subarray(0, cut), whole.subarray(cut)]);
      assert.deepEqual(events, [['text', text]]);
    }
    for (let cut = 0; cut <= data.length; cut += 1) {
      const events = parse([
        encodeFrame(OPCODE.text, data.subarray(0, cut), FRAGMENT),
        encodeFrame(OPCODE.continuation, data.subarray(cut)),
      ]);
      assert.deepEqual(events, [['text', text]]);
    }
  });
}

test('8.1: of all sequences of two bytes, those are texts that Node accepts as UTF-8', () => {
  for (let pair = 0; pair < 65_536; pair += 1) {
    const data = Buffer.from([pair >> 8, pair & 0xff]);
    const [event] = parse([encodeFrame(OPCODE.text, data)]);
    assert.equal(event?.[0] === 'text', isUtf8(data), data.toString('hex'));
  }
});

// Memory

test('10.4: a declared length reserves no memory before its bytes arrive', () => {
  const parser = new WsFrameParser(MAX_MESSAGE_BYTES, new FrameRecorder());
  parser.push(encodeFrame(OPCODE.text, 'abc', { declaredLength: MAX_MESSAGE_BYTES }));
  assert.equal(parser.bufferedBytes, 3);
});

test('10.4: empty fragments take no memory', () => {
  const parser = new WsFrameParser(MAX_MESSAGE_BYTES, new FrameRecorder());
  parser.push(encodeFrame(OPCODE.text, '', FRAGMENT));
  const many = Buffer.concat(
    Array.from({ length: 1000 }, () => encodeFrame(OPCODE.continuation, '', FRAGMENT)),
  );
  for (let count = 0; count < 20; count += 1) parser.push(Buffer.from(many));
  assert.equal(parser.bufferedBytes, 0);
});

test('10.4: buffered bytes are counted until the message is complete, without control frames', () => {
  const parser = new WsFrameParser(MAX_MESSAGE_BYTES, new FrameRecorder());
  const buffered = [
    encodeFrame(OPCODE.text, 'ab', FRAGMENT),
    encodeFrame(OPCODE.ping, 'xyz'),
    encodeFrame(OPCODE.continuation, 'c', FRAGMENT),
    encodeFrame(OPCODE.continuation, 'd'),
  ].map((bytes) => {
    parser.push(bytes);
    return parser.bufferedBytes;
  });
  assert.deepEqual(buffered, [2, 2, 3, 0]);
});

test('the incomplete end of a chunk is copied, so that it does not keep the chunk', () => {
  const recorder = new FrameRecorder();
  const parser = new WsFrameParser(MAX_MESSAGE_BYTES, recorder);
  const next = encodeFrame(OPCODE.text, 'next');
  // The chunk ends within a head, or after a few bytes of a payload.
  for (const cut of [1, 2, 5, 8]) {
    const chunk = Buffer.concat([encodeFrame(OPCODE.pong, 'x'.repeat(100)), next.subarray(0, cut)]);
    parser.push(chunk);
    chunk.fill(0xff);
    parser.push(Buffer.from(next.subarray(cut)));
  }
  assert.deepEqual(
    recorder.events,
    Array.from({ length: 4 }, () => ['text', 'next']),
  );
});

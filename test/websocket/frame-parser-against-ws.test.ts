/**
 * Compares our parser with that of `ws` on streams of valid and invalid frames. The two report an error at different
 * bytes: ours checks the first byte of a head alone and the rest after the mask; `ws` refuses a close frame of one
 * byte and a length beyond the limit before the mask. In the end both report the same.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { WsFrameParser } from '../../src/websocket/frame-parser.ts';
import { WsReceiver } from './ws-receiver.ts';
import { FrameRecorder, type WsEvent } from './frame-recorder.ts';
import {
  type FrameOptions,
  OPCODE,
  encodeClose,
  encodeFrame,
} from '../../testkit/websocket-frames.ts';

const MAX_MESSAGE_BYTES = 300;

const LENGTHS = fc.oneof(
  { weight: 8, arbitrary: fc.nat(20) },
  { weight: 3, arbitrary: fc.constantFrom(62, 63, 64, 65, 66, 67, 99, 100, 101) },
  { weight: 3, arbitrary: fc.constantFrom(124, 125, 126, 127, 128, 299, 300, 301) },
);
const UTF8 = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text));
const INVALID_UTF8 = fc
  .array(
    fc.constantFrom(0x61, 0x80, 0xbf, 0xc0, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xed, 0xf0, 0xf4, 0xff),
  )
  .map((bytes) => Buffer.from(bytes));
const ASCII = LENGTHS.map((length) => Buffer.alloc(length, 'plain'));
const PAYLOAD = fc.oneof(
  { weight: 6, arbitrary: ASCII },
  { weight: 4, arbitrary: UTF8 },
  { weight: 1, arbitrary: INVALID_UTF8 },
);
const CONTROL_PAYLOAD = PAYLOAD.map((data) => data.subarray(0, 125));
const MASKS = fc.uint8Array({ minLength: 4, maxLength: 4 });

const OPTIONS: fc.Arbitrary<FrameOptions> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ mask: MASKS }) },
  {
    weight: 1,
    arbitrary: fc.record({ mask: MASKS, lengthForm: fc.constantFrom('16 bit', '64 bit') }),
  },
);
const INVALID_OPTIONS: fc.Arbitrary<FrameOptions> = fc.oneof(
  fc.constant({ mask: false } as const),
  fc.record({ declaredLength: fc.oneof(fc.nat(400), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })) }),
);

/** A frame whose first byte, with the final bit, the reserved bits and the opcode, is any. */
function encodeWithFirst(first: number, data: Buffer, options: FrameOptions): Buffer {
  return encodeFrame(first & 0x0f, data, { ...options, fin: first >= 0x80, rsv: (first >> 4) & 7 });
}

const CODE = fc.oneof(
  fc.constantFrom(1000, 1001, 1003, 1004, 1005, 1006, 1007, 1011, 1014, 1015, 3000, 4999),
  fc.nat(65_535),
);
const CLOSE_FRAME = fc
  .tuple(fc.oneof(fc.tuple(CODE, CONTROL_PAYLOAD), fc.constantFrom('', '\x03')), MASKS)
  .map(([content, mask]) => {
    const data =
      typeof content === 'string' ? content : encodeClose(content[0], content[1].subarray(0, 123));
    return encodeFrame(OPCODE.close, data, { mask });
  });
const CONTROL_FRAME = fc
  .tuple(fc.constantFrom(OPCODE.ping, OPCODE.pong), CONTROL_PAYLOAD, MASKS)
  .map(([opcode, data, mask]) => encodeFrame(opcode, data, { mask }));

/** A text or binary message, fragmented anywhere, with control frames between the fragments. */
const MESSAGE = fc
  .tuple(
    fc.constantFrom(OPCODE.text, OPCODE.binary),
    PAYLOAD,
    fc.array(fc.tuple(fc.nat(40), OPTIONS, fc.option(CONTROL_FRAME, { freq: 3 })), {
      maxLength: 4,
    }),
    OPTIONS,
  )
  .map(([opcode, data, cuts, last]) => {
    const frames: Buffer[] = [];
    let at = 0;
    for (const [size, options, control] of cuts) {
      const first = frames.length === 0 ? opcode : OPCODE.continuation;
      frames.push(encodeFrame(first, data.subarray(at, at + size), { ...options, fin: false }));
      if (control !== null) frames.push(control);
      at += size;
    }
    const lastOpcode = frames.length === 0 ? opcode : OPCODE.continuation;
    return Buffer.concat([...frames, encodeFrame(lastOpcode, data.subarray(at), last)]);
  });
const INVALID = fc.oneof(
  fc
    .tuple(fc.nat(255), PAYLOAD, OPTIONS)
    .map(([first, ...parts]) => encodeWithFirst(first, ...parts)),
  fc
    .tuple(
      fc.constantFrom(OPCODE.text, OPCODE.continuation),
      fc.boolean(),
      PAYLOAD,
      INVALID_OPTIONS,
    )
    .map(([opcode, fin, data, options]) => encodeFrame(opcode, data, { ...options, fin })),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
);
const STREAM = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: MESSAGE },
      { weight: 4, arbitrary: CONTROL_FRAME },
      { weight: 1, arbitrary: CLOSE_FRAME },
      { weight: 1, arbitrary: INVALID },
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.concat(parts));
const SIZES = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 500 })),
  {
    minLength: 1,
    maxLength: 6,
  },
);

const FINAL_MESSAGE = encodeFrame(OPCODE.text, 'the final message');
/** A head has at most 14 bytes, and a close frame of one byte has 7. */
const MAX_HEAD_BYTES = 14;

function compare(stream: Buffer, sizes: readonly number[]): readonly WsEvent[] {
  const recorder = new FrameRecorder();
  const ours = new WsFrameParser(MAX_MESSAGE_BYTES, recorder);
  const reference = new WsReceiver(true, MAX_MESSAGE_BYTES);
  const push = (chunk: Buffer): void => {
    ours.push(Buffer.from(chunk));
    reference.push(Buffer.from(chunk));
  };
  // A parser that overlooks an error would report the final message.
  const bytes = Buffer.concat([stream, FINAL_MESSAGE]);
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    push(bytes.subarray(at, at + size));
    at += size;
  }
  for (let more = 0; more < MAX_HEAD_BYTES; more += 1) {
    if (recorder.events.length === reference.events.length) break;
    push(Buffer.alloc(1));
  }
  assert.deepEqual(recorder.events, reference.events);
  return recorder.events;
}

test('our parser and that of ws report the same for valid and invalid frames in any chunks', () => {
  const reported = new Set<unknown>();
  // A failure is printed with its seed, as small as it can be made.
  fc.assert(
    fc.property(STREAM, SIZES, (stream, sizes) => {
      for (const [name, code] of compare(stream, sizes)) {
        reported.add(name === 'error' ? code : name);
      }
    }),
    { numRuns: 4000, interruptAfterTimeLimit: 2500 },
  );
  for (const event of ['text', 'binary', 'ping', 'close', 1002, 1007, 1009]) {
    assert.ok(reported.has(event), `no stream had ${event}`);
  }
});

test('our parser and that of ws report the same for random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), SIZES, (bytes, sizes) => {
      compare(Buffer.from(bytes), sizes);
    }),
    { numRuns: 1000, interruptAfterTimeLimit: 500 },
  );
});

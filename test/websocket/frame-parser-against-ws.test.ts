/**
 * What our codec makes of streams of frames, right and wrong, is what `ws` makes of them. The two differ in when
 * a fault is seen, by a few bytes: we look at the first byte of a head alone, and at the rest once the mask is
 * there; `ws` knows that a close frame of one byte is wrong, and that a length is too long, before the mask.
 * What is seen in the end is the same.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { WsFrameParser } from '../../src/websocket/frame-parser.ts';
import { Reference } from './reference.ts';
import {
  BINARY,
  CLOSE,
  FIN,
  type FrameShape,
  PING,
  PONG,
  Recorder,
  TEXT,
  type Told,
  closing,
  frame,
} from './wire.ts';

const MOST = 300;

const LENGTHS = fc.oneof(
  { weight: 8, arbitrary: fc.nat(20) },
  { weight: 3, arbitrary: fc.constantFrom(62, 63, 64, 65, 66, 67, 99, 100, 101) },
  { weight: 3, arbitrary: fc.constantFrom(124, 125, 126, 127, 128, 299, 300, 301) },
);
const UTF8 = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text));
const ODD_UTF8 = fc
  .array(
    fc.constantFrom(0x61, 0x80, 0xbf, 0xc0, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xed, 0xf0, 0xf4, 0xff),
  )
  .map((bytes) => Buffer.from(bytes));
const PLAIN = LENGTHS.map((length) => Buffer.alloc(length, 'plain'));
const PAYLOAD = fc.oneof(
  { weight: 6, arbitrary: PLAIN },
  { weight: 4, arbitrary: UTF8 },
  { weight: 1, arbitrary: ODD_UTF8 },
);
const CONTROL_PAYLOAD = PAYLOAD.map((data) => data.subarray(0, 125));
const MASKS = fc.uint8Array({ minLength: 4, maxLength: 4 });

const SHAPE: fc.Arbitrary<FrameShape> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ mask: MASKS }) },
  {
    weight: 1,
    arbitrary: fc.record({ mask: MASKS, form: fc.constantFrom('16 bit', '64 bit') }),
  },
);
const WRONG_SHAPE: fc.Arbitrary<FrameShape> = fc.oneof(
  fc.constant({ mask: false } as const),
  fc.record({ announced: fc.oneof(fc.nat(400), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })) }),
);

const CODE = fc.oneof(
  fc.constantFrom(1000, 1001, 1003, 1004, 1005, 1006, 1007, 1011, 1014, 1015, 3000, 4999),
  fc.nat(65_535),
);
const CLOSE_FRAME = fc
  .tuple(fc.oneof(fc.tuple(CODE, CONTROL_PAYLOAD), fc.constantFrom('', '\x03')), MASKS)
  .map(([told, mask]) => {
    const data = typeof told === 'string' ? told : closing(told[0], told[1].subarray(0, 123));
    return frame(FIN | CLOSE, data, { mask });
  });
const CONTROL_FRAME = fc
  .tuple(fc.constantFrom(PING, PONG), CONTROL_PAYLOAD, MASKS)
  .map(([opcode, data, mask]) => frame(FIN | opcode, data, { mask }));

/** A text or bytes, cut into fragments anywhere, with control frames between them. */
const MESSAGE = fc
  .tuple(
    fc.constantFrom(TEXT, BINARY),
    PAYLOAD,
    fc.array(fc.tuple(fc.nat(40), SHAPE, fc.option(CONTROL_FRAME, { freq: 3 })), { maxLength: 4 }),
    SHAPE,
  )
  .map(([opcode, data, cuts, last]) => {
    const frames: Buffer[] = [];
    let at = 0;
    for (const [size, shape, control] of cuts) {
      frames.push(frame(frames.length === 0 ? opcode : 0, data.subarray(at, at + size), shape));
      if (control !== null) frames.push(control);
      at += size;
    }
    const first = FIN | (frames.length === 0 ? opcode : 0);
    return Buffer.concat([...frames, frame(first, data.subarray(at), last)]);
  });
const WRONG = fc.oneof(
  fc.tuple(fc.nat(255), PAYLOAD, SHAPE).map((parts) => frame(...parts)),
  fc
    .tuple(fc.constantFrom(FIN | TEXT, TEXT, FIN, 0), PAYLOAD, WRONG_SHAPE)
    .map((parts) => frame(...parts)),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
);
const STREAM = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: MESSAGE },
      { weight: 4, arbitrary: CONTROL_FRAME },
      { weight: 1, arbitrary: CLOSE_FRAME },
      { weight: 1, arbitrary: WRONG },
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

const LAST_WORD = frame(FIN | TEXT, 'the last word');
/** A head is at most fourteen bytes long, and a close frame of one byte has seven. */
const LONGEST_HEAD = 14;

function compare(stream: Buffer, sizes: readonly number[]): readonly Told[] {
  const recorder = new Recorder();
  const ours = new WsFrameParser(MOST, recorder);
  const reference = new Reference(true, MOST);
  const push = (chunk: Buffer): void => {
    ours.push(Buffer.from(chunk));
    reference.push(Buffer.from(chunk));
  };
  // A fault that one of them has overlooked would show here: it would go on.
  const bytes = Buffer.concat([stream, LAST_WORD]);
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    push(bytes.subarray(at, at + size));
    at += size;
  }
  for (let more = 0; more < LONGEST_HEAD; more += 1) {
    if (recorder.told.length === reference.told.length) break;
    push(Buffer.alloc(1));
  }
  assert.deepEqual(recorder.told, reference.told);
  return recorder.told;
}

test('streams of frames, right and wrong and cut anywhere, say to us what they say to ws', () => {
  const seen = new Set<unknown>();
  // What it finds it prints with the seed, made as small as it gets.
  fc.assert(
    fc.property(STREAM, SIZES, (stream, sizes) => {
      for (const [what, code] of compare(stream, sizes)) {
        seen.add(what === 'fault' ? code : what);
      }
    }),
    { numRuns: 4000, interruptAfterTimeLimit: 2500 },
  );
  for (const what of ['text', 'binary', 'ping', 'closing', 1002, 1007, 1009]) {
    assert.ok(seen.has(what), `no stream had ${what}`);
  }
});

test('bytes at random say to us what they say to ws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), SIZES, (bytes, sizes) => {
      compare(Buffer.from(bytes), sizes);
    }),
    { numRuns: 1000, interruptAfterTimeLimit: 500 },
  );
});

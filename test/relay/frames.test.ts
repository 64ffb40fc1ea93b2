import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FRAME_TYPES,
  FrameParser,
  MAX_HEAD_BYTES,
  type RelayFrame,
  WINDOW_BYTES,
  encodeControl,
  encodeCredit,
  encodeData,
  encodeHead,
  readCredit,
  splitHead,
} from '../../src/relay/frames.ts';
import { SeededRandom } from '../../testkit/random.ts';

/** Parses chunks. The payloads are copied, since they are views. */
function parse(...chunks: readonly Buffer[]): RelayFrame[] {
  const frames: RelayFrame[] = [];
  const parser = new FrameParser((frame) => {
    frames.push({ ...frame, payload: Buffer.from(frame.payload) });
  });
  for (const chunk of chunks) parser.push(chunk);
  return frames;
}

const BYTES = Buffer.concat([
  encodeHead(FRAME_TYPES.request, 1, 'POST\n/x', 'body', true),
  encodeControl(FRAME_TYPES.ping, 0),
  encodeHead(
    FRAME_TYPES.response,
    0xffff_ffff,
    '200\nName\n\u00ff',
    ['a', 'b'].map((text) => Buffer.from(text)),
    false,
  ),
  encodeData(7, 'ü€😀', false),
  encodeData(7, '', true),
  encodeCredit(7, 0xffff_ffff),
  encodeControl(FRAME_TYPES.abort, 7),
]);

const FRAMES = parse(BYTES);

test('frames are parsed as they were encoded', () => {
  assert.deepEqual(
    FRAMES.map(({ type, stream, isLast }) => [type, stream, isLast]),
    [
      [FRAME_TYPES.request, 1, true],
      [FRAME_TYPES.ping, 0, false],
      [FRAME_TYPES.response, 0xffff_ffff, false],
      [FRAME_TYPES.data, 7, false],
      [FRAME_TYPES.data, 7, true],
      [FRAME_TYPES.credit, 7, false],
      [FRAME_TYPES.abort, 7, false],
    ],
  );
  const payloads = FRAMES.map(({ payload }) => payload);
  const [request, , response, text, , credit] = payloads;
  assert.ok(request && response && text && credit);
  assert.deepEqual(splitHead(request), { head: 'POST\n/x', body: Buffer.from('body') });
  assert.deepEqual(splitHead(response), { head: '200\nName\n\u00ff', body: Buffer.from('ab') });
  assert.equal(text.toString(), 'ü€😀');
  assert.equal(readCredit(credit), 0xffff_ffff);
});

test('frames that are split at any byte are parsed the same', () => {
  for (let at = 0; at <= BYTES.length; at += 1)
    assert.deepEqual(parse(BYTES.subarray(0, at), BYTES.subarray(at)), FRAMES, `at ${at}`);
  assert.deepEqual(parse(...Array.from(BYTES, (byte) => Buffer.of(byte))), FRAMES);
});

test('frames that are split at random places are parsed the same', () => {
  for (let run = 0; run < 200; run += 1) {
    const random = new SeededRandom(`split ${run}`);
    const chunks: Buffer[] = [];
    for (let at = 0; at < BYTES.length;) {
      const length = random.integer(0, 20);
      chunks.push(BYTES.subarray(at, at + length));
      at += length;
    }
    assert.deepEqual(parse(...chunks), FRAMES, `run ${run}`);
  }
});

/** Encodes a header alone. */
function header(type: number, length: number): Buffer {
  const bytes = encodeControl(FRAME_TYPES.ping, 1);
  bytes.writeUInt32BE(length, 0);
  bytes[8] = type;
  return bytes;
}

const LIMITS = {
  request: 4 + MAX_HEAD_BYTES + WINDOW_BYTES,
  response: 4 + MAX_HEAD_BYTES + WINDOW_BYTES,
  data: WINDOW_BYTES,
  unknown: 0,
  abort: 0,
  credit: 4,
  ping: 0,
  pong: 0,
  delivered: 0,
} as const satisfies Readonly<Record<keyof typeof FRAME_TYPES, number>>;

for (const [name, limit] of Object.entries(LIMITS))
  test(`a frame ${name} is longer than its limit once its header has arrived`, () => {
    const type = FRAME_TYPES[name as keyof typeof FRAME_TYPES];
    const payload = Buffer.alloc(limit);
    assert.equal(parse(header(type, limit), payload)[0]?.payload.length, limit);
    assert.throws(() => parse(header(type, limit + 1)), /a frame with \d+ bytes/);
    assert.throws(() => parse(header(type, 0xffff_ffff)), /a frame with \d+ bytes/);
  });

test('an unknown type is refused', () => {
  const known = new Set<number>(Object.values(FRAME_TYPES));
  for (let type = 0; type < 128; type += 1)
    if (!known.has(type)) assert.throws(() => parse(header(type, 0)), /unknown type/);
});

test('a head that is longer than its frame or the limit is refused', () => {
  const long = Buffer.alloc(4 + MAX_HEAD_BYTES + 1);
  long.writeUInt32BE(MAX_HEAD_BYTES + 1);
  for (const payload of [Buffer.alloc(0), Buffer.alloc(3), Buffer.of(0, 0, 0, 1), long])
    assert.throws(() => splitHead(payload), /wrong length of its head/);
  long.writeUInt32BE(MAX_HEAD_BYTES);
  assert.equal(splitHead(long).head.length, MAX_HEAD_BYTES);
});

test('garbage leads to frames within the limits, or to an error', () => {
  let errors = 0;
  for (let run = 0; run < 2000; run += 1) {
    const random = new SeededRandom(`garbage ${run}`);
    const bytes = Buffer.from(BYTES);
    for (let count = random.integer(1, 8); count > 0; count -= 1)
      bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255);
    try {
      for (const { payload } of parse(bytes)) assert.ok(payload.length <= LIMITS.request);
    } catch (error) {
      assert.match(String(error), /a frame with/);
      errors += 1;
    }
  }
  assert.ok(errors > 500, String(errors));
});

test('a long frame in single bytes is copied a few times only', () => {
  const body = 'x'.repeat(WINDOW_BYTES);
  const bytes = encodeHead(FRAME_TYPES.request, 1, 'x'.repeat(MAX_HEAD_BYTES), body, true);
  const start = process.cpuUsage();
  const parser = new FrameParser(() => {});
  for (let at = 0; at < bytes.length; at += 1) parser.push(bytes.subarray(at, at + 1));
  const { user, system } = process.cpuUsage(start);
  // Copying the frame for each byte would take minutes.
  assert.ok(user + system < 5_000_000, String(user + system));
});

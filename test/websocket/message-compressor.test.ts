import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { encodeText } from '../../src/websocket/frame-encoder.ts';
import {
  MAX_COMPRESSED_BYTES,
  compressBinary,
  compressLongText,
  compressText,
} from '../../src/websocket/message-compressor.ts';
import { OPCODE, type WsFrame, inflate, readServerFrame } from '../../testkit/websocket-frames.ts';

async function decode(frame: Buffer): Promise<WsFrame> {
  let at = 0;
  const read = await readServerFrame(
    {
      readBytes(length) {
        at += length;
        return Promise.resolve(frame.subarray(at - length, at));
      },
    },
    true,
  );
  assert.equal(at, frame.length);
  return read;
}

for (const length of [20, 125, 126, 1000, 65_535, 65_536, 400_000]) {
  test(`a text of ${length} characters becomes one compressed frame`, async () => {
    const text = 'ö'.repeat(length);
    const long = compressLongText(Buffer.from(text));
    assert.ok(long !== undefined);
    for (const bytes of [compressText(text), long]) {
      const { fin, isCompressed, opcode, payload } = await decode(bytes);
      assert.deepEqual([fin, isCompressed, opcode], [true, true, OPCODE.text]);
      assert.equal(inflate(payload).toString(), text);
    }
  });
}

test('bytes become one compressed frame', async () => {
  const data = Buffer.alloc(1000, 'abc');
  const { isCompressed, opcode, payload } = await decode(compressBinary(data) ?? Buffer.alloc(0));
  assert.deepEqual([isCompressed, opcode], [true, OPCODE.binary]);
  assert.deepEqual(inflate(payload), data);
});

test('a message that would not become shorter is sent as it is', () => {
  assert.deepEqual(compressText('abc'), encodeText('abc'));
  assert.deepEqual(compressText(''), encodeText(''));
  const random = randomBytes(2000);
  assert.equal(compressBinary(random), undefined);
  assert.equal(compressLongText(random), undefined);
});

test('a message over 1 MiB is sent as it is', () => {
  const longest = Buffer.alloc(MAX_COMPRESSED_BYTES, 'x');
  assert.notEqual(compressLongText(longest), undefined);
  assert.notEqual(compressBinary(longest), undefined);
  const tooLong = Buffer.alloc(MAX_COMPRESSED_BYTES + 1, 'x');
  assert.equal(compressLongText(tooLong), undefined);
  assert.equal(compressBinary(tooLong), undefined);
});

test('a text is compressed once, also if others are sent in between', () => {
  const text = 'broadcast'.repeat(50);
  const frame = compressText(text);
  for (let other = 0; other < 7; other += 1) {
    compressText(`a message for one client: ${other} `.repeat(20));
    assert.equal(compressText(text), frame);
    assert.equal(compressText(Buffer.from(text).toString()), frame);
  }
  for (let other = 0; other < 20; other += 1) compressText(`another: ${other} `.repeat(20));
  assert.notEqual(compressText(text), frame);
  assert.deepEqual(compressText(text), frame);
});

test('the bytes of a long text are compressed once, and a failure is remembered too', () => {
  const bytes = Buffer.alloc(100_000, 'broadcast');
  const frame = compressLongText(bytes);
  compressLongText(Buffer.alloc(100_000, 'other'));
  assert.equal(compressLongText(bytes), frame);
  const random = randomBytes(100_000);
  assert.equal(compressLongText(random), undefined);
  random.fill(0); // Bytes never change. If they were compressed again, the result would be another one.
  assert.equal(compressLongText(random), undefined);
});

test('bytes are compressed each time, since an application may reuse their buffer', async () => {
  const data = Buffer.alloc(1000, 'a');
  compressBinary(data);
  data.fill('b');
  const { payload } = await decode(compressBinary(data) ?? Buffer.alloc(0));
  assert.equal(inflate(payload).toString(), 'b'.repeat(1000));
});

/** Bytes that come in pieces: what is kept of them, and how much room they take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReceiveBuffer } from '../../src/websocket/receive-buffer.ts';

const MOST = 100_000;
/** The capacity that a second piece makes, however short. */
const FIRST_CAPACITY = 4096;

function piecesOf(bytes: Buffer, size: number): ReceiveBuffer {
  const gather = new ReceiveBuffer(MOST);
  for (let at = 0; at < bytes.length; at += size) gather.append(bytes.subarray(at, at + size));
  return gather;
}

test('without pieces there are no bytes', () => {
  const gather = new ReceiveBuffer(MOST);
  assert.equal(gather.length, 0);
  assert.equal(gather.bytes.length, 0);
});

for (const size of [1, 2, 3, 1000, 4095, 4096, 4097, 9999, 10_000]) {
  test(`pieces of ${size} bytes come out as they went in`, () => {
    const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index * 7));
    const gather = piecesOf(bytes, size);
    assert.equal(gather.length, bytes.length);
    assert.deepEqual(gather.bytes, bytes);
  });
}

test('empty pieces change nothing', () => {
  const gather = new ReceiveBuffer(MOST);
  for (const piece of ['', 'ab', '', 'c', '']) gather.append(Buffer.from(piece));
  assert.equal(String(gather.bytes), 'abc');
});

test('a piece that is most of its chunk is kept as it is', () => {
  const chunk = Buffer.alloc(1000, 'x');
  const gather = new ReceiveBuffer(MOST);
  gather.append(chunk.subarray(10));
  assert.equal(gather.bytes.buffer, chunk.buffer);
});

test('a piece that is less than half of its chunk does not keep the chunk', () => {
  const chunk = Buffer.alloc(60_000, 'x');
  const gather = new ReceiveBuffer(MOST);
  gather.append(chunk.subarray(0, 29_000));
  assert.equal(gather.bytes.buffer.byteLength, 29_000); // Nor Node's pool of buffers.
  chunk.fill('y');
  assert.ok(gather.bytes.every((byte) => byte === 0x78));
});

test('further pieces never write into the chunk of the first', () => {
  const chunk = Buffer.from('abcdefgh');
  const own = new Uint8Array(chunk);
  const gather = new ReceiveBuffer(MOST);
  gather.append(Buffer.from(own.buffer, 0, 6));
  gather.append(Buffer.from('XY'));
  assert.equal(String(gather.bytes), 'abcdefXY');
  assert.equal(String(Buffer.from(own.buffer)), 'abcdefgh');
});

test('a few bytes in two pieces take a small buffer', () => {
  const gather = piecesOf(Buffer.alloc(100), 50);
  assert.equal(gather.bytes.buffer.byteLength, FIRST_CAPACITY);
});

test('the buffer is at most twice as long as what has come', () => {
  for (const length of [5000, 20_000, 49_000]) {
    const { bytes } = piecesOf(Buffer.alloc(length), 1000);
    assert.ok(bytes.buffer.byteLength <= 2 * length, `${bytes.buffer.byteLength} for ${length}`);
  }
});

test('the buffer is never longer than a message may be', () => {
  const { bytes } = piecesOf(Buffer.alloc(MOST), 999);
  assert.equal(bytes.length, MOST);
  assert.equal(bytes.buffer.byteLength, MOST);
});

test('a piece for each byte takes a buffer a dozen times, not a hundred thousand times', () => {
  const gather = new ReceiveBuffer(MOST);
  const buffers = new Set<ArrayBufferLike>();
  for (let count = 0; count < MOST; count += 1) {
    gather.append(Buffer.alloc(1));
    buffers.add(gather.bytes.buffer);
  }
  assert.ok(buffers.size <= 12, `${buffers.size} buffers`);
});

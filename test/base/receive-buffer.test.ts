/** Bytes of an incomplete message, and the memory that they take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReceiveBuffer } from '../../src/base/receive-buffer.ts';

const MAX_MESSAGE_BYTES = 100_000;
/** The smallest capacity, allocated for the second piece. */
const FIRST_CAPACITY = 4096;

function appendAll(bytes: Buffer, size: number): ReceiveBuffer {
  const buffer = new ReceiveBuffer(MAX_MESSAGE_BYTES);
  for (let at = 0; at < bytes.length; at += size) buffer.append(bytes.subarray(at, at + size));
  return buffer;
}

test('an empty buffer has no bytes', () => {
  const buffer = new ReceiveBuffer(MAX_MESSAGE_BYTES);
  assert.equal(buffer.length, 0);
  assert.equal(buffer.bytes.length, 0);
});

for (const size of [1, 2, 3, 1000, 4095, 4096, 4097, 9999, 10_000]) {
  test(`pieces of ${size} bytes are joined in their order`, () => {
    const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index * 7));
    const buffer = appendAll(bytes, size);
    assert.equal(buffer.length, bytes.length);
    assert.deepEqual(buffer.bytes, bytes);
  });
}

test('empty pieces change nothing', () => {
  const buffer = new ReceiveBuffer(MAX_MESSAGE_BYTES);
  for (const piece of ['', 'ab', '', 'c', '']) buffer.append(Buffer.from(piece));
  assert.equal(String(buffer.bytes), 'abc');
});

test('a piece of more than half its chunk is kept without a copy', () => {
  const chunk = Buffer.alloc(1000, 'x');
  const buffer = new ReceiveBuffer(MAX_MESSAGE_BYTES);
  buffer.append(chunk.subarray(10));
  assert.equal(buffer.bytes.buffer, chunk.buffer);
});

test('a piece of less than half its chunk is copied, so that it does not keep the chunk', () => {
  const chunk = Buffer.alloc(60_000, 'x');
  const buffer = new ReceiveBuffer(MAX_MESSAGE_BYTES);
  buffer.append(chunk.subarray(0, 29_000));
  assert.equal(buffer.bytes.buffer.byteLength, 29_000); // Not from Node's pool.
  chunk.fill('y');
  assert.ok(buffer.bytes.every((byte) => byte === 0x78));
});

test('further pieces do not overwrite the chunk of the first', () => {
  const chunk = Buffer.from('abcdefgh');
  const own = new Uint8Array(chunk);
  const buffer = new ReceiveBuffer(MAX_MESSAGE_BYTES);
  buffer.append(Buffer.from(own.buffer, 0, 6));
  buffer.append(Buffer.from('XY'));
  assert.equal(String(buffer.bytes), 'abcdefXY');
  assert.equal(String(Buffer.from(own.buffer)), 'abcdefgh');
});

test('two short pieces take the smallest capacity', () => {
  const buffer = appendAll(Buffer.alloc(100), 50);
  assert.equal(buffer.bytes.buffer.byteLength, FIRST_CAPACITY);
});

test('the capacity is at most twice the length', () => {
  for (const length of [5000, 20_000, 49_000]) {
    const { bytes } = appendAll(Buffer.alloc(length), 1000);
    assert.ok(bytes.buffer.byteLength <= 2 * length, `${bytes.buffer.byteLength} for ${length}`);
  }
});

test('the capacity is at most the longest message', () => {
  const { bytes } = appendAll(Buffer.alloc(MAX_MESSAGE_BYTES), 999);
  assert.equal(bytes.length, MAX_MESSAGE_BYTES);
  assert.equal(bytes.buffer.byteLength, MAX_MESSAGE_BYTES);
});

test('100,000 pieces of one byte are reallocated at most 12 times', () => {
  const buffer = new ReceiveBuffer(MAX_MESSAGE_BYTES);
  const buffers = new Set<ArrayBufferLike>();
  for (let count = 0; count < MAX_MESSAGE_BYTES; count += 1) {
    buffer.append(Buffer.alloc(1));
    buffers.add(buffer.bytes.buffer);
  }
  assert.ok(buffers.size <= 12, `${buffers.size} buffers`);
});

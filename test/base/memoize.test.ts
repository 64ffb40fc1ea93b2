import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoizeEncoding, memoizeLast } from '../../src/base/memoize.ts';
import { collectGarbage } from '../../testkit/memory.ts';

function createBytes(length: number): Buffer {
  return Buffer.alloc(length);
}

test('the same input twice in a row is computed once', () => {
  const memoized = memoizeLast(createBytes);
  assert.equal(memoized(3), memoized(3));
});

test('another input in between discards the result', () => {
  const memoized = memoizeLast(createBytes);
  const first = memoized(3);
  memoized(4);
  assert.notEqual(memoized(3), first);
});

/** An encoder that counts its calls. */
function counting() {
  const encoder = {
    calls: 0,
    encode: memoizeEncoding(({ length }: { readonly length: number; readonly isLong: boolean }) => {
      encoder.calls += 1;
      return Buffer.alloc(length);
    }),
  };
  return encoder;
}

test('a short source is encoded once while it is the last one', () => {
  const encoder = counting();
  const [one, two] = [
    { length: 1, isLong: false },
    { length: 2, isLong: false },
  ];
  for (const source of [one, one, two, two, one]) encoder.encode(source);
  assert.equal(encoder.calls, 3);
});

test('long sources are encoded once in any order', () => {
  const encoder = counting();
  const sources = [1, 2, 3].map((length) => ({ length, isLong: true }));
  for (let round = 0; round < 3; round += 1) {
    for (const source of sources) assert.equal(encoder.encode(source).length, source.length);
  }
  assert.equal(encoder.calls, 3);
});

test('the encoding of a long source is freed together with it', async () => {
  const encoder = counting();
  const encode = (): WeakRef<Buffer> =>
    new WeakRef(encoder.encode({ length: 100_000, isLong: true }));
  const encoding = encode();
  await collectGarbage();
  assert.equal(encoding.deref(), undefined);
});

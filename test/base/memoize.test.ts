import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoizeLast } from '../../src/base/memoize.ts';
import { collectGarbage } from '../../testkit/memory.ts';

const MAX_LENGTH = 10;

function createBytes(length: number): Buffer {
  return Buffer.alloc(length);
}

test('the same input twice in a row is computed once', () => {
  const memoized = memoizeLast(createBytes, MAX_LENGTH);
  assert.equal(memoized(3), memoized(3));
});

test('another input in between discards the result', () => {
  const memoized = memoizeLast(createBytes, MAX_LENGTH);
  const first = memoized(3);
  memoized(4);
  assert.notEqual(memoized(3), first);
});

test('a result over the limit is not memoized and does not replace the memoized one', () => {
  const memoized = memoizeLast(createBytes, MAX_LENGTH);
  const short = memoized(3);
  assert.notEqual(memoized(11), memoized(11));
  assert.equal(memoized(3), short);
});

test('a result over the limit can be garbage collected', async () => {
  const memoized = memoizeLast(createBytes, MAX_LENGTH);
  const result = new WeakRef(memoized(1000));
  await collectGarbage();
  assert.equal(result.deref(), undefined);
});

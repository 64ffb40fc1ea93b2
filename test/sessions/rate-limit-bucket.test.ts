import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RateLimit } from '../../src/sessions/rate-limit.ts';

/** Returns the number of messages that are admitted at a time. */
function takeAll(limit: RateLimit, now: number, max = 10_000): number {
  let count = 0;
  while (count < max && limit.take(now)) count += 1;
  return count;
}

test('a burst of one second is admitted, and then one message for each interval', () => {
  const limit = new RateLimit(100);
  assert.equal(limit.delay(100, 0), 0);
  assert.equal(takeAll(limit, 0), 100);
  assert.equal(limit.delay(1, 0), 10);
  assert.equal(takeAll(limit, 9), 0);
  assert.equal(takeAll(limit, 10), 1);
  assert.equal(takeAll(limit, 1010), 100);
});

test('messages that are not admitted are not counted', () => {
  const limit = new RateLimit(100);
  takeAll(limit, 0);
  for (let count = 0; count < 1000; count += 1) assert.equal(limit.take(0), false);
  assert.equal(limit.delay(1, 0), 10);
});

test('a charge counts beyond the limit', () => {
  const limit = new RateLimit(100);
  limit.charge(150, 0);
  assert.equal(limit.delay(0, 0), 500);
  assert.equal(takeAll(limit, 500), 0);
  assert.equal(takeAll(limit, 510), 1);
});

test('a rate below one message per second admits single messages', () => {
  const limit = new RateLimit(0.5);
  assert.equal(takeAll(limit, 0), 1);
  assert.equal(takeAll(limit, 1999), 0);
  assert.equal(takeAll(limit, 2000), 1);
});

test('Infinity is no limit', () => {
  const limit = new RateLimit(Infinity);
  assert.equal(takeAll(limit, 0, 1_000_000), 1_000_000);
  assert.equal(limit.delay(1_000_000, 0), 0);
});

test('messages that arrive after time that the process has lost are admitted', () => {
  const limit = new RateLimit(100);
  takeAll(limit, 0);
  limit.extend(5000, 5000);
  assert.equal(takeAll(limit, 5000), 500);
  takeAll(limit, 7000);
  assert.equal(takeAll(limit, 9000), 100, 'the larger burst ends');
});

test('a rate that is no fraction of a second is not exceeded by rounding', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      (rate, now) => takeAll(new RateLimit(rate), now) === rate,
    ),
  );
});

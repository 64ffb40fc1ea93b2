import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rate } from '../../src/base/rate.ts';

test('the mean covers the last 10 complete seconds', () => {
  const rate = new Rate();
  rate.add(5, 1000);
  assert.equal(rate.mean(1999), 0);
  assert.equal(rate.mean(2000), 0.5);
  rate.add(10, 2500);
  assert.equal(rate.mean(3000), 1.5);
  assert.equal(rate.mean(11_999), 1.5);
  assert.equal(rate.mean(12_000), 1);
  assert.equal(rate.mean(13_000), 0);
});

test('events of one second are added up', () => {
  const rate = new Rate();
  rate.add(1, 1000);
  rate.add(2, 1999);
  assert.equal(rate.mean(2000), 0.3);
});

test('events before a pause of more than 10 s do not count', () => {
  const rate = new Rate();
  rate.add(100, 1000);
  rate.add(10, 60_000);
  assert.equal(rate.mean(61_000), 1);
});

test('the total counts all events', () => {
  const rate = new Rate();
  rate.add(1, 1000);
  rate.add(2, 100_000);
  assert.equal(rate.total, 3);
});

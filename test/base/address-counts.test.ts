import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressCounts } from '../../src/base/address-counts.ts';

const MAX_PER_ADDRESS = 2;
const MAX_TOTAL = 24; // A /48 may have six.

function isFull(counts: AddressCounts, address: string): boolean {
  return counts.isFull(address, MAX_PER_ADDRESS, MAX_TOTAL);
}

test('an address is full at its limit, and not any more when it is left', () => {
  const counts = new AddressCounts();
  counts.add('192.0.2.1', 1);
  assert.equal(isFull(counts, '192.0.2.1'), false);
  counts.add('::ffff:192.0.2.1', 1);
  assert.equal(isFull(counts, '192.0.2.1'), true);
  assert.equal(isFull(counts, '192.0.2.2'), false);
  counts.add('192.0.2.1', -1);
  assert.equal(isFull(counts, '192.0.2.1'), false);
  assert.equal(counts.of('192.0.2.1'), 1);
});

test('a /48 is full when its /64 networks together are at its limit', () => {
  const counts = new AddressCounts();
  for (let network = 0; network < 6; network += 1) {
    assert.equal(isFull(counts, `2001:db8:1:${network}::1`), false);
    counts.add(`2001:db8:1:${network}::1`, 1);
  }
  assert.equal(isFull(counts, '2001:db8:1:ffff::1'), true);
  assert.equal(isFull(counts, '2001:db8:2:ffff::1'), false);
  counts.add('2001:db8:1:3::9', -1);
  assert.equal(isFull(counts, '2001:db8:1:ffff::1'), false);
});

test('clients without an address have no limit, since they would share it', () => {
  const counts = new AddressCounts();
  for (let count = 0; count < 100; count += 1) counts.add('', 1);
  assert.equal(isFull(counts, ''), false);
});

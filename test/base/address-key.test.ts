import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKey, addressKeys, networkLimit } from '../../src/base/address-key.ts';

const KEYS: readonly (readonly [address: string, key: string])[] = [
  ['1.2.3.4', '1.2.3.4'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::', '2001:db8:1:2'],
  ['2001:0DB8:0001:0002::1', '2001:db8:1:2'],
  ['::1', '0:0:0:0:0:0:0:1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
  ['0000:0000:0000:0000:0000:ffff:0000:0000', '0.0.0.0'],
  ['::192.0.2.1', '0:0:0:0:0:0:c000:201'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0'],
  ['2001:db8::5', '2001:db8:0:0'],
  ['', ''],
];

for (const [address, key] of KEYS) {
  test(`the key of '${address}' is '${key}'`, () => {
    assert.equal(addressKey(address), key);
  });
}

test('an IPv6 address has the keys of its /64 and of its /48', () => {
  assert.deepEqual(addressKeys('2001:db8:1:2::5'), ['2001:db8:1:2', '2001:db8:1::/48']);
  assert.deepEqual(addressKeys('2001:db8:1:0::5').at(-1), addressKeys('2001:db8:1:2::5').at(-1));
  assert.notEqual(addressKeys('2001:db8:0:2::5').at(-1), addressKeys('2001:db8:1:2::5').at(-1));
});

test('other addresses have one key, and a client without an address has none', () => {
  assert.deepEqual(addressKeys('192.0.2.1'), ['192.0.2.1']);
  assert.deepEqual(addressKeys('::ffff:192.0.2.1'), ['192.0.2.1']);
  assert.deepEqual(addressKeys('::1'), ['0:0:0:0:0:0:0:1']);
  assert.deepEqual(addressKeys(''), []);
});

test('a /48 may have a quarter of the total, but at least as much as two addresses', () => {
  assert.equal(networkLimit(100, 1000), 250);
  assert.equal(networkLimit(300, 1000), 600);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKey } from '../../src/base/address-key.ts';

const KEYS: readonly (readonly [address: string, key: string])[] = [
  ['1.2.3.4', '1.2.3.4'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::', '2001:db8:1:2'],
  ['2001:0DB8:0001:0002::1', '2001:db8:1:2'],
  ['::1', '0:0:0:0:0:0:0:1'],
  ['::ffff:c000:201', '0:0:0:0:0:ffff:c000:201'],
  ['0:0:0:0:0:ffff:192.0.2.1', '0:0:0:0:0:ffff:192.0.2.1'],
  ['2001:db8::5', '2001:db8:0:0'],
  ['', ''],
];

for (const [address, key] of KEYS) {
  test(`the key of '${address}' is '${key}'`, () => {
    assert.equal(addressKey(address), key);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BOOLEAN,
  MESSAGES_PER_SECOND,
  either,
  functionOf,
  integer,
  oneOf,
} from '../../src/base/setting-rules.ts';

test('an integer rule includes its bounds and names its unit', () => {
  const rule = integer('bytes', 1, 10);
  assert.equal(rule.expected, 'a whole number of bytes from 1 to 10');
  assert.equal(rule.unit, 'bytes');
  assert.deepEqual(
    [0, 1, 10, 11, 1.5, '1', Number.NaN].map((value) => rule.isValid(value)),
    [false, true, true, false, false, false, false],
  );
});

test('a rate may be a fraction or Infinity, and is above 0', () => {
  assert.deepEqual(
    [0, 0.1, Infinity, Number.NaN, '1'].map((value) => MESSAGES_PER_SECOND.isValid(value)),
    [false, true, true, false, false],
  );
});

test('a rule for some strings lists them', () => {
  const rule = oneOf('wait', 'close');
  assert.equal(rule.expected, "'wait' or 'close'");
  assert.ok(rule.isValid('wait'));
  assert.ok(!rule.isValid('Wait'));
});

test('either of two rules accepts the values of both', () => {
  const rule = either(BOOLEAN, functionOf<() => void>());
  assert.equal(rule.expected, 'true or false or a function');
  assert.ok(rule.isValid(false));
  assert.ok(rule.isValid(() => undefined));
  assert.ok(!rule.isValid('true'));
});

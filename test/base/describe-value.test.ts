import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeType, describeValue } from '../../src/base/describe-value.ts';

class Chat {
  send(): void {}
}

const Anonymous = (() =>
  class {
    send(): void {}
  })();

for (const [value, expected] of [
  [{ a: [1, 2], b: 'x'.repeat(100) }, `{ a: [ 1, 2 ], b: '${'x'.repeat(100)}' }`],
  [() => 1, 'a function'],
  [new Chat(), 'an instance of Chat'],
  [new Anonymous(), 'an instance of an anonymous class'],
  [/x/, '/x/'],
  [null, 'null'],
  ['a\nb', String.raw`'a\nb'`],
  [Object.create(null), '[Object: null prototype] {}'],
  ['x'.repeat(5000), `'${'x'.repeat(199)}…`],
] as const) {
  test(`a value is described on one line: ${expected.slice(0, 40)}`, () => {
    assert.equal(describeValue(value), expected);
  });
}

for (const [value, expected] of [
  [undefined, 'undefined'],
  [null, 'null'],
  [5, 'a number'],
  ['secret', 'a string'],
  [['secret'], 'an array'],
  [{ secret: 1 }, 'an object'],
  [Object.create(null), 'an object'],
  [new Map(), 'an instance of Map'],
  [new Chat(), 'an instance of Chat'],
] as const) {
  test(`the type of a value is ${expected}`, () => {
    assert.equal(describeType(value), expected);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { isThenable } from '../../src/base/thenable.ts';

const CASES: readonly (readonly [isThenable: boolean, name: string, value: unknown])[] = [
  [true, 'a promise', Promise.resolve()],
  [true, 'a promise of another realm', runInNewContext('Promise.resolve()')],
  // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
  [true, 'an object with a then method', { then() {} }],
  // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
  [true, 'a function with a then method', Object.assign(() => {}, { then() {} })],
  [
    true,
    'an object whose then cannot be read',
    // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
    Object.defineProperty({}, 'then', {
      get() {
        throw new Error('unreadable');
      },
    }),
  ],
  // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
  [false, 'an object whose then is no function', { then: true }],
  [false, 'null', null],
  [false, 'undefined', undefined],
  [false, 'a string', 'then'],
  [false, 'a function', () => {}],
];

for (const [expected, name, value] of CASES) {
  test(`${name} is ${expected ? 'a' : 'no'} thenable`, () => {
    assert.equal(isThenable(value), expected);
  });
}

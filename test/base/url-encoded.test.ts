import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodePercent,
  findField,
  findFieldBytes,
  parseFields,
} from '../../src/base/url-encoded.ts';
import { testWithSeeds } from '../../testkit/node-test.ts';

const FIELDS = [
  ['d=1', '1'],
  ['a=1&d=2&d=3', '2'],
  ['d', ''],
  ['d&d=1', ''],
  ['d=', ''],
  ['d==1=', '=1='],
  ['&&d=1', '1'],
  ['%64=1', '1'],
  ['d=%31+%zz%', '1 %zz%'],
  ['d=%C3%BC%E2', '\u00fc\ufffd'],
  ['d=%EF%BB%BF1', '\ufeff1'],
  ['', undefined],
  ['dd=1&=d&D=2', undefined],
  ['%6=1&%2564=2', undefined],
] as const;

for (const [form, value] of FIELDS) {
  test(`the field d of ${JSON.stringify(form)} is ${JSON.stringify(value)}`, () => {
    assert.equal(findField(form, 'd'), value);
    assert.equal(parseFields(form).get('d') ?? undefined, value);
  });
}

test('a field as bytes is decoded and need not be UTF-8', () => {
  const form = Buffer.from('a=1&d=%41+\xff%C3&b', 'latin1');
  assert.equal(findFieldBytes(form, 'd')?.toString('latin1'), 'A \xff\xc3');
  assert.equal(findFieldBytes(form, 'c'), undefined);
});

const PARTS = ['%', '&', '=', '+', 'd', '4', '6', 'a', 'F', '%64', '%c3%a9', '%C3'] as const;
const FORMS = 100;

testWithSeeds('ASCII text has the fields that URLSearchParams finds', 10, async (random) => {
  for (let count = 0; count < FORMS; count += 1) {
    const form = Array.from({ length: random.integer(0, 9) }, () => random.pick(PARTS)).join('');
    const expected = new URLSearchParams(form);
    assert.deepEqual([...parseFields(form)], [...expected], form);
    assert.equal(findField(form, 'd'), expected.get('d') ?? undefined, form);
  }
});

function decodeOrKeep(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

testWithSeeds('percent-encoded text is decoded, or kept if it is malformed', 10, async (random) => {
  for (let count = 0; count < FORMS; count += 1) {
    const text = Array.from({ length: random.integer(0, 9) }, () => random.pick(PARTS)).join('');
    assert.equal(decodePercent(text), decodeOrKeep(text), text);
  }
});

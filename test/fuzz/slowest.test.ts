/** Tests of the search for slow inputs, with parsers whose time is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../testkit/random.ts';
import type { Parser } from './parsers.ts';
import { type Shape, expand, mutateShape } from './shapes.ts';
import { findSlowest } from './slowest.ts';

const LETTERS: Shape = { start: '', unit: 'a', end: '' };
const LIMIT = { bytes: 256, ms: 0.1 };
const MICROSECONDS_PER_COMMA = 2;
const MAX_MUTATIONS = 1000;

/** Takes time for each comma. */
const COMMA_PARSER: Parser = {
  name: 'commas',
  limit: LIMIT,
  shapes: [LETTERS],
  parse(input) {
    const commas = input.split(',').length - 1;
    const end = performance.now() + (commas * MICROSECONDS_PER_COMMA) / 1000;
    while (performance.now() < end);
  },
};

/** Returns true after this number of calls. */
function after(calls: number): () => boolean {
  let count = 0;
  return () => (count += 1) > calls;
}

test('a shape has the start, the end, and as many units as fit', () => {
  assert.equal(expand({ start: '<', unit: 'ab', end: '>' }, 6), '<abab>');
  assert.equal(expand({ start: '<', unit: '', end: '>' }, 6), '<>');
  assert.equal(expand({ start: '', unit: '{n};', end: '' }, 6), '0;1;2;');
});

test('mutated shapes stay short', () => {
  const random = new SeededRandom('shapes');
  let shape = LETTERS;
  for (let count = 0; count < 500; count += 1) {
    shape = mutateShape(random, shape, [LETTERS]);
    for (const part of [shape.start, shape.unit, shape.end]) assert.ok(part.length <= 100);
  }
});

test('the search returns the slowest of the known shapes', () => {
  const commas: Shape = { start: '', unit: ',', end: '' };
  const parser: Parser = { ...COMMA_PARSER, shapes: [LETTERS, commas, LETTERS] };
  const slowest = findSlowest(parser, new SeededRandom('known'), () => true);
  assert.deepEqual(slowest.shape, commas);
  assert.ok(slowest.ms > LIMIT.ms, `${slowest.ms} ms`);
  assert.ok(slowest.nsPerByte > 1000, `${slowest.nsPerByte} ns per byte`);
});

test('the search finds a slower shape than the known one', () => {
  const random = new SeededRandom('unknown');
  const { shape } = findSlowest(COMMA_PARSER, random, after(MAX_MUTATIONS));
  assert.match(shape.unit, /,/);
});

test('an input for which a parser fails is reported', () => {
  const parser: Parser = {
    ...COMMA_PARSER,
    parse() {
      throw new Error('broken');
    },
  };
  const search = () => findSlowest(parser, new SeededRandom(''), () => true);
  assert.throws(search, /commas has failed for {"start":"","unit":"a","end":""}/);
});

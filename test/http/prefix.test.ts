import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { PrefixTable, splitTarget, stripPrefix } from '../../src/http/prefix.ts';

const TARGETS: readonly (readonly [target: string, path: string, query: string])[] = [
  ['/a/b', '/a/b', ''],
  ['/a?b?c', '/a', 'b?c'],
  ['/?', '/', ''],
  ['http://host/a?b', '/a', 'b'],
  ['http://host', '', ''],
  ['http://[::1', '', ''],
  ['//evil', '//evil', ''],
  ['*', '', ''],
  ['', '', ''],
];

for (const [target, path, query] of TARGETS) {
  test(`the target '${target}' has the path '${path}' and the query '${query}'`, () => {
    assert.deepEqual(splitTarget(target), { path, query });
  });
}

test('splitting does not throw for any target', () => {
  fc.assert(
    fc.property(fc.string(), (target) => void splitTarget(target)),
    { numRuns: 2000 },
  );
});

const PATHS: readonly (readonly [path: string, below: string | undefined])[] = [
  ['/echo', ''],
  ['/echo/', ''],
  ['/echo/info', '/info'],
  ['/echo//', '//'],
  ['/echos', undefined],
  ['/ech', undefined],
  ['/', undefined],
  ['', undefined],
];

for (const [path, below] of PATHS) {
  test(`'${path}' is ${below === undefined ? 'not below' : `'${below}' below`} /echo`, () => {
    const target = stripPrefix({ path, query: 'q' }, '/echo');
    assert.deepEqual(target, below === undefined ? undefined : { path: below, query: 'q' });
  });
}

test('every path is below the empty prefix', () => {
  assert.deepEqual(stripPrefix({ path: '/a', query: '' }, ''), { path: '/a', query: '' });
  assert.deepEqual(stripPrefix({ path: '/', query: '' }, ''), { path: '', query: '' });
});

for (const order of [
  ['', '/a', '/a/b'],
  ['/a/b', '/a', ''],
  ['/a', '', '/a/b'],
]) {
  test(`the longest prefix wins when routers are added as ${JSON.stringify(order)}`, () => {
    const table = new PrefixTable<{ readonly prefix: string }>();
    for (const prefix of order) table.add({ prefix });
    const find = (path: string): string | undefined =>
      table.find({ path, query: '' })?.router.prefix;
    assert.equal(find('/a/b/info'), '/a/b');
    assert.equal(find('/a/b'), '/a/b');
    assert.equal(find('/a/bc'), '/a');
    assert.equal(find('/a'), '/a');
    assert.equal(find('/ab'), '');
  });
}

test('a second router with the same prefix is refused', () => {
  const table = new PrefixTable<{ readonly prefix: string }>();
  table.add({ prefix: '/a' });
  assert.throws(() => table.add({ prefix: '/a' }), { code: 'ERR_ATTACHED', message: /'\/a'/ });
  assert.equal(table.size, 1);
});

test('a router that was deleted is not found, and its prefix is free', () => {
  const table = new PrefixTable<{ readonly prefix: string }>();
  const router = { prefix: '/a' };
  table.add(router);
  assert.equal(table.find({ path: '/a', query: '' })?.router, router);
  table.delete(router);
  assert.equal(table.find({ path: '/a', query: '' }), undefined);
  table.add({ prefix: '/a' });
  assert.equal(table.size, 1);
});

test('a router replaces a closed one with its prefix', () => {
  const table = new PrefixTable<{ readonly prefix: string; isClosed: boolean }>();
  const old = { prefix: '/a', isClosed: false };
  const next = { prefix: '/a', isClosed: false };
  table.add(old);
  assert.throws(() => table.add(next), { code: 'ERR_ATTACHED' });
  old.isClosed = true;
  table.add(next);
  assert.equal(table.size, 1);
  assert.equal(table.find(splitTarget('/a'))?.router, next);
  table.delete(old);
  assert.equal(table.size, 1);
});

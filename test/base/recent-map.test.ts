import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentMap } from '../../src/base/recent-map.ts';

test('entries that are not used are dropped over the limit, and used ones stay', () => {
  let drops = 0;
  const map = new RecentMap<number, string>(10, () => (drops += 1));
  map.set(-1, 'used');
  for (let key = 0; key < 100; key += 1) {
    map.set(key, 'value');
    assert.equal(map.get(-1), 'used');
  }
  const kept = Array.from({ length: 100 }, (_, key) => key).filter((key) => map.get(key));
  assert.ok(drops > 0);
  assert.ok(kept.length >= 3 && kept.length < 10, kept.join());
  assert.ok(kept.includes(99));
});

test('nothing is dropped within half of the limit', () => {
  const map = new RecentMap<number, string>(10, () => assert.fail('dropped'));
  for (let key = 0; key < 5; key += 1) map.set(key, 'one');
  for (let key = 0; key < 5; key += 1) map.set(key, 'two');
  for (let key = 0; key < 5; key += 1) assert.equal(map.get(key), 'two');
});

test('a deleted entry is gone from both generations', () => {
  const map = new RecentMap<number, string>(4);
  for (let key = 0; key < 3; key += 1) map.set(key, 'value');
  for (let key = 0; key < 3; key += 1) map.delete(key);
  for (let key = 0; key < 3; key += 1) assert.equal(map.get(key), undefined);
});

test('a full map takes entries as fast as an empty one', () => {
  const map = new RecentMap<number, string>(100_000);
  const fill = (first: number): number => {
    const start = process.cpuUsage();
    for (let key = first; key < first + 100_000; key += 1) map.set(key, 'value');
    return process.cpuUsage(start).user / 1000;
  };
  fill(0);
  const full = fill(100_000) + fill(200_000);
  // 10 s or more, when single entries are dropped.
  assert.ok(full < 2000, `${full} ms`);
});

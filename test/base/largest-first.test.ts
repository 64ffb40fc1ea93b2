import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LargestFirst, type Sized } from '../../src/base/largest-first.ts';
import { SeededRandom } from '../../testkit/random.ts';

test('the largest item is on top, whatever grows, shrinks or leaves', () => {
  const random = new SeededRandom('heap');
  const heap = new LargestFirst<Sized & { bytes: number }>();
  const items = Array.from({ length: 50 }, () => ({ bytes: 0, heapIndex: -1 }));
  for (let step = 0; step < 5000; step += 1) {
    const item = items[random.integer(0, items.length - 1)];
    assert.ok(item !== undefined);
    item.bytes = random.oneIn(4) ? 0 : random.integer(0, 99);
    heap.update(item);
    const largest = Math.max(...items.map(({ bytes }) => bytes));
    assert.equal(heap.largest?.bytes ?? 0, largest);
    assert.equal(item.heapIndex >= 0, item.bytes > 0);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBudget } from '../../src/base/memory-budget.ts';

test('a budget adds up the changes of all buffers', () => {
  const budget = new MemoryBudget();
  budget.add(10);
  budget.add(5);
  budget.add(-10);
  assert.equal(budget.bytes, 5);
});

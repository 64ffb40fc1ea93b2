/** Delays of input in virtual time: handlers that are pending, and the rate limit. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CloseReason } from '../../src/base/close-reasons.ts';
import { MemoryBudget } from '../../src/base/memory-budget.ts';
import { SockJSStats } from '../../src/base/stats.ts';
import {
  type InboundMessage,
  type InboundOwner,
  InboundQueue,
  type InboundSettings,
} from '../../src/sessions/inbound-queue.ts';
import { RateLimit } from '../../src/sessions/rate-limit.ts';
import { type Deferred, deferred } from '../../testkit/until.ts';
import { VirtualProcess } from '../../testkit/virtual-process.ts';
import { type MemoryInput, clientMemory } from '../base/client-memory.ts';

interface Options {
  readonly settings?: Partial<InboundSettings>;
  readonly memory?: MemoryInput;
  readonly rate?: number;
  /** Handlers are pending until the test settles them. */
  readonly isAsync?: boolean;
}

function openQueue(t: TestContext, { settings, memory, rate, isAsync = false }: Options = {}) {
  const process = new VirtualProcess(t.mock);
  const stats = new SockJSStats('/echo', process.now);
  const budget = new MemoryBudget();
  const closes: CloseReason[] = [];
  const handled: InboundMessage[] = [];
  const pending: Deferred<void>[] = [];
  const owner: InboundOwner & { closeReason: CloseReason | undefined } = {
    memory: clientMemory(memory, budget),
    context: {
      settings: { maxConcurrentHandlers: 100, rateLimitPolicy: 'wait', ...settings },
      stats,
      clock: process.now,
    },
    closeReason: undefined,
    close(reason) {
      closes.push(reason);
      owner.closeReason ??= reason;
    },
  };
  const handle = (data: InboundMessage): void => {
    handled.push(data);
    if (!isAsync) return;
    const result = deferred();
    pending.push(result);
    queue.countPending(result.promise);
  };
  const rateLimit = rate === undefined ? undefined : new RateLimit(rate);
  const queue = new InboundQueue(owner, handle, rateLimit);
  queue.open();
  /** Settles the oldest handler that is pending. */
  const settle = async (): Promise<void> => {
    pending.shift()?.resolve();
    await nextTurn();
  };
  const push = (...messages: InboundMessage[]): void => queue.push(messages, process.now());
  return { process, stats, budget, closes, handled, pending, owner, queue, settle, push };
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

test('without a delay messages are handled at once', (t) => {
  const { queue, handled, push } = openQueue(t);
  push('a', 'b');
  assert.deepEqual(handled, ['a', 'b']);
  assert.equal(queue.delay, undefined);
});

for (const max of [1, 2, 3]) {
  test(`with maxConcurrentHandlers ${max}, at most ${max} handlers are pending`, async (t) => {
    const settings = { maxConcurrentHandlers: max };
    const { queue, handled, pending, stats, settle, push } = openQueue(t, {
      settings,
      isAsync: true,
    });
    push(...numbers(0, 10));
    push(...numbers(10, 12));
    for (let count = 0; count < 12; count += 1) {
      assert.equal(pending.length, Math.min(max, 12 - count));
      assert.equal(queue.delay, pending.length === max ? 'handlers' : undefined);
      await settle();
    }
    assert.deepEqual(handled, numbers(0, 12));
    assert.equal(stats.dump().throttledTotal, 1);
    assert.equal(queue.delay, undefined);
  });
}

test('ready resolves when a handler settles and no message waits', async (t) => {
  const settings = { maxConcurrentHandlers: 1 };
  const { queue, settle, push } = openQueue(t, { settings, isAsync: true });
  push('a', 'b');
  const results: boolean[] = [];
  const record = (result: boolean): number => results.push(result);
  void queue.allowed().then(record);
  void queue.allowed().then(record);
  await nextTurn();
  assert.deepEqual(results, [false], 'a second one does not wait');
  assert.ok(queue.isAwaited);
  await settle();
  assert.deepEqual(results, [false]);
  await settle();
  assert.deepEqual(results, [false, true]);
  assert.equal(queue.isAwaited, false);
});

test('a held queue handles nothing until its promise resolves', async (t) => {
  const { queue, handled, push } = openQueue(t);
  const hold = deferred();
  queue.hold(hold.promise);
  push('a');
  assert.deepEqual([handled, queue.delay], [[], 'handlers']);
  hold.resolve();
  await nextTurn();
  assert.deepEqual([handled, queue.delay], [['a'], undefined]);
});

test('messages beyond the rate limit are handled as it allows, in order', async (t) => {
  const { process, queue, handled, stats, push } = openQueue(t, { rate: 10 });
  push(...numbers(0, 30));
  assert.equal(handled.length, 10);
  assert.equal(queue.delay, 'rateLimit');
  push('30');
  await process.run(1000);
  assert.equal(handled.length, 20);
  await process.run(1100);
  assert.deepEqual(handled, numbers(0, 31));
  assert.equal(queue.delay, undefined);
  assert.equal(stats.dump().throttledTotal, 1);
  assert.equal(process.timers, 0);
});

test('with the policy close, a batch beyond the rate limit closes before any of it is handled', (t) => {
  const settings = { rateLimitPolicy: 'close' } as const;
  const { handled, closes, push } = openQueue(t, { rate: 10, settings });
  push(...numbers(0, 8));
  push(...numbers(8, 11));
  assert.equal(handled.length, 8);
  assert.deepEqual(
    closes.map(({ cause }) => cause),
    ['rateLimited'],
  );
});

test('input without a message counts as one', async (t) => {
  const { process, queue, stats, push } = openQueue(t, { rate: 10 });
  for (let count = 0; count < 10; count += 1) push();
  assert.equal(queue.delay, undefined);
  for (let count = 0; count < 5; count += 1) push();
  assert.equal(queue.delay, 'rateLimit');
  assert.equal(stats.dump().throttledTotal, 1);
  await process.run(499);
  assert.equal(queue.delay, 'rateLimit');
  await process.run(1);
  assert.equal(queue.delay, undefined);
  assert.equal(process.timers, 0);
});

test('messages that wait are dropped when the connection closes', async (t) => {
  const { process, queue, owner, handled, budget, push } = openQueue(t, { rate: 1 });
  push('a', 'b', 'c');
  assert.ok(budget.bytes > 0);
  const ready = queue.ready();
  owner.closeReason = { code: 1000, reason: '', cause: 'client' };
  queue.close();
  await ready;
  push('d');
  await process.run(10_000);
  assert.deepEqual(handled, ['a']);
  assert.equal(budget.bytes, 0);
  assert.equal(process.timers, 0);
});

test('no message is handled between the decision to close and the close', async (t) => {
  const { process, owner, handled, push } = openQueue(t, { rate: 1 });
  push('a', 'b');
  owner.closeReason = { code: 1000, reason: '', cause: 'client' };
  await process.run(10_000);
  assert.deepEqual(handled, ['a']);
});

test('one batch of any length may wait, and 4 MiB in addition', (t) => {
  const settings = { maxConcurrentHandlers: 1 };
  const memory = { maxTotalBufferedBytes: 1e9, maxBufferedBytesPerAddress: 1e9 };
  const { closes, push } = openQueue(t, { settings, memory, isAsync: true });
  push('first', 'x'.repeat(9_000_000));
  push('x'.repeat(4_000_000));
  assert.deepEqual(closes, []);
  push('x'.repeat(400_000));
  assert.deepEqual(
    closes.map(({ cause }) => cause),
    ['rateLimited'],
  );
});

test('messages that wait count in the memory budget', async (t) => {
  const settings = { maxConcurrentHandlers: 1 };
  const { budget, settle, push } = openQueue(t, { settings, isAsync: true });
  push('a', 'bc', 'def');
  assert.equal(budget.bytes, 205);
  await settle();
  assert.equal(budget.bytes, 103);
  await settle();
  assert.equal(budget.bytes, 0);
});

test('messages that wait beyond the memory budget close the connection with 1013', (t) => {
  const settings = { maxConcurrentHandlers: 1 };
  const memory = { maxTotalBufferedBytes: 2000, highWaterMark: 100 };
  const { closes, push } = openQueue(t, { settings, memory, isAsync: true });
  push('a', 'x'.repeat(3000));
  assert.deepEqual(
    closes.map(({ cause }) => cause),
    ['memoryLimit'],
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBudget } from '../../src/base/memory-budget.ts';
import { clientMemory } from '../base/client-memory.ts';
import { SockJSStats } from '../../src/base/stats.ts';
import {
  Backpressure,
  type BackpressureSettings,
  type SlowConsumer,
} from '../../src/sessions/backpressure.ts';
import { INFO } from './fake-receiver.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

const CLIENT: SlowConsumer = { info: INFO, transport: 'xhr', user: 'alice', bufferedBytes: 1000 };

function create(settings: Partial<BackpressureSettings> = {}) {
  const context = {
    settings: {
      highWaterMark: 10,
      maxBufferedBytes: 100,
      maxTotalBufferedBytes: 1000,
      slowConsumer: 'close' as const,
      ...settings,
    },
    logger: new RecordingLogger(),
  };
  const stats = new SockJSStats('/echo', () => 0);
  const budget = new MemoryBudget();
  const memory = clientMemory({ highWaterMark: 10, maxTotalBufferedBytes: 1000 }, budget, stats);
  let evictions = 0;
  const backpressure = new Backpressure(context, memory, () => {
    evictions += 1;
  });
  return { ...context, stats, budget, memory, backpressure, evictions: () => evictions };
}

test('buffered bytes are counted in stats and budget, and released at the end', () => {
  const { backpressure, stats, budget } = create();
  backpressure.update(50, 0);
  backpressure.update(70, 20);
  assert.equal(stats.dump().buffered.output, 70);
  assert.equal(budget.bytes, 70);
  assert.equal(backpressure.queuedBytes, 20);
  backpressure.update(60, 20);
  assert.equal(budget.bytes, 60);
  backpressure.end();
  assert.equal(stats.dump().buffered.output, 0);
  assert.equal(budget.bytes, 0);
});

test('bytes up to highWaterMark, and one long message, do not count in the budget', () => {
  const { backpressure, stats, budget } = create();
  backpressure.update(10, 0);
  assert.equal(budget.bytes, 0);
  backpressure.exceededLimit(0, 55, 55);
  backpressure.update(60, 0);
  assert.equal(budget.bytes, 0);
  backpressure.update(50, 0);
  assert.equal(budget.bytes, 0);
  assert.equal(stats.dump().buffered.output, 50);
  backpressure.exceededLimit(50, 11, 11);
  backpressure.update(61, 0);
  assert.equal(budget.bytes, 61);
  backpressure.update(10, 0);
  assert.equal(budget.bytes, 0);
});

test('the limit for bytes that the client has not taken is maxBufferedBytes', () => {
  const { backpressure } = create();
  assert.equal(backpressure.exceededLimit(100, 1, 1), undefined);
  assert.equal(backpressure.exceededLimit(101, 1, 1), 100);
});

test('a burst may be as long as maxTotalBufferedBytes', () => {
  const { backpressure } = create();
  assert.equal(backpressure.exceededLimit(0, 1001, 1), undefined);
  assert.equal(backpressure.exceededLimit(100, 1001, 1), undefined);
  assert.equal(backpressure.exceededLimit(0, 1002, 1), 100);
  assert.equal(backpressure.exceededLimit(0, 5000, 5000), undefined);
});

test('bytes of a broadcast, which all receivers share, do not count in the budget', () => {
  const { backpressure, stats, budget } = create();
  backpressure.update(500, 20, 480);
  assert.equal(budget.bytes, 20);
  assert.equal(stats.dump().buffered.output, 500);
  backpressure.update(500, 10, 490);
  assert.equal(budget.bytes, 0);
});

test('the largest buffer of a process that is over its limit has to be evicted', () => {
  const { backpressure, memory } = create();
  memory.reserve('bodies', () => {}).resize(989);
  const other = memory.reserve('bodies', () => other.release());
  other.resize(1);
  assert.equal(backpressure.update(10, 0), true);
  const large = create({ maxBufferedBytes: 2000 }).backpressure;
  assert.equal(large.update(1000, 0), true);
  assert.equal(large.update(1001, 0), false);
});

test('it is evicted for another client that needs the memory', () => {
  const { backpressure, memory, evictions } = create({ maxBufferedBytes: 2000 });
  backpressure.update(990, 0);
  assert.equal(memory.reserve('bodies', () => {}).resize(20), true);
  assert.equal(evictions(), 1);
});

test('the policy is the setting, or what its function returns for the client', () => {
  assert.equal(create().backpressure.policyFor(CLIENT, 10), 'close');
  const seen: SlowConsumer[] = [];
  const { backpressure } = create({
    slowConsumer: (client) => {
      seen.push(client);
      return 'drop-oldest';
    },
  });
  assert.equal(backpressure.policyFor(CLIENT, 10), 'drop-oldest');
  assert.deepEqual(seen, [CLIENT]);
});

test('a function that returns anything else closes the client', () => {
  const slowConsumer = (() => 'keep') as unknown as () => 'close';
  assert.equal(create({ slowConsumer }).backpressure.policyFor(CLIENT, 10), 'close');
});

test('a function that throws is logged, and closes the client', () => {
  const { backpressure, logger } = create({ slowConsumer: () => assert.fail('broken') });
  assert.equal(backpressure.policyFor(CLIENT, 10), 'close');
  assert.match(logger.take()[0]?.line ?? '', /slowConsumer failed; .* 1013: .*broken/);
});

test('senders that wait get true when the client keeps up again', async () => {
  const { backpressure } = create();
  const waits = [backpressure.wait(), backpressure.wait()];
  backpressure.end();
  assert.deepEqual(await Promise.all(waits), [true, true]);
});

test('senders that wait get false when the session ends, while its bytes still count', async () => {
  const { backpressure, budget } = create();
  backpressure.update(50, 0);
  const waits = [backpressure.wait(), backpressure.wait()];
  backpressure.release(false);
  assert.deepEqual(await Promise.all(waits), [false, false]);
  assert.equal(budget.bytes, 50);
});

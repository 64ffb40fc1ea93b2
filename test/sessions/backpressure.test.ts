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
  backpressure.exceededLimit(50, 1);
  backpressure.exceededLimit(70, 1);
  assert.equal(stats.dump().buffered.output, 70);
  assert.equal(budget.bytes, 70);
  backpressure.update(60);
  assert.equal(budget.bytes, 60);
  backpressure.end(true);
  assert.equal(stats.dump().buffered.output, 0);
  assert.equal(budget.bytes, 0);
});

test('bytes up to highWaterMark, and one long message, do not count in the budget', () => {
  const { backpressure, stats, budget } = create();
  backpressure.exceededLimit(10, 5);
  assert.equal(budget.bytes, 0);
  backpressure.exceededLimit(60, 55);
  assert.equal(budget.bytes, 0);
  backpressure.update(50);
  assert.equal(budget.bytes, 0);
  assert.equal(stats.dump().buffered.output, 50);
  backpressure.exceededLimit(61, 11);
  assert.equal(budget.bytes, 61);
  backpressure.update(10);
  assert.equal(budget.bytes, 0);
});

test('the limit is maxBufferedBytes, and is returned once it is exceeded', () => {
  const { backpressure } = create();
  assert.equal(backpressure.exceededLimit(100, 1), undefined);
  assert.equal(backpressure.exceededLimit(101, 1), 100);
});

test('one message may exceed the limit alone, but not with others behind it', () => {
  const { backpressure } = create();
  assert.equal(backpressure.exceededLimit(500, 500), undefined);
  assert.equal(backpressure.exceededLimit(600, 500), undefined);
  assert.equal(backpressure.exceededLimit(601, 500), 100);
  assert.equal(backpressure.exceededLimit(600, 100), 100);
});

test('the limit is highWaterMark for the largest buffer of a process that is over its limit', () => {
  const { backpressure, memory } = create();
  memory.reserve('bodies', () => {}).resize(989);
  const other = memory.reserve('bodies', () => other.release());
  other.resize(1);
  assert.equal(backpressure.exceededLimit(10, 1), undefined);
  const large = create({ maxBufferedBytes: 2000 }).backpressure;
  assert.equal(large.exceededLimit(1000, 1), undefined);
  assert.equal(large.exceededLimit(1001, 1), 10);
});

test('it is evicted for another client that needs the memory', () => {
  const { backpressure, memory, evictions } = create({ maxBufferedBytes: 2000 });
  backpressure.exceededLimit(990, 1);
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

for (const keepsUp of [true, false]) {
  test(`senders that wait get ${keepsUp} when it ends with ${keepsUp}`, async () => {
    const { backpressure } = create();
    const waits = [backpressure.wait(), backpressure.wait()];
    backpressure.end(keepsUp);
    assert.deepEqual(await Promise.all(waits), [keepsUp, keepsUp]);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBudget } from '../../src/base/memory-budget.ts';
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
    stats: new SockJSStats('/echo', () => 0),
    budget: new MemoryBudget(),
    logger: new RecordingLogger(),
  };
  return { ...context, backpressure: new Backpressure(context) };
}

test('buffered bytes are counted in stats and budget, and released at the end', () => {
  const { backpressure, stats, budget } = create();
  backpressure.update(50);
  backpressure.update(70);
  assert.equal(stats.dump().bufferedBytes, 70);
  assert.equal(budget.bytes, 70);
  backpressure.end(true);
  assert.equal(stats.dump().bufferedBytes, 0);
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

test('the limit is highWaterMark while the process is over maxTotalBufferedBytes', () => {
  const { backpressure, budget } = create();
  budget.add(990);
  assert.equal(backpressure.exceededLimit(10, 1), undefined);
  assert.equal(backpressure.exceededLimit(11, 1), 10);
});

test('the policy is the setting, or what its function returns for the client', () => {
  assert.equal(create().backpressure.policyFor(CLIENT), 'close');
  const seen: SlowConsumer[] = [];
  const { backpressure } = create({
    slowConsumer: (client) => {
      seen.push(client);
      return 'drop-oldest';
    },
  });
  assert.equal(backpressure.policyFor(CLIENT), 'drop-oldest');
  assert.deepEqual(seen, [CLIENT]);
});

test('a function that returns anything else closes the client', () => {
  const slowConsumer = (() => 'keep') as unknown as () => 'close';
  assert.equal(create({ slowConsumer }).backpressure.policyFor(CLIENT), 'close');
});

test('a function that throws is logged, and closes the client', () => {
  const { backpressure, logger } = create({ slowConsumer: () => assert.fail('broken') });
  assert.equal(backpressure.policyFor(CLIENT), 'close');
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

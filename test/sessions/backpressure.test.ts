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
  backpressure.update(50, 0);
  backpressure.update(70, 20);
  assert.equal(stats.dump().bufferedBytes, 70);
  assert.equal(budget.bytes, 70);
  assert.equal(backpressure.queuedBytes, 20);
  backpressure.end();
  assert.equal(stats.dump().bufferedBytes, 0);
  assert.equal(budget.bytes, 0);
});

test('the limit for bytes that the client has not taken is maxBufferedBytes', () => {
  const { backpressure } = create();
  assert.equal(backpressure.exceededLimit(100, 1), undefined);
  assert.equal(backpressure.exceededLimit(101, 0), 100);
});

test('a burst may be as long as maxTotalBufferedBytes', () => {
  const { backpressure } = create();
  assert.equal(backpressure.exceededLimit(0, 1000), undefined);
  assert.equal(backpressure.exceededLimit(100, 1000), undefined);
  assert.equal(backpressure.exceededLimit(0, 1001), 100);
});

test('while the process is over maxTotalBufferedBytes, the limits are highWaterMark, and maxBufferedBytes for a burst', () => {
  const { backpressure, budget } = create();
  budget.add(1001);
  assert.equal(backpressure.exceededLimit(10, 100), undefined);
  assert.equal(backpressure.exceededLimit(11, 0), 10);
  assert.equal(backpressure.exceededLimit(0, 101), 10);
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

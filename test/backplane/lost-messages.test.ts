/** Reports of messages that a publisher could not publish, over a memory engine. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { BackplaneListener } from '../../src/backplane/backplane.ts';
import { EngineBackplane } from '../../src/backplane/engine-backplane.ts';
import type { Engine } from '../../src/backplane/engine.ts';
import { MemoryEngine, MemoryHub } from '../../src/backplane/memory-engine.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { until } from '../../testkit/until.ts';

function ignore(): void {}

/** Joins a cluster. @returns the backplane, and the messages and reports that it has received */
async function join(
  t: TestContext,
  engine: Engine,
  onUp: () => void = ignore,
): Promise<{ readonly backplane: EngineBackplane; readonly events: readonly string[] }> {
  const events: string[] = [];
  const listener: BackplaneListener = {
    onMessage: (_topic, _from, data) => events.push(data),
    onMissed: () => events.push('(missed)'),
    onMembers: ignore,
    onClaimLost: ignore,
    onUp,
    onDown: ignore,
  };
  const backplane = new EngineBackplane(engine);
  await backplane.join({ namespace: 'test', card: '', listener, logger: new RecordingLogger() });
  t.after(() => backplane.leave());
  return { backplane, events };
}

test('messages that were lost in an outage are reported before the next message', async (t) => {
  const hub = new MemoryHub();
  const faults = new EngineFaults();
  const { backplane: publisher } = await join(t, faults.wrap(new MemoryEngine(hub)), () => {
    publisher.publish('topic', 'next');
  });
  const { backplane: subscriber, events } = await join(t, new MemoryEngine(hub));
  await subscriber.subscribe('topic');
  faults.cut();
  publisher.publish('topic', 'lost');
  await faults.mend();
  await until(() => events.includes('next'), 'the next message');
  assert.deepEqual(events, ['(missed)', 'next']);
});

test('messages that were lost are reported when their publisher leaves', async (t) => {
  class FailingEngine extends MemoryEngine {
    override publish(topic: string, data: string): Promise<void> {
      if (data.endsWith('lost')) return Promise.reject(new Error('not published'));
      return super.publish(topic, data);
    }
  }
  const hub = new MemoryHub();
  const { backplane: publisher } = await join(t, new FailingEngine(hub));
  const { backplane: subscriber, events } = await join(t, new MemoryEngine(hub));
  await subscriber.subscribe('topic');
  publisher.publish('topic', 'lost');
  await new Promise(setImmediate);
  await publisher.leave();
  await new Promise(setImmediate);
  assert.deepEqual(events, ['(missed)']);
});

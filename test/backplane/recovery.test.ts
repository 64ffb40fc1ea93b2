/** Records of a node that recovers from an outage, over a memory engine. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineBackplane } from '../../src/backplane/engine-backplane.ts';
import type { Engine, RecordKind } from '../../src/backplane/engine.ts';
import { MemoryEngine, MemoryHub } from '../../src/backplane/memory-engine.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { until } from '../../testkit/until.ts';

const HEARTBEAT_INTERVAL_MS = 50;

function ignore(): void {}

/** Joins a cluster. @returns the backplane, and the topics of which messages were missed */
async function join(
  t: TestContext,
  engine: Engine,
): Promise<{ readonly backplane: EngineBackplane; readonly missed: readonly string[] }> {
  const missed: string[] = [];
  const backplane = new EngineBackplane(engine, { heartbeatInterval: HEARTBEAT_INTERVAL_MS });
  t.after(() => backplane.leave());
  const listener = {
    onMessage: ignore,
    onMissed: (topic: string | undefined) => missed.push(topic ?? '(all)'),
    onMembers: ignore,
    onClaimLost: ignore,
    onUp: ignore,
    onDown: ignore,
  };
  await backplane.join({ namespace: 'test', card: '', listener, logger: new RecordingLogger() });
  return { backplane, missed };
}

/** An engine that takes 1 s for 2,000 records. */
class SlowEngine extends MemoryEngine {
  override async keep(
    kind: RecordKind,
    records: ReadonlyMap<string, string>,
  ): Promise<readonly string[]> {
    await sleep(records.size / 2);
    return super.keep(kind, records);
  }
}

test('a node with more claims than the engine stores within 2 s recovers', async (t) => {
  const faults = new EngineFaults();
  const hub = new MemoryHub();
  const { backplane } = await join(t, faults.wrap(new SlowEngine(hub)));
  const keys = Array.from({ length: 6000 }, (_, index) => `key${index}`);
  await Promise.all(keys.map((key) => backplane.claim(key)));
  faults.cut();
  hub.clear();
  await faults.mend();
  await until(() => backplane.isUp, 'the recovery');
  const { backplane: other } = await join(t, new MemoryEngine(hub));
  assert.notEqual(await other.owner('key0'), undefined);
  assert.notEqual(await other.owner('key5999'), undefined);
});

/** An engine whose writes of facts can fail alone. */
class FailingEngine extends MemoryEngine {
  writes = 0;
  fails = false;

  override writeFields(key: string, changes: ReadonlyMap<string, string>): Promise<void> {
    this.writes += 1;
    return this.fails ? Promise.reject(new Error('full')) : super.writeFields(key, changes);
  }
}

test('a fact that could not be stored is stored by the next heartbeat, and reported', async (t) => {
  const hub = new MemoryHub();
  const engine = new FailingEngine(hub);
  const { backplane: one } = await join(t, engine);
  const { backplane: two, missed } = await join(t, new MemoryEngine(hub));
  await two.subscribe('topic');
  await one.setFact('topic', 'ann', 'x');
  engine.fails = true;
  await one.setFact('topic', 'ann', undefined);
  assert.equal((await two.facts('topic')).size, 1, 'a reader has the old value');
  await until(() => missed.includes('topic'), 'the report');
  assert.equal((await two.facts('topic')).size, 0);
});

test('facts are not queued for an engine that is away', async (t) => {
  const hub = new MemoryHub();
  const faults = new EngineFaults();
  const engine = new FailingEngine(hub);
  const { backplane: one } = await join(t, faults.wrap(engine));
  const { backplane: two } = await join(t, new MemoryEngine(hub));
  faults.freeze();
  await until(() => !one.isUp, 'the outage');
  await Promise.all(['ann', 'bob'].map((field) => one.setFact('topic', field, 'x')));
  faults.thaw();
  await until(async () => (await two.facts('topic')).size === 1, 'the facts');
  assert.equal(engine.writes, 0);
});

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

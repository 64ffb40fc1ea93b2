/** A node that leaves while its backplane fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_BACKPLANE_LISTENER } from '../../src/backplane/backplane.ts';
import { EngineBackplane } from '../../src/backplane/engine-backplane.ts';
import type { EngineListener } from '../../src/backplane/engine.ts';
import { MemoryEngine, MemoryHub } from '../../src/backplane/memory-engine.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

const HEARTBEAT_INTERVAL_MS = 20;

test('a heartbeat that fails after the node has left is not logged', async () => {
  const faults = new EngineFaults();
  const logger = new RecordingLogger();
  const options = { heartbeatInterval: HEARTBEAT_INTERVAL_MS };
  const backplane = new EngineBackplane(faults.wrap(new MemoryEngine(new MemoryHub())), options);
  await backplane.join({ namespace: 'test', card: '', listener: NO_BACKPLANE_LISTENER, logger });
  faults.freeze();
  await sleep(3 * HEARTBEAT_INTERVAL_MS); // A heartbeat is pending.
  const left = backplane.leave();
  faults.cut();
  await left;
  await sleep(3 * HEARTBEAT_INTERVAL_MS);
  logger.assertNoProblems();
});

test('a node that could not join stays away when its backplane is available again', async (t) => {
  class LateEngine extends MemoryEngine {
    isClosed = false;
    listener: EngineListener | undefined;
    #attempts = 0;

    override connect(namespace: string, listener: EngineListener): Promise<void> {
      this.listener = listener;
      return super.connect(namespace, listener);
    }

    override keepMember(node: string, card: string): Promise<ReadonlyMap<string, string>> {
      this.#attempts += 1;
      if (this.#attempts === 1) return Promise.reject(new Error('read-only'));
      return super.keepMember(node, card);
    }

    override close(): Promise<void> {
      this.isClosed = true;
      return super.close();
    }
  }
  const hub = new MemoryHub();
  const engine = new LateEngine(hub);
  const backplane = new EngineBackplane(engine, { heartbeatInterval: HEARTBEAT_INTERVAL_MS });
  t.after(() => backplane.leave());
  const membership = { namespace: 'test', card: '', listener: NO_BACKPLANE_LISTENER };
  await assert.rejects(
    backplane.join({ ...membership, logger: new RecordingLogger() }),
    /read-only/,
  );
  engine.listener?.onUp();
  await sleep(2 * HEARTBEAT_INTERVAL_MS);
  assert.equal(hub.members.keys().next().done, true, 'no member');
  assert.equal(hub.subscribers.size, 0, 'no subscription');
  assert.ok(engine.isClosed);
});

test('a node that leaves while it recovers is no member afterwards', async () => {
  const faults = new EngineFaults();
  const hub = new MemoryHub();
  const options = { heartbeatInterval: HEARTBEAT_INTERVAL_MS };
  const backplane = new EngineBackplane(faults.wrap(new MemoryEngine(hub)), options);
  const logger = new RecordingLogger();
  await backplane.join({ namespace: 'test', card: '', listener: NO_BACKPLANE_LISTENER, logger });
  faults.cut();
  faults.freeze();
  await faults.mend(); // The recovery begins, and waits.
  const left = backplane.leave();
  faults.thaw();
  await left;
  await sleep(3 * HEARTBEAT_INTERVAL_MS);
  assert.deepEqual([...hub.members.keys()], []);
});

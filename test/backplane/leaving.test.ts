/** A node that leaves while its backplane fails. */
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineBackplane } from '../../src/backplane/engine-backplane.ts';
import { MemoryEngine, MemoryHub } from '../../src/backplane/memory-engine.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

const HEARTBEAT_INTERVAL_MS = 20;

function ignore(): void {}

const LISTENER = {
  onMessage: ignore,
  onMissed: ignore,
  onMembers: ignore,
  onClaimLost: ignore,
  onUp: ignore,
  onDown: ignore,
};

test('a heartbeat that fails after the node has left is not logged', async () => {
  const faults = new EngineFaults();
  const logger = new RecordingLogger();
  const options = { heartbeatInterval: HEARTBEAT_INTERVAL_MS };
  const backplane = new EngineBackplane(faults.wrap(new MemoryEngine(new MemoryHub())), options);
  await backplane.join({ namespace: 'test', card: '', listener: LISTENER, logger });
  faults.freeze();
  await sleep(3 * HEARTBEAT_INTERVAL_MS); // A heartbeat is pending.
  const left = backplane.leave();
  faults.cut();
  await left;
  await sleep(3 * HEARTBEAT_INTERVAL_MS);
  logger.assertNoProblems();
});

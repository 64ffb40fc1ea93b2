/**
 * A node as a process, which `process-node.ts` starts. It writes its events to a file before it goes on, so that they
 * survive SIGKILL. Its clock is that of the machine, which all processes share.
 */
import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../testkit/random.ts';
import { ClusterLog, type ClusterEvent } from './cluster-log.ts';
import { connectEngine } from './engine-servers.ts';
import { HistoryNode } from './history-node.ts';
import { machineTime } from './machine-time.ts';
import {
  type NodeCommand,
  type NodeProcessOptions,
  type NodeReport,
  NOT_JOINED,
} from './node-protocol.ts';

const SESSIONS_PER_NODE = 100_000;
const MAX_STEP_MS = 150;

function report(message: NodeReport): void {
  process.send?.(message);
}

async function run(options: NodeProcessOptions): Promise<void> {
  const { engine, url, namespace, number, seed, logFile, relayPort, advertisedPort } = options;
  const file = openSync(logFile, 'a');
  const log = new ClusterLog(machineTime, (event: ClusterEvent) => {
    writeSync(file, `${JSON.stringify(event)}\n`);
  });
  const random = new SeededRandom(seed);
  let sessions = number * SESSIONS_PER_NODE;
  const node = new HistoryNode({
    name: `n${number}`,
    log,
    names: new Map(),
    random: random.fork('node'),
    nextSession: () => (sessions += 1),
    engine: await connectEngine(engine, url),
    cluster: {
      namespace,
      listen: { host: '127.0.0.1', port: relayPort },
      advertise: { host: '127.0.0.1', port: advertisedPort },
    },
  });
  const quiet = new AbortController();
  process.on('message', (command: NodeCommand) => {
    if (command === 'quiet') quiet.abort();
    if (command === 'presence') void node.logPresence();
    if (command === 'leftovers') node.logLeftovers();
    if (command === 'close') void node.close().then(() => process.exit(0));
    report({ type: 'done', relayed: node.relayed });
  });
  report({ type: 'started', port: await node.start(), id: node.id });
  const steps = random.fork('steps');
  while (!quiet.signal.aborted) {
    await sleep(steps.integer(1, MAX_STEP_MS));
    if (steps.oneIn(2)) node.publish();
    if (steps.oneIn(3)) node.sendSome();
  }
}

try {
  await run(JSON.parse(process.argv[2] ?? '{}') as NodeProcessOptions);
} catch (error) {
  console.error(error);
  process.exit(NOT_JOINED);
}

/**
 * Measures a cluster over Redis on one machine. Nodes are processes and share a core, the load has another one where
 * the system allows it. `redis-server` has to be in the `PATH`.
 *
 *   npm run bench:cluster                       all cases, about eight minutes
 *   npm run bench:cluster -- --quick            all cases, smaller and shorter, in about a minute
 *   npm run bench:cluster -- --only relay       the cases whose names contain this; may be repeated
 *   npm run bench:cluster -- --before FILE      compares this build with another one, of which FILE is the main file
 *   npm run bench:cluster -- --write            replaces the section "Cluster" of RESULTS.md
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { RedisCommands } from '../testkit/redis-commands.ts';
import { startRedis } from '../testkit/redis-server.ts';
import type { Windows } from './cluster/alternate.ts';
import { measureBroadcast } from './cluster/broadcast.ts';
import { countCommands } from './cluster/commands.ts';
import type { ClusterConditions } from './cluster/conditions.ts';
import { holdSessions } from './cluster/hold.ts';
import { Nodes } from './cluster/nodes.ts';
import { measureNodeCounts, measureRelays } from './cluster/relays.ts';
import { type Row, formatCluster, numberRow, ratioRow } from './cluster/report.ts';
import { writeSection } from './sections.ts';
import { measureMembership, measureOlderBuild } from './cluster/unclustered.ts';
import { measureWaiting } from './cluster/waiting-memory.ts';
import { pinLoad } from './server-process.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [''] },
    before: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});

const { quick, before } = options;
const SHARE = quick ? 0.1 : 1;
const WINDOWS: Windows = quick
  ? { length: 200, warmUps: 2, count: 3 }
  : { length: 700, warmUps: 7, count: 15 };
const NODE_COUNTS = [1, 2, 3];
const HELD = { sockets: 7000 * SHARE, polls: 3000 * SHARE };
const CHURN_MS = 20_000 * SHARE;
const WAITING_POLLS = 3000 * SHARE;
/** Open files of the load: a socket for each WebSocket, three for each polling session, and some more. */
const DESCRIPTORS = HELD.sockets + 3 * HELD.polls + 500;
/** More than any case takes. */
const TIMEOUT_MS = 120_000;

type Case = (conditions: ClusterConditions) => Promise<readonly Row[]>;

function checkDescriptors(): void {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' });
  if (Number(stdout) >= DESCRIPTORS || !/^\d+\s*$/.test(stdout)) return;
  throw new Error(
    `Too few open files: ulimit -n is ${stdout.trim()}, ${DESCRIPTORS} are needed. Run: ulimit -n ${DESCRIPTORS}, or --quick.`,
  );
}

const CASES: Readonly<Record<string, Case>> = {
  commands: async (conditions) => {
    const { webSocket, opening, using, ending } = await countCommands(conditions);
    return [
      numberRow('Engine commands of a WebSocket session', webSocket, '', 0),
      numberRow('Engine commands to open an HTTP session and use it on 3 nodes', opening, '', 3),
      numberRow('Engine commands of all further sends and polls', using, '', 0),
      numberRow('Engine commands at its end', ending, '', 1),
    ];
  },
  relay: async (conditions) => {
    const { cost, engineShare } = await measureRelays(conditions, 100, WINDOWS);
    return [
      ratioRow('Send and poll relayed, to the same on the owner', cost, 3),
      numberRow('CPU time of the engine during both, to that of the nodes', engineShare, '', 0.01),
    ];
  },
  latency: async (conditions) => {
    const { p50, p99 } = await measureRelays(conditions, 1, WINDOWS);
    return [
      ratioRow('Time of a relayed send and poll, one client: p50, to that on the owner', p50),
      ratioRow('The same: p99', p99),
    ];
  },
  nodes: async (conditions) => {
    const ratios = await measureNodeCounts(conditions, NODE_COUNTS, WINDOWS);
    return ratios.flatMap((ratio, index) =>
      index === 0
        ? []
        : [ratioRow(`Send and poll on ${NODE_COUNTS[index]} nodes in turn, to one node`, ratio, 3)],
    );
  },
  broadcast: async (conditions) => {
    const { toServers, toOneServer, publishes } = await measureBroadcast(conditions, WINDOWS);
    const title = 'Group broadcast to 3 × 1,000 WebSockets on 3 nodes, per delivery';
    return [
      ratioRow(`${title}, to 3 servers without a cluster`, toServers, 1.05),
      ratioRow('The same, to 3,000 on one server', toOneServer),
      numberRow('Messages to the engine per group broadcast', Math.round(publishes), '', 1),
    ];
  },
  memory: async (conditions) => {
    const { local, owner, edge } = await measureWaiting(conditions, WAITING_POLLS);
    return [
      numberRow('Memory of a waiting poll on the owner', local, ' KiB'),
      numberRow('Memory of a waiting relayed poll, both nodes', owner + edge, ' KiB', 33),
      numberRow('Its part on the node that relays', edge, ' KiB'),
    ];
  },
  member: async (conditions) => {
    const { polling, webSocket } = await measureMembership(conditions, WINDOWS);
    return [
      ratioRow('Send and poll on the owner, to a server without a cluster', polling, 1.05),
      ratioRow('WebSocket echo in a cluster, to a server without one', webSocket, 1.05),
    ];
  },
  before: async (conditions) => {
    if (before === undefined) return [];
    const build = resolve(before);
    const { polling, webSocket } = await measureOlderBuild(conditions, build, WINDOWS);
    return [
      ratioRow('Send and poll without a cluster, to the build before there was one', polling, 1.05),
      ratioRow('WebSocket echo, to the same build', webSocket, 1.05),
    ];
  },
  hold: async (conditions) => {
    checkDescriptors();
    const held = await holdSessions(conditions, HELD, CHURN_MS);
    const sessions = held.sockets + held.polls;
    const title = `Lost of ${sessions} sessions on 3 nodes, of which ${held.replaced} were replaced in ${held.seconds} s`;
    return [numberRow(title, 0, '', 0), numberRow('Requests relayed for them', held.relays)];
  },
};

async function run(name: string, measure: Case, pinned: boolean): Promise<readonly Row[]> {
  process.stderr.write(`${name}\n`);
  const timer = setTimeout(() => {
    throw new Error(`${name} did not end.`);
  }, TIMEOUT_MS);
  const server = await startRedis();
  const redis = await RedisCommands.connect(server.url);
  try {
    return await measure({
      redis,
      pinned,
      start: (nodes) => Nodes.start(server.url, pinned, nodes),
    });
  } finally {
    clearTimeout(timer);
    redis.close();
    await server.close();
  }
}

process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

const pinned = pinLoad();
const rows: Row[] = [];
for (const [name, measure] of Object.entries(CASES)) {
  if (options.only.some((part) => name.includes(part)))
    rows.push(...(await run(name, measure, pinned)));
}
const text = formatCluster(rows, { quick, windows: WINDOWS.count });
console.log(text);
if (options.write) writeSection('## Cluster', text);
process.exit();

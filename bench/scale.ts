/**
 * Measures many sessions on one machine. The server has its own process, and its own core where the system allows it.
 *
 *   npm run bench:scale                 10,000 WebSocket and 2,000 polling sessions with churn, then the cost of a
 *                                       message at 100, 1,000 and 10,000 sessions: about four minutes
 *   npm run bench:scale -- --quick      a tenth of the sessions, in half a minute
 *   npm run bench:scale -- --cluster    the cluster example beside one process
 *   npm run bench:scale -- --rounds 3   three rounds in place of two
 *
 * The server is that of `npm run bench`. It raises `maxSessionsPerAddress` above 10,000, because all clients have one
 * address. No client reaches `maxMessagesPerSecond`, which is a limit per session.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { SOCKJS } from './load/dialects.ts';
import { HTTP1 } from './load/http.ts';
import type { Conditions, Scale } from './load/measure.ts';
import { median } from './results.ts';
import { type ClusterRate, measureCluster } from './scale/cluster.ts';
import { hold } from './scale/hold.ts';
import { type SizeCosts, measureSize } from './scale/sizes.ts';
import { ServerProcess, pinLoad } from './server-process.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    rounds: { type: 'string' },
  },
});

const SHARE = options.quick ? 0.1 : 1;
const SIZES = [100, 1000, 10_000].map((size) => size * SHARE);
const ACTIVE = 100 * SHARE;
const HELD = { sockets: 10_000 * SHARE, polls: 2000 * SHARE };
const HEARTBEAT_MS = 25_000 * SHARE;
const CHURN_MS = HEARTBEAT_MS;
/** Ratio of costs up to which they count as flat. */
const FLAT = 1.25;
/** Open files in addition to those of the sessions. */
const SPARE_DESCRIPTORS = 500;
/** A measurement lasts for one heartbeat interval, so that the cost includes the heartbeats of idle sessions. */
const SCALE: Scale = {
  warm: 3000 * SHARE,
  measured: HEARTBEAT_MS,
  idleShare: SHARE,
  idleHeartbeat: HEARTBEAT_MS,
};
const rounds = Number(options.rounds ?? (options.quick ? 1 : 2));

/** Each session is an open file in this process and in the server. */
function checkDescriptors(needed: number): void {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' });
  if (Number(stdout) >= needed || !/^\d+\s*$/.test(stdout)) return;
  console.error(
    `Too few open files: ulimit -n is ${stdout.trim()}, ${needed} are needed. Run: ulimit -n ${needed}, or --quick.`,
  );
  process.exit(1);
}

async function withServer<T>(
  pinned: boolean,
  use: (conditions: Conditions) => Promise<T>,
): Promise<T> {
  const server = await ServerProcess.start({
    file: 'sockjs-server.ts',
    heartbeat: HEARTBEAT_MS,
    pinned,
    flags: [],
  });
  const result = await use({ server, dialect: SOCKJS, wire: HTTP1, scale: SCALE, profiled: false });
  await server.end();
  return result;
}

function row(...cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

async function measureHeld(pinned: boolean): Promise<void> {
  const held = await withServer(pinned, (conditions) => hold(conditions, HELD, CHURN_MS));
  console.log(
    `\n${held.sockets} WebSocket and ${held.polls} polling sessions at once opened in ${held.opening.toFixed(1)} s. ` +
      `Then ${held.replaced} were replaced in ${(CHURN_MS / 1000).toFixed(1)} s, which used ` +
      `${(100 * held.load).toFixed(0)} % of the server's core. None was lost, and each one echoed at the end. ` +
      `Memory per session: ${held.resident.toFixed(1)} KiB resident, ${held.heap.toFixed(1)} KiB of heap and external memory.\n`,
  );
}

async function measureSizes(pinned: boolean): Promise<void> {
  const costs = SIZES.map((): SizeCosts[] => []);
  for (let round = 1; round <= rounds; round += 1) {
    for (const [index, size] of SIZES.entries()) {
      process.stderr.write(`round ${round} of ${rounds}: ${size} sessions\n`);
      costs[index]?.push(
        await withServer(pinned, (conditions) => measureSize(conditions, size, ACTIVE)),
      );
    }
  }
  const figure = (index: number, pick: (costs: SizeCosts) => number): number =>
    median((costs[index] ?? []).map(pick));
  const first = figure(0, ({ message }) => message);
  row(
    'open sessions',
    'µs per message',
    'ratio',
    'messages/s',
    'µs per opening',
    'KiB resident',
    'KiB heap',
  );
  row(...Array<string>(7).fill('---'));
  for (const [index, size] of SIZES.entries()) {
    const message = figure(index, (all) => all.message);
    row(
      size,
      message.toFixed(1),
      (message / first).toFixed(2),
      figure(index, ({ rate }) => rate).toFixed(0),
      figure(index, ({ opening }) => opening).toFixed(0),
      figure(index, ({ resident }) => resident).toFixed(1),
      figure(index, ({ heap }) => heap).toFixed(1),
    );
  }
  const worst = Math.max(
    ...SIZES.map((_, index) => figure(index, ({ message }) => message) / first),
  );
  console.log(
    `\nThe cost per message, heartbeats of idle sessions included, ${worst <= FLAT ? 'stays flat within' : 'does not stay within'} 25 %: ` +
      `at most ${worst.toFixed(2)} times that at ${SIZES[0]} sessions. ${ACTIVE} clients send messages. Medians of ${rounds}.`,
  );
}

async function measureClusters(): Promise<void> {
  row('served by', 'load', 'messages/s', 'p50 ms', 'p99 ms');
  row(...Array<string>(5).fill('---'));
  await measureCluster(SCALE, rounds, ({ servedBy, load, rate, p50, p99 }: ClusterRate) =>
    row(servedBy, load, rate.toFixed(0), p50.toFixed(1), p99.toFixed(1)),
  );
  console.log('\nThe load shares the cores with the servers. Nothing is pinned.');
}

process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

if (options.cluster) {
  await measureClusters();
} else {
  checkDescriptors(HELD.sockets + HELD.polls + SPARE_DESCRIPTORS);
  const pinned = pinLoad();
  console.log(
    pinned
      ? 'Server and load are pinned to a core each.'
      : 'Server and load are not pinned to cores.',
  );
  await measureHeld(pinned);
  await measureSizes(pinned);
}

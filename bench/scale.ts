/**
 * How it goes with many sessions on one machine; the server has a process and, where it can, a core of its own.
 *
 *   npm run bench:scale                 10,000 WebSocket and 2,000 polling sessions with churn; then what a
 *                                       message costs at 100, 1,000 and 10,000: about four minutes
 *   npm run bench:scale -- --quick      a tenth of everything, in half a minute
 *   npm run bench:scale -- --cluster    the cluster example beside one process
 *   npm run bench:scale -- --rounds 3   instead of 2
 *
 * The server is that of `npm run bench`. One setting of it has to be raised: all clients come from one address,
 * and maxSessionsPerAddress is 10,000. maxMessagesPerSecond is per session, and no client here comes near it.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { SOCKJS } from './load/dialects.ts';
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
const HEARTBEAT_FRAME = 25_000 * SHARE;
const HOLDING = HEARTBEAT_FRAME;
const FLAT = 1.25;
/** Besides those of the sessions. */
const SPARE_DESCRIPTORS = 500;
/** As long as every idle session takes to be told once that the server is there: that is part of the cost. */
const SCALE: Scale = {
  warm: 3000 * SHARE,
  measured: HEARTBEAT_FRAME,
  idleShare: SHARE,
  idleHeartbeat: HEARTBEAT_FRAME,
};
const rounds = Number(options.rounds ?? (options.quick ? 1 : 2));

/** Each session is an open file, here and in the server. */
function checkDescriptors(needed: number): void {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' });
  if (Number(stdout) >= needed || !/^\d+\s*$/.test(stdout)) return;
  console.error(
    `Too few open files: ulimit -n is ${stdout.trim()}, ${needed} are needed. Run: ulimit -n ${needed}, or --quick.`,
  );
  process.exit(1);
}

async function onServer<T>(
  pinned: boolean,
  use: (conditions: Conditions) => Promise<T>,
): Promise<T> {
  const server = await ServerProcess.start({
    file: 'sockjs-server.ts',
    heartbeat: HEARTBEAT_FRAME,
    pinned,
    flags: [],
  });
  const result = await use({ server, dialect: SOCKJS, scale: SCALE, profiled: false });
  await server.end();
  return result;
}

function row(...cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

async function holding(pinned: boolean): Promise<void> {
  const held = await onServer(pinned, (conditions) => hold(conditions, HELD, HOLDING));
  console.log(
    `\n${held.sockets} WebSocket and ${held.polls} polling sessions at once: all open after ${held.opening.toFixed(1)} s; ` +
      `then ${held.replaced} replaced by new ones in ${(HOLDING / 1000).toFixed(1)} s, which kept the server's core ` +
      `${(100 * held.load).toFixed(0)} % busy; none was lost, and each answered in the end. ` +
      `Memory per session: ${held.resident.toFixed(1)} KiB resident, ${held.heap.toFixed(1)} KiB of heap and external.\n`,
  );
}

async function growing(pinned: boolean): Promise<void> {
  const costs = SIZES.map((): SizeCosts[] => []);
  for (let round = 1; round <= rounds; round += 1) {
    for (const [index, size] of SIZES.entries()) {
      process.stderr.write(`round ${round} of ${rounds}: ${size} sessions\n`);
      costs[index]?.push(
        await onServer(pinned, (conditions) => measureSize(conditions, size, ACTIVE)),
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
      `at most ${worst.toFixed(2)} times that at ${SIZES[0]} sessions. ${ACTIVE} clients talk. Medians of ${rounds}.`,
  );
}

async function clustered(): Promise<void> {
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
  await clustered();
} else {
  checkDescriptors(HELD.sockets + HELD.polls + SPARE_DESCRIPTORS);
  const pinned = pinLoad();
  console.log(
    pinned ? 'Server and load have a core each.' : 'Server and load are not pinned to cores.',
  );
  await holding(pinned);
  await growing(pinned);
}

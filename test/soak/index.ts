/**
 * `npm run soak -- --minutes 10`: two thousand clients of all transports come and go, the healthy with the broken.
 * It ends with 0 if the healthy missed nothing, and if afterwards nothing is left at the server.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { listed } from '../fuzz/counts.ts';
import { Load } from './load.ts';
import type { State } from './server.ts';
import { ServerProcess } from './server-process.ts';
import { LIMITS } from './settings.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});

const MINUTE = 60_000;
const REPORT_EVERY = 30_000;
const BROADCAST_EVERY = 5000;
const MOST_SHOWN = 20;
const PATIENCE = 60_000;
/**
 * What the heap may have grown by. Before it is measured first, as many clients have come and gone as will be
 * there later, so that Node's stocks and V8's knowledge are there. What is left is chance: which of those are in
 * use just then. Some 40,000 sessions come and go in ten minutes: 100 bytes lost with each would be seen.
 */
const HEAP_MARGIN = 4 * 1024 * 1024;

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

const faults: string[] = [];
let broadcasts = 0;

function tell(begin: number, { stats, heap, resident, longestBlock }: State, running: Load): void {
  const seconds = Math.round((performance.now() - begin) / 1000);
  const { echoes, broadcasts: told, floods } = running.counts;
  console.log(
    `${seconds} s: ${stats.sessionsActive} sessions, ${stats.sessionsTotal} so far; ` +
      `${echoes} echoes, ${told} broadcasts and ${floods} of floods checked; ` +
      `heap ${mebibytes(heap)}, resident ${mebibytes(resident)}; stood still for ${longestBlock.toFixed(0)} ms; ` +
      `${running.faults.length} faults`,
  );
  for (const fault of running.faults.slice(0, MOST_SHOWN)) console.log(`  ${fault}`);
}

/** Has the clients there for so long. */
async function run(server: ServerProcess, milliseconds: number, seed: string): Promise<Load> {
  const begin = performance.now();
  const end = begin + milliseconds;
  const running = new Load({ port: server.port, clients: Number(values.clients), seed });
  let nextReport = begin + REPORT_EVERY;
  while (performance.now() < end) {
    await delay(Math.min(BROADCAST_EVERY, Math.max(0, end - performance.now())));
    server.broadcast(`b:${(broadcasts += 1)}`);
    if (performance.now() < nextReport) continue;
    nextReport += REPORT_EVERY;
    tell(begin, await server.state(), running);
  }
  await running.end();
  faults.push(...running.faults);
  return running;
}

/** Waits until nothing is left but what was there at the beginning, and measures. */
async function settled(server: ServerProcess, handles: string): Promise<State> {
  const end = performance.now() + PATIENCE;
  for (;;) {
    const state = await server.state(true);
    const { sessionsActive, connectionsActive, bufferedBytes } = state.stats;
    const isSettled = sessionsActive + connectionsActive + bufferedBytes === 0;
    if (isSettled && state.handles === handles) return state;
    if (performance.now() > end) {
      faults.push(`${sessionsActive} sessions are left, ${connectionsActive} receivers`);
      faults.push(`${bufferedBytes} bytes are counted as waiting; handles: ${state.handles}`);
      return state;
    }
    await delay(200);
  }
}

async function soak(): Promise<void> {
  const duration = Number(values.minutes) * MINUTE;
  console.log(`seed: ${values.seed}; ${values.clients} clients; ${JSON.stringify(LIMITS)}`);
  const server = await ServerProcess.start();
  const { handles } = await server.state();
  await run(server, Math.min(MINUTE, duration / 4), `${values.seed}/warming up`);
  const before = await settled(server, handles);
  console.log(`warmed up: heap ${mebibytes(before.heap)}, resident ${mebibytes(before.resident)}`);
  const { clients, counts } = await run(server, duration, values.seed);
  const after = await settled(server, handles);
  await server.end();

  const { stats } = after;
  console.log(`clients: ${listed(clients)}`);
  console.log(`checked: ${listed(counts)}`);
  console.log(`sessions opened: ${stats.sessionsTotal}; ended: ${listed(stats.closed)}`);
  console.log(`refused: ${listed(stats.refused)}; held back: ${stats.throttledTotal}`);
  console.log(`messages: ${stats.packetsRecvTotal} in, ${stats.packetsSentTotal} out`);
  console.log(
    `sessions left: ${stats.sessionsActive}; handles left: ${after.handles}; before: ${handles}`,
  );
  console.log(`heap: ${mebibytes(before.heap)} before, ${mebibytes(after.heap)} after`);
  console.log(`resident: ${mebibytes(before.resident)} before, ${mebibytes(after.resident)} after`);
  if (after.heap - before.heap > HEAP_MARGIN) faults.push('the heap has grown');
  faults.push(...after.errors.map((line) => `an error in the log: ${line}`));
  for (const fault of faults.slice(0, MOST_SHOWN)) console.log(fault);
  console.log(
    faults.length === 0 ? 'nothing was lost, nothing is left' : `${faults.length} faults`,
  );
  process.exitCode = faults.length === 0 ? 0 : 1;
}

// Its own process is ended when this one is.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
await soak();

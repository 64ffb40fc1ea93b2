/**
 * `npm run soak -- --minutes 10`: 2000 clients of all transports and roles, healthy and hostile. It exits with 0 if
 * the healthy ones received everything, and the server has released all sessions, handles and memory afterwards.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { isDeepStrictEqual } from 'node:util';
import { formatCounts } from '../fuzz/counts.ts';
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

const MINUTE_MS = 60_000;
const REPORT_INTERVAL_MS = 30_000;
const BROADCAST_INTERVAL_MS = 5000;
const MAX_PRINTED_FAULTS = 20;
const RELEASE_TIMEOUT_MS = 60_000;
/**
 * Allowed growth of the heap. It is measured first after a warm-up with the full number of clients, when Node's
 * pools and V8's compiled code exist. About 40,000 sessions open in ten minutes, so a leak of 100 bytes per
 * session exceeds it.
 */
const MAX_HEAP_GROWTH_BYTES = 4 * 1024 * 1024;

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

const faults: string[] = [];
let broadcasts = 0;

function printState(
  begin: number,
  { stats, heap, resident, longestBlock }: State,
  running: Load,
): void {
  const seconds = Math.round((performance.now() - begin) / 1000);
  const { echoes, broadcasts: received, floods } = running.counts;
  console.log(
    `${seconds} s: ${stats.sessionsActive} sessions, ${stats.sessionsTotal} so far; ` +
      `${echoes} echoes, ${received} broadcasts and ${floods} flood messages checked; ` +
      `heap ${mebibytes(heap)}, resident ${mebibytes(resident)}; longest block ${longestBlock.toFixed(0)} ms; ` +
      `${running.faults.length} faults`,
  );
  for (const fault of running.faults.slice(0, MAX_PRINTED_FAULTS)) console.log(`  ${fault}`);
}

/** Runs the load for a time. */
async function run(server: ServerProcess, milliseconds: number, seed: string): Promise<Load> {
  const begin = performance.now();
  const end = begin + milliseconds;
  const running = new Load({ port: server.port, clients: Number(values.clients), seed });
  let nextReport = begin + REPORT_INTERVAL_MS;
  while (performance.now() < end) {
    await delay(Math.min(BROADCAST_INTERVAL_MS, Math.max(0, end - performance.now())));
    server.broadcast(`b:${(broadcasts += 1)}`);
    if (performance.now() < nextReport) continue;
    nextReport += REPORT_INTERVAL_MS;
    printState(begin, await server.state(), running);
  }
  await running.end();
  faults.push(...running.faults);
  return running;
}

/** Waits until the server has released everything since its start. @param handles those at its start */
async function settled(server: ServerProcess, handles: State['handles']): Promise<State> {
  const end = performance.now() + RELEASE_TIMEOUT_MS;
  for (;;) {
    const state = await server.state(true);
    const { sessionsActive, connectionsActive, bufferedBytes } = state.stats;
    const isSettled = sessionsActive + connectionsActive + bufferedBytes === 0;
    if (isSettled && isDeepStrictEqual(state.handles, handles)) return state;
    if (performance.now() > end) {
      faults.push(`${sessionsActive} sessions are left, ${connectionsActive} receivers`);
      faults.push(
        `${bufferedBytes} bytes are counted as buffered; handles: ${formatCounts(state.handles)}`,
      );
      return state;
    }
    await delay(200);
  }
}

async function soak(): Promise<void> {
  const duration = Number(values.minutes) * MINUTE_MS;
  console.log(`seed: ${values.seed}; ${values.clients} clients; ${JSON.stringify(LIMITS)}`);
  const server = await ServerProcess.start();
  const { handles } = await server.state();
  await run(server, Math.min(MINUTE_MS, duration / 4), `${values.seed}/warming up`);
  const before = await settled(server, handles);
  console.log(`warmed up: heap ${mebibytes(before.heap)}, resident ${mebibytes(before.resident)}`);
  const { clients, counts } = await run(server, duration, values.seed);
  const after = await settled(server, handles);
  await server.end();

  const { stats } = after;
  console.log(`clients: ${formatCounts(clients)}`);
  console.log(`checked: ${formatCounts(counts)}`);
  console.log(`sessions opened: ${stats.sessionsTotal}; closed: ${formatCounts(stats.closed)}`);
  console.log(`refused: ${formatCounts(stats.refused)}; throttled: ${stats.throttledTotal}`);
  console.log(`messages: ${stats.packetsRecvTotal} in, ${stats.packetsSentTotal} out`);
  console.log(
    `sessions left: ${stats.sessionsActive}; handles: ${formatCounts(handles)} before, ${formatCounts(after.handles)} after`,
  );
  console.log(`heap: ${mebibytes(before.heap)} before, ${mebibytes(after.heap)} after`);
  console.log(`resident: ${mebibytes(before.resident)} before, ${mebibytes(after.resident)} after`);
  if (after.heap - before.heap > MAX_HEAP_GROWTH_BYTES) faults.push('the heap has grown');
  faults.push(...after.errors.map((line) => `an error in the log: ${line}`));
  for (const fault of faults.slice(0, MAX_PRINTED_FAULTS)) console.log(fault);
  console.log(
    faults.length === 0
      ? 'no message was lost, and everything was released'
      : `${faults.length} faults`,
  );
  process.exitCode = faults.length === 0 ? 0 : 1;
}

// The process of the server ends with this one.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
await soak();

/**
 * Measures the server's own CPU time per message, ours beside bare `ws`, in interleaved runs: absolute
 * figures move with the machine, ratios hold. `npm run bench`; bounded, about half a minute.
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type Dialect, echo } from './load.ts';

const RUNS = 5;
const CLIENTS = 100;

interface Peer {
  readonly name: string;
  readonly server: string;
  readonly dialect: Dialect;
}

const SOCKJS: Dialect = {
  path: '/echo/000/bench/websocket',
  wrap: (text) => JSON.stringify([text]),
  unwrap: (payload) =>
    payload.startsWith('a') ? (JSON.parse(payload.slice(1)) as string[]) : undefined,
};
const BARE: Dialect = { path: '/', wrap: (text) => text, unwrap: (payload) => [payload] };

const PEERS: readonly Peer[] = [
  { name: 'bare ws', server: 'servers/bare-ws.ts', dialect: BARE },
  { name: 'sockjs-server', server: 'servers/ours.ts', dialect: SOCKJS },
];

const CASES = [
  { name: 'WebSocket echo, 32 B, 1 in flight', text: 'x'.repeat(32), inFlight: 1, rounds: 300 },
  { name: 'WebSocket echo, 32 B, 16 in flight', text: 'x'.repeat(32), inFlight: 16, rounds: 60 },
  { name: 'WebSocket echo, 1 KiB, 1 in flight', text: 'x'.repeat(1024), inFlight: 1, rounds: 200 },
  { name: 'WebSocket echo, 1 KiB, 16 in flight', text: 'x'.repeat(1024), inFlight: 16, rounds: 30 },
] as const;

/** Pins a process to a core of its own, where the system can. */
function pin(child: ChildProcess, core: number): void {
  spawnSync('taskset', ['-cp', String(core), String(child.pid)], { stdio: 'ignore' });
}

async function answer(child: ChildProcess, field: 'port' | 'cpu'): Promise<number> {
  const [message] = (await once(child, 'message')) as [Record<string, unknown>];
  return Number(message[field]);
}

/** @returns the server's CPU time in microseconds per message */
async function measure(peer: Peer, load: (typeof CASES)[number]): Promise<number> {
  const child = fork(new URL(peer.server, import.meta.url));
  pin(child, 0);
  const port = await answer(child, 'port');
  const readings: number[] = [];
  await echo(port, peer.dialect, { clients: CLIENTS, ...load }, async () => {
    child.send('cpu');
    readings.push(await answer(child, 'cpu'));
  });
  child.disconnect();
  await once(child, 'exit');
  const [before = 0, after = 0] = readings;
  return (after - before) / (CLIENTS * load.inFlight * load.rounds);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

console.log(
  `Server CPU time per message, medians of ${RUNS} interleaved runs, Node ${process.version}\n`,
);
console.log('| case | peer | µs | ratio |\n| --- | --- | --- | --- |');
for (const load of CASES) {
  const times = new Map(PEERS.map(({ name }) => [name, [] as number[]]));
  for (let run = 0; run < RUNS; run += 1) {
    for (const peer of PEERS) times.get(peer.name)?.push(await measure(peer, load));
  }
  const bare = median(times.get('bare ws') ?? []);
  for (const [name, values] of times) {
    const time = median(values);
    console.log(`| ${load.name} | ${name} | ${time.toFixed(1)} | ${(time / bare).toFixed(2)} |`);
  }
}

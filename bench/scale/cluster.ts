/** Maximal rate of the cluster example beside the echo example. The load shares their cores. */
import { fileURLToPath } from 'node:url';
import { Program } from '../../testkit/process.ts';
import { type Actor, type Scale, openMany } from '../load/measure.ts';
import { median } from '../results.ts';
import { PollingClient } from './polling-client.ts';
import { SocketClient } from './socket-client.ts';

const CLIENTS = 100;

export interface ClusterRate {
  readonly servedBy: string;
  readonly load: string;
  /** Round trips per second. */
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
}

interface Session {
  echo(): Promise<void>;
  destroy(): void;
}

async function openPolling(port: number): Promise<Session> {
  const client = await PollingClient.open(port);
  const sender = PollingClient.sender(port);
  return {
    echo: () => client.echo(sender),
    destroy: () => {
      client.destroy();
      sender.destroy();
    },
  };
}

const SERVERS = [
  { name: 'one process', file: 'echo/server.ts', workers: 1 },
  { name: 'a cluster of 2', file: 'cluster/server.ts', workers: 2 },
] as const;
const LOADS = [
  { name: 'WebSocket echo', open: (port: number): Promise<Session> => SocketClient.open(port) },
  { name: 'XHR polling', open: openPolling },
] as const;

/** Starts an example, and waits until all its processes listen. */
async function start(file: string, workers: number): Promise<{ program: Program; port: number }> {
  const script = fileURLToPath(new URL(`../../examples/${file}`, import.meta.url));
  const program = Program.node(script, [], { env: { PORT: '0', WORKERS: String(workers) } });
  const stop = (): void => program.kill('SIGTERM');
  process.once('exit', stop);
  void program.exited({ timeout: Infinity }).then(() => process.off('exit', stop));
  const listening = new RegExp(`(?:[^]*?(?:localhost:|port: )(\\d+)){${workers}}`);
  const [, port] = await program.prints(listening);
  return { program, port: Number(port) };
}

/** Repeats all actions for a time. @returns the times of the round trips in milliseconds, sorted */
async function run(actors: readonly Actor[], milliseconds: number): Promise<number[]> {
  const end = performance.now() + milliseconds;
  const times: number[] = [];
  await Promise.all(
    actors.map(async (actor) => {
      for (let begin = performance.now(); begin < end;) {
        await actor(0);
        const now = performance.now();
        times.push(now - begin);
        begin = now;
      }
    }),
  );
  return times.toSorted((a, b) => a - b);
}

export async function measureCluster(
  { warm, measured }: Scale,
  rounds: number,
  report: (rate: ClusterRate) => void,
): Promise<void> {
  const duration = measured / 5;
  for (const load of LOADS) {
    const all = SERVERS.map((): number[][] => []);
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, { file, workers }] of SERVERS.entries()) {
        const { program, port } = await start(file, workers);
        const sessions = await openMany(CLIENTS, () => load.open(port));
        const actors = sessions.map((session) => () => session.echo());
        await run(actors, warm);
        all[index]?.push(await run(actors, duration));
        for (const session of sessions) session.destroy();
        await program.stop();
      }
    }
    for (const [index, { name }] of SERVERS.entries()) {
      const times = all[index] ?? [];
      const of = (pick: (sorted: readonly number[]) => number): number => median(times.map(pick));
      report({
        servedBy: name,
        load: load.name,
        rate: of((sorted) => (1000 * sorted.length) / duration),
        p50: of((sorted) => sorted[Math.floor(sorted.length * 0.5)] ?? 0),
        p99: of((sorted) => sorted[Math.floor(sorted.length * 0.99)] ?? 0),
      });
    }
  }
}

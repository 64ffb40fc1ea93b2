/** As much as they take: the cluster example beside the echo example, with the load on the same cores. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Actor, type Scale, openMany } from '../load/measure.ts';
import { median } from '../results.ts';
import { PollingClient } from './polling-client.ts';
import { SocketClient } from './socket-client.ts';

const CLIENTS = 100;

export interface ClusterRate {
  readonly servedBy: string;
  readonly load: string;
  /** Messages there and back, per second. */
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

async function start(
  file: string,
  workers: number,
): Promise<{ child: ChildProcess; port: number }> {
  const script = fileURLToPath(new URL(`../../examples/${file}`, import.meta.url));
  const env = { ...process.env, PORT: '0', WORKERS: String(workers) };
  const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = (): void => void child.kill('SIGTERM');
  process.once('exit', stop);
  child.once('exit', () => process.off('exit', stop));
  let printed = '';
  child.stdout.setEncoding('utf8');
  const port = await new Promise<number>((resolve) => {
    child.stdout.on('data', (text: string) => {
      printed += text;
      const ports = [...printed.matchAll(/(?:localhost:|port: )(\d+)/g)];
      if (ports.length === workers) resolve(Number(ports[0]?.[1]));
    });
  });
  return { child, port };
}

/** How long each round trip took, in milliseconds. */
async function act(actors: readonly Actor[], milliseconds: number): Promise<number[]> {
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
        const { child, port } = await start(file, workers);
        const sessions = await openMany(CLIENTS, () => load.open(port));
        const actors = sessions.map((session) => () => session.echo());
        await act(actors, warm);
        all[index]?.push(await act(actors, duration));
        for (const session of sessions) session.destroy();
        child.kill('SIGTERM');
        await once(child, 'exit');
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

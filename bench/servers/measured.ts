/** Common part of the servers under test: reports over IPC, and exits when the benchmark closes the channel. */
import type { Server } from 'node:net';
import { type ELDHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { type SelfTime, startProfile, stopProfile } from './profile.ts';

/** CPU time of the process, in microseconds. */
export interface Usage {
  readonly user: number;
  readonly system: number;
}

/** Memory of the process after a forced collection, in bytes. */
export interface Memory {
  readonly resident: number;
  /** Includes external memory. */
  readonly heap: number;
}

/** Results of queries, by name. */
export interface Results {
  readonly usage: Usage;
  readonly memory: Memory;
  /** Requests that this node of a cluster has relayed to others. */
  readonly relays: number;
  /** Longest stall of the event loop since `watchStalls`, in milliseconds. */
  readonly stall: number;
  readonly 'profile-start': true;
  readonly 'profile-stop': readonly SelfTime[];
}

export type Query = keyof Results;
/** A query, a text to broadcast, or the resolution with which stalls are measured, in milliseconds. */
export type Command =
  | Query
  | { readonly text: string; readonly receivers: number }
  | { readonly watchStalls: number };

/** Interval of heartbeats, in milliseconds. */
export const HEARTBEAT_MS = Number(process.argv[2]);

/** Sends a text to all clients. `receivers` is their number. */
export type Broadcast = (text: string, receivers: number) => void;

function readMemory(): Memory {
  if (globalThis.gc === undefined) throw new Error('Node runs without --expose-gc.');
  globalThis.gc();
  globalThis.gc(); // Frees objects that the first one finalised.
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss, heap: heapUsed + external };
}

/** Measures how late a timer is: monitorEventLoopDelay records the time between its calls. */
class StallWatch {
  #resolution = 0;
  #delays: ELDHistogram | undefined;

  start(resolution: number): void {
    this.#delays?.disable();
    this.#resolution = resolution;
    this.#delays = monitorEventLoopDelay({ resolution });
    this.#delays.enable();
  }

  /** Stops, and returns the longest stall in milliseconds. */
  stop(): number {
    this.#delays?.disable();
    return Math.max(0, (this.#delays?.max ?? 0) / 1e6 - this.#resolution);
  }
}

type Queries = { readonly [Name in Query]: () => Results[Name] | Promise<Results[Name]> };

async function run(query: Query, queries: Queries): Promise<void> {
  process.send?.(await queries[query]());
}

export function serveMeasured(
  server: Server,
  broadcast: Broadcast,
  relays: () => number = () => 0,
): void {
  const stalls = new StallWatch();
  const queries: Queries = {
    usage: () => process.cpuUsage(),
    memory: readMemory,
    relays,
    stall: () => stalls.stop(),
    'profile-start': startProfile,
    'profile-stop': stopProfile,
  };
  process.on('message', (command: Command) => {
    if (typeof command === 'string') void run(command, queries);
    else if ('text' in command) broadcast(command.text, command.receivers);
    else stalls.start(command.watchStalls);
  });
  process.on('disconnect', () => process.exit());
  process.on('SIGINT', () => {}); // The benchmark receives it too, and ends this process.
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
    const address = server.address();
    process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
  });
}

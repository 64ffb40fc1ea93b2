/** One measurement: the CPU time of the server during a load, and its messages. */
import { setTimeout } from 'node:timers/promises';
import type { SelfTime } from '../servers/profile.ts';
import type { Query, Results, Usage } from '../servers/measured.ts';
import type { Dialect } from './dialects.ts';
import type { Wire } from './wire.ts';

/** Scale of a run. Times are in milliseconds. */
export interface Scale {
  readonly warm: number;
  readonly measured: number;
  /** Share of the idle sessions of a full run. */
  readonly idleShare: number;
  readonly idleHeartbeat: number;
}

/** The server under test: a process, or all nodes of a cluster together. */
export interface MeasuredServer {
  /** Port to which clients connect. */
  readonly port: number;
  query<Name extends Query>(name: Name): Promise<Results[Name]>;
  /** Broadcasts a text to all clients. @param receivers the number of clients */
  broadcast(text: string, receivers: number): void;
  /** Measures the stalls of the event loop until they are queried. @param resolution in milliseconds */
  watchStalls(resolution: number): void;
}

/** Conditions of a load. */
export interface Conditions {
  readonly server: MeasuredServer;
  readonly dialect: Dialect;
  readonly wire: Wire;
  readonly scale: Scale;
  readonly profiled: boolean;
}

export interface Measurement {
  /** Cost in the unit of the case: µs of CPU time per message, KiB per session, or ms of CPU time per second. */
  readonly cost: number;
  /** Parts of `cost`: user and system time, or for memory V8's heap with external memory, and the rest. */
  readonly parts: readonly [number, number];
  /** Units per second. */
  readonly rate?: number;
  /** Median of a round trip, in milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
  /** Longest stall of the server's event loop, in milliseconds. */
  readonly stall?: number;
  /** CPU time of the load divided by that of the server. Above 1 the load limits the rate. */
  readonly loadShare?: number;
  readonly profile?: readonly SelfTime[];
}

export type Load = (conditions: Conditions) => Promise<Measurement>;

/** A stall may be longer than its measure by this, in milliseconds. */
const STALL_RESOLUTION_MS = 1;
/** Wakes an idle server so rarely that its CPU time stays the same. */
const IDLE_STALL_RESOLUTION_MS = 20;

function total({ user, system }: Usage): number {
  return user + system;
}

/** The server's CPU time from its creation to `end`. */
class Meter {
  readonly #conditions: Conditions;
  readonly #server: Usage;
  readonly #load = process.cpuUsage();
  readonly #time = performance.now();

  constructor(conditions: Conditions, server: Usage) {
    this.#conditions = conditions;
    this.#server = server;
  }

  static async begin(conditions: Conditions, stallResolution: number): Promise<Meter> {
    if (conditions.profiled) await conditions.server.query('profile-start');
    conditions.server.watchStalls(stallResolution);
    return new Meter(conditions, await conditions.server.query('usage'));
  }

  /** Elapsed time in seconds. */
  get elapsed(): number {
    return (performance.now() - this.#time) / 1000;
  }

  /** @param units divisor of the costs */
  async end(units: number): Promise<Measurement> {
    const load = total(process.cpuUsage(this.#load));
    const { server, profiled } = this.#conditions;
    const usage = await server.query('usage');
    const user = usage.user - this.#server.user;
    const system = usage.system - this.#server.system;
    const measurement = {
      cost: (user + system) / units,
      parts: [user / units, system / units] as const,
      stall: await server.query('stall'),
      loadShare: load / (user + system),
    };
    if (!profiled) return measurement;
    return { ...measurement, profile: await server.query('profile-stop') };
  }
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}

/** One repeated action of a load. `lap` counts the repetitions from 0. */
export type Actor = (lap: number) => Promise<void>;

/** Repeats all actions at the same time: first as a warm-up, then measured. */
export async function repeat(
  conditions: Conditions,
  actors: readonly Actor[],
  unitsPerLap: number,
): Promise<Measurement> {
  const laps = actors.map(() => 0);
  let times: number[] = [];
  const run = async (milliseconds: number): Promise<void> => {
    const deadline = performance.now() + milliseconds;
    await Promise.all(
      actors.map(async (act, index) => {
        for (let begin = performance.now(); begin < deadline;) {
          await act(laps[index] ?? 0);
          laps[index] = (laps[index] ?? 0) + 1;
          const end = performance.now();
          times.push(end - begin);
          begin = end;
        }
      }),
    );
  };
  await run(conditions.scale.warm);
  times = [];
  const meter = await Meter.begin(conditions, STALL_RESOLUTION_MS);
  await run(conditions.scale.measured);
  const seconds = meter.elapsed;
  const units = times.length * unitsPerLap;
  const measurement = await meter.end(units);
  times.sort((a, b) => a - b);
  return {
    ...measurement,
    rate: units / seconds,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    p999: quantile(times, 0.999),
  };
}

/** CPU time while the server sends only heartbeats, in milliseconds per second. All heartbeats have to arrive. */
export async function idle(
  conditions: Conditions,
  milliseconds: number,
  heartbeats: readonly Promise<void>[],
): Promise<Measurement> {
  const meter = await Meter.begin(conditions, IDLE_STALL_RESOLUTION_MS);
  await Promise.all([setTimeout(milliseconds), ...heartbeats]);
  return meter.end(1000 * meter.elapsed);
}

const WARM_UP_SESSIONS = 1000;
const MAX_OPENING = 50;

/** Opens `count` sessions, at most 50 at a time. */
export async function openMany<T>(
  count: number,
  open: (index: number) => Promise<T>,
): Promise<T[]> {
  const opened: T[] = [];
  let next = 0;
  const openNext = async (): Promise<void> => {
    while (next < count) opened.push(await open(next++));
  };
  await Promise.all(Array.from({ length: Math.min(count, MAX_OPENING) }, openNext));
  return opened;
}

/** Resident memory per session, in KiB. The first 1000 sessions, during which the heap grows, are not counted. */
export async function memory<T>(
  { server }: Conditions,
  count: number,
  open: (index: number) => Promise<T>,
): Promise<{ measurement: Measurement; clients: T[] }> {
  const first = await openMany(WARM_UP_SESSIONS, open);
  const before = await server.query('memory');
  const others = await openMany(count, (index) => open(WARM_UP_SESSIONS + index));
  const after = await server.query('memory');
  const resident = (after.resident - before.resident) / count / 1024;
  const heap = (after.heap - before.heap) / count / 1024;
  return {
    measurement: { cost: resident, parts: [heap, resident - heap] },
    clients: [...first, ...others],
  };
}

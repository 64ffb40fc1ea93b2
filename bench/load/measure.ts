/** One measurement: what the server spent between two moments, and what it did for that. */
import { setTimeout } from 'node:timers/promises';
import type { SelfTime } from '../servers/profile.ts';
import type { Usage } from '../servers/measured.ts';
import type { ServerProcess } from '../server-process.ts';
import type { Dialect } from './dialects.ts';

/** How much of everything. Times in milliseconds. */
export interface Scale {
  readonly warm: number;
  readonly measured: number;
  /** Of the sessions that idle in a full run. */
  readonly idleShare: number;
  readonly idleHeartbeat: number;
}

/** What a load is given. */
export interface Conditions {
  readonly server: ServerProcess;
  readonly dialect: Dialect;
  readonly scale: Scale;
  readonly profiled: boolean;
}

export interface Measurement {
  /** In the unit of the case: microseconds of CPU time per message, KiB per session, or ms of CPU time per second. */
  readonly cost: number;
  /** What `cost` is made of: user and system time, or for memory V8's heap with its external memory, and the rest. */
  readonly parts: readonly [number, number];
  /** Per second. */
  readonly rate?: number;
  /** Of a round trip, in milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
  /** The load's CPU time as a part of the server's: over 1, the load was the busier one. */
  readonly loadShare?: number;
  readonly profile?: readonly SelfTime[];
}

export type Load = (conditions: Conditions) => Promise<Measurement>;

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

  static async begin(conditions: Conditions): Promise<Meter> {
    if (conditions.profiled) await conditions.server.ask('profile-start');
    return new Meter(conditions, await conditions.server.ask('usage'));
  }

  /** In seconds. */
  get elapsed(): number {
    return (performance.now() - this.#time) / 1000;
  }

  /** @param units what the costs are divided by */
  async end(units: number): Promise<Measurement> {
    const load = total(process.cpuUsage(this.#load));
    const { server, profiled } = this.#conditions;
    const usage = await server.ask('usage');
    const user = usage.user - this.#server.user;
    const system = usage.system - this.#server.system;
    const measurement = {
      cost: (user + system) / units,
      parts: [user / units, system / units] as const,
      loadShare: load / (user + system),
    };
    if (!profiled) return measurement;
    return { ...measurement, profile: await server.ask('profile-stop') };
  }
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}

/** One actor of a load, who does the same again and again; `lap` counts from 0. */
export type Actor = (lap: number) => Promise<void>;

/** Lets all actors act until the time is up, first to warm up, then measured. */
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
  const meter = await Meter.begin(conditions);
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
  };
}

/** What the server spends while nothing but heartbeats happens, in milliseconds per second; all of them must come. */
export async function idle(
  conditions: Conditions,
  milliseconds: number,
  heartbeats: readonly Promise<void>[],
): Promise<Measurement> {
  const meter = await Meter.begin(conditions);
  await Promise.all([setTimeout(milliseconds), ...heartbeats]);
  return meter.end(1000 * meter.elapsed);
}

const FIRST_SESSIONS = 1000;
const AT_ONCE = 50;

/** Opens so many, some at a time. */
export async function openMany<T>(
  count: number,
  open: (index: number) => Promise<T>,
): Promise<T[]> {
  const opened: T[] = [];
  let next = 0;
  const openNext = async (): Promise<void> => {
    while (next < count) opened.push(await open(next++));
  };
  await Promise.all(Array.from({ length: Math.min(count, AT_ONCE) }, openNext));
  return opened;
}

/** What a session adds to the resident set, in KiB; the first ones, for which the heap grows, do not count. */
export async function memory<T>(
  { server }: Conditions,
  count: number,
  open: (index: number) => Promise<T>,
): Promise<{ measurement: Measurement; clients: T[] }> {
  const first = await openMany(FIRST_SESSIONS, open);
  const before = await server.ask('memory');
  const others = await openMany(count, (index) => open(FIRST_SESSIONS + index));
  const after = await server.ask('memory');
  const resident = (after.resident - before.resident) / count / 1024;
  const heap = (after.heap - before.heap) / count / 1024;
  return {
    measurement: { cost: resident, parts: [heap, resident - heap] },
    clients: [...first, ...others],
  };
}

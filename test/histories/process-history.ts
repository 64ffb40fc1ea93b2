/** One history of nodes as processes, over a real engine and real sockets. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../testkit/random.ts';
import { type ClusterEvent, ClusterLog } from './cluster-log.ts';
import { clusterViolations } from './cluster-rules.ts';
import { type EngineName, startEngineServer } from './engine-servers.ts';
import { HistoryClient } from './history-client.ts';
import { DISCONNECT_DELAY_MS } from './history-node.ts';
import { machineTime } from './machine-time.ts';
import { ProcessNode } from './process-node.ts';
import type { HistoryResult } from './simulation.ts';

const NODES = 3;
const CLIENTS = 12;
const SECOND_MS = 1000;
const MAX_FAULT_INTERVAL_MS = 1500;
const MAX_STALL_MS = 12 * SECOND_MS;
const MAX_OUTAGE_MS = 3 * SECOND_MS;
/** Time in which the nodes recover: the lifetime of a member, and the time to store records again. */
const RECOVERY_MS = 13 * SECOND_MS;
const SETTLING_MS = 7 * SECOND_MS;
/** Time for the sessions to end, and for their close frames to be forgotten. */
const CLOSING_MS = 10 * SECOND_MS;

const FAULTS = [
  'breakOff',
  'breakOff',
  'cutRelays',
  'cutRelays',
  'freezeEngine',
  'stopEngine',
  'restartEngine',
  'kill',
  'stall',
  'close',
] as const;
type Fault = (typeof FAULTS)[number];

class ProcessHistory {
  readonly #engine: EngineName;
  readonly #seed: string;
  readonly #random: SeededRandom;
  readonly #log = new ClusterLog(machineTime);
  readonly #nodes: ProcessNode[] = [];
  readonly #clients: HistoryClient[] = [];
  readonly #faults: Partial<Record<Fault, number>> = {};
  readonly #pending = new Set<Promise<void>>();
  #directory = '';
  #server: Awaited<ReturnType<typeof startEngineServer>> | undefined;
  #isEngineFaulty = false;
  #isQuiet = false;
  #started = 0;
  #attempts = 0;

  constructor(engine: EngineName, seed: string) {
    this.#engine = engine;
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
  }

  async run(faultyMs: number): Promise<HistoryResult> {
    this.#directory = await mkdtemp(join(tmpdir(), 'sockjs-history-'));
    this.#server = await startEngineServer(this.#engine);
    try {
      await this.#runFaults(faultyMs);
      await this.#settle();
    } finally {
      await Promise.all(this.#nodes.map((node) => node.end()));
      await this.#server.close();
    }
    const events = this.#readEvents();
    const violations = clusterViolations(events, { disconnectDelay: DISCONNECT_DELAY_MS });
    await rm(this.#directory, { recursive: true });
    const relayed = this.#nodes.reduce((sum, node) => sum + node.relayed, 0);
    return { seed: this.#seed, events, violations, relayed, faults: this.#faults };
  }

  async #runFaults(faultyMs: number): Promise<void> {
    await Promise.all(Array.from({ length: NODES }, () => this.#startNode()));
    while (this.#nodes.some(({ port }) => port === undefined)) await sleep(10);
    this.#startClients();
    const end = machineTime() + faultyMs;
    while (machineTime() < end) {
      await sleep(this.#random.integer(100, MAX_FAULT_INTERVAL_MS));
      this.#cause(this.#random.pick(FAULTS));
    }
  }

  async #settle(): Promise<void> {
    for (const node of this.#nodes) node.resume();
    await Promise.all(this.#pending);
    for (const client of this.#clients) client.slowDown();
    await sleep(RECOVERY_MS);
    this.#isQuiet = true;
    for (const client of this.#clients) client.quieten();
    for (const node of this.#nodes) node.send('quiet');
    await sleep(SETTLING_MS);
    for (const node of this.#nodes) node.send('presence');
    await sleep(SECOND_MS);
    this.#log.add({ source: 'end', event: 'settled' });
    for (const client of this.#clients) client.end();
    await sleep(CLOSING_MS);
    for (const node of this.#nodes) node.send('leftovers');
    await Promise.all(this.#nodes.map((node) => node.close()));
  }

  /** Returns the events of all processes in their order, from time 0 on. */
  #readEvents(): ClusterEvent[] {
    const names = new Map(this.#nodes.map(({ id, name }) => [id, name]));
    const events = [...this.#log.events, ...this.#nodes.flatMap((node) => node.readEvents())];
    const sorted = events.toSorted((a, b) => a.at - b.at);
    const begin = sorted[0]?.at ?? 0;
    return sorted.map((event) => withNames(event, names, begin));
  }

  async #startNode(): Promise<void> {
    this.#started += 1;
    const number = this.#started;
    const node = ProcessNode.start({
      engine: this.#engine,
      url: this.#server?.url ?? '',
      namespace: 'history',
      number,
      seed: `${this.#seed}/node ${number}`,
      logFile: join(this.#directory, `n${number}.log`),
      log: this.#log,
    });
    this.#nodes.push(await node);
  }

  #startClients(): void {
    const balancer = this.#random.fork('balancer');
    const nextPort = (): number | undefined => {
      const [first, ...others] = this.#nodes.flatMap(({ port }) => port ?? []);
      return first === undefined ? undefined : balancer.pick([first, ...others]);
    };
    for (let index = 0; index < CLIENTS; index += 1)
      this.#clients.push(
        new HistoryClient({
          log: this.#log,
          random: this.#random.fork(`client ${index}`),
          nextPort,
          nextAttempt: () => (this.#attempts += 1),
          mayPollLate: () => !this.#isQuiet,
        }),
      );
  }

  #cause(fault: Fault): void {
    const [first, ...others] = this.#nodes.filter(({ isRunning }) => isRunning);
    if (first === undefined) return;
    const isEngineFault = fault.endsWith('Engine');
    if (isEngineFault && this.#isEngineFaulty) return;
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
    const pending = this.#perform(fault, this.#random.pick([first, ...others])).finally(() => {
      this.#pending.delete(pending);
    });
    this.#pending.add(pending);
  }

  async #perform(fault: Fault, node: ProcessNode): Promise<void> {
    switch (fault) {
      case 'breakOff':
        for (const client of this.#clients) if (this.#random.oneIn(3)) client.breakOff();
        return undefined;
      case 'cutRelays':
        this.#note(`relays to ${node.name} cut`);
        return node.cutRelays();
      case 'freezeEngine':
      case 'restartEngine':
      case 'stopEngine':
        return this.#stopEngine(fault);
      case 'kill':
        await node.kill();
        return this.#startNode();
      case 'stall':
        node.stall();
        await sleep(this.#random.integer(100, MAX_STALL_MS));
        return node.resume();
      case 'close':
        await node.close();
        return this.#startNode();
    }
  }

  async #stopEngine(fault: 'freezeEngine' | 'restartEngine' | 'stopEngine'): Promise<void> {
    this.#isEngineFaulty = true;
    this.#note(fault);
    const ms = this.#random.integer(100, MAX_OUTAGE_MS);
    if (fault === 'freezeEngine') await this.#server?.freeze(ms);
    else {
      await this.#server?.kill();
      await sleep(ms);
      if (fault === 'restartEngine') this.#note('emptied');
      await (fault === 'restartEngine' ? this.#server?.startEmpty() : this.#server?.start());
    }
    this.#note('the engine runs');
    this.#isEngineFaulty = false;
  }

  #note(event: string): void {
    this.#log.add({ source: 'engine', event });
  }
}

/** Replaces the random id of a publisher by its name, and counts the time from the begin. */
function withNames(
  event: ClusterEvent,
  names: ReadonlyMap<string, string>,
  begin: number,
): ClusterEvent {
  const at = event.at - begin;
  if (event.source !== 'topic' || !('from' in event.event) || event.event.from === undefined)
    return { ...event, at };
  const from = names.get(event.event.from) ?? event.event.from;
  return { ...event, at, event: { ...event.event, from } };
}

/** Runs one history, and checks it. @param faultyMs time with faults, in milliseconds */
export function runProcessHistory(
  engine: EngineName,
  seed: string,
  faultyMs: number,
): Promise<HistoryResult> {
  return new ProcessHistory(engine, seed).run(faultyMs);
}

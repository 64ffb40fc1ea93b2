/**
 * One history of a cluster over the memory engine, in virtual time. A seed determines it: which requests reach which
 * node, when messages are sent, how long each event travels, and all faults.
 */
import { MemoryHub } from '../../src/backplane/memory-engine.ts';
import { MemoryNetwork } from '../../testkit/memory-network.ts';
import { SeededRandom } from '../../testkit/random.ts';
import { SimulatedProcess } from '../../testkit/simulated-process.ts';
import { MethodMocks, VirtualProcess } from '../../testkit/virtual-process.ts';
import { type ClusterEvent, ClusterLog } from './cluster-log.ts';
import { type ClusterViolation, clusterViolations } from './cluster-rules.ts';
import { HistoryClient } from './history-client.ts';
import { DISCONNECT_DELAY_MS } from './history-node.ts';
import { SimulatedNode } from './simulated-node.ts';

const SECOND_MS = 1000;
/** Time with faults. */
const FAULTY_MS = 12 * SECOND_MS;
const MAX_STEP_MS = 300;
/** The same while the nodes recover. */
const MAX_RECOVERY_STEP_MS = 1500;
const MAX_TRAVEL_MS = 8;
/** Time in which the nodes recover: the lifetime of a member, and the time to store records again. */
const RECOVERY_MS = 13 * SECOND_MS;
/** Time in which all messages arrive, and the last ones that are lost are reported. */
const SETTLING_MS = 8 * SECOND_MS;
const CLOSING_MS = 12 * SECOND_MS;

/** Faults with their weights. */
const FAULTS = {
  breakOff: 5,
  cutRelay: 3,
  cutNode: 3,
  cutEngine: 2,
  restartEngine: 2,
  freezeEngine: 3,
  deafen: 2,
  kill: 3,
  stall: 4,
  close: 3,
  partition: 2,
} as const;
type Fault = keyof typeof FAULTS;
const FAULT_LIST = Object.entries(FAULTS).flatMap(([fault, weight]) =>
  Array.from({ length: weight }, () => fault as Fault),
) as [Fault, ...Fault[]];

const MAX_NODES = 4;

export interface HistoryResult {
  readonly seed: string;
  readonly events: readonly ClusterEvent[];
  readonly violations: readonly ClusterViolation[];
  /** Number of requests that nodes have relayed. */
  readonly relayed: number;
  /** Number of faults of each kind. */
  readonly faults: Readonly<Partial<Record<Fault, number>>>;
}

class Simulation {
  readonly #random: SeededRandom;
  readonly #virtual: VirtualProcess;
  readonly #network: MemoryNetwork;
  readonly #log: ClusterLog;
  readonly #hub = new MemoryHub();
  readonly #engine = new SimulatedProcess('engine');
  readonly #clientProcess = new SimulatedProcess('clients');
  readonly #nodes: SimulatedNode[] = [];
  readonly #clients: HistoryClient[] = [];
  readonly #names = new Map<string, string>();
  readonly #delay: () => number;
  readonly #faultsPerStep: number;
  readonly #faults: Partial<Record<Fault, number>> = {};
  /** Functions that end the faults that last. */
  readonly #ends = new Set<() => void>();
  #isQuiet = false;
  #sessions = 0;
  #attempts = 0;

  constructor(seed: string, mocks: MethodMocks) {
    this.#random = new SeededRandom(seed);
    this.#virtual = new VirtualProcess(mocks, SimulatedProcess.current);
    const travel = this.#random.fork('travel');
    this.#delay = () => (travel.oneIn(2) ? 1 : travel.integer(1, MAX_TRAVEL_MS));
    this.#network = new MemoryNetwork(mocks, this.#delay);
    this.#log = new ClusterLog(this.#virtual.now);
    this.#faultsPerStep = this.#random.integer(2, 10);
  }

  async run(): Promise<Omit<HistoryResult, 'seed' | 'violations'>> {
    const size = this.#random.integer(2, 3);
    for (let count = 0; count < size; count += 1) this.#startNode();
    await this.#virtual.run(100);
    this.#startClients(this.#random.integer(1, 3));
    const end = this.#virtual.now() + FAULTY_MS;
    while (this.#virtual.now() < end) await this.#step();
    await this.#settle();
    this.#clientProcess.call(() => {
      for (const client of this.#clients) client.end();
    });
    await this.#virtual.run(CLOSING_MS);
    const relayed = this.#nodes.reduce((sum, node) => sum + node.relayed, 0);
    await this.#closeAll();
    return { events: this.#log.events, relayed, faults: this.#faults };
  }

  async #step(): Promise<void> {
    await this.#virtual.run(this.#random.integer(1, MAX_STEP_MS));
    const node = this.#pickNode();
    if (this.#random.oneIn(2)) node?.publish();
    if (this.#random.oneIn(3)) node?.sendSome();
    if (this.#random.oneIn(this.#faultsPerStep)) this.#cause(this.#random.pick(FAULT_LIST));
  }

  /** Ends all faults, and lets everything arrive. */
  async #settle(): Promise<void> {
    for (const end of this.#ends) end();
    for (const client of this.#clients) client.slowDown();
    if (this.#pickNode() === undefined) this.#startNode();
    const recovered = this.#virtual.now() + RECOVERY_MS;
    while (this.#virtual.now() < recovered) {
      await this.#virtual.run(this.#random.integer(1, MAX_RECOVERY_STEP_MS));
      this.#pickNode()?.publish();
    }
    this.#isQuiet = true;
    for (const client of this.#clients) client.quieten();
    await this.#virtual.run(SETTLING_MS);
    for (const node of this.#nodes) if (node.isRunning) node.logPresence();
    await this.#virtual.run(SECOND_MS);
    this.#log.add({ source: 'end', event: 'settled' });
  }

  async #closeAll(): Promise<void> {
    const open = this.#nodes.filter(({ port }) => port !== undefined);
    for (const node of open) node.logLeftovers();
    for (const node of open) void node.close();
    await this.#virtual.run(CLOSING_MS);
    for (const node of this.#nodes) {
      this.#logTimers(node);
      node.process.kill();
      this.#network.drop(node.process);
    }
    this.#network.close();
  }

  #logTimers({ name, process }: SimulatedNode): void {
    const count = this.#virtual.timersOf(process);
    if (count > 0) this.#log.add({ source: 'leftover', node: name, event: `${count} timers left` });
  }

  #startNode(): void {
    const number = this.#nodes.length + 1;
    const name = `n${number}`;
    const node = new SimulatedNode({
      name,
      log: { add: (event) => node.process.isDead || this.#log.add(event) },
      names: this.#names,
      random: this.#random.fork(name),
      nextSession: () => (this.#sessions += 1),
      hub: this.#hub,
      network: this.#network,
      engineProcess: this.#engine,
      delay: this.#delay,
    });
    this.#nodes.push(node);
  }

  #startClients(count: number): void {
    const balancer = this.#random.fork('balancer');
    const nextPort = (): number | undefined => {
      const [first, ...others] = this.#nodes.flatMap(({ port }) => port ?? []);
      return first === undefined ? undefined : balancer.pick([first, ...others]);
    };
    this.#clientProcess.call(() => {
      for (let index = 0; index < count; index += 1)
        this.#clients.push(
          new HistoryClient({
            log: this.#log,
            random: this.#random.fork(`client ${index}`),
            nextPort,
            nextAttempt: () => (this.#attempts += 1),
            mayPollLate: () => !this.#isQuiet,
          }),
        );
    });
  }

  #pickNode(): SimulatedNode | undefined {
    const [first, ...others] = this.#nodes.filter(({ isRunning }) => isRunning);
    return first === undefined ? undefined : this.#random.pick([first, ...others]);
  }

  /** Ends a fault after a random time, in seconds at most, or when all faults end. */
  #endLater(maxSeconds: number, end: () => void): void {
    const endOnce = (): void => {
      if (this.#ends.delete(endOnce)) end();
    };
    this.#ends.add(endOnce);
    setTimeout(endOnce, this.#random.integer(100, maxSeconds * SECOND_MS));
  }

  #cause(fault: Fault): void {
    const node = this.#pickNode();
    if (node === undefined) return;
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
    switch (fault) {
      case 'breakOff':
        return this.#clientProcess.call(() => {
          const [first, ...others] = this.#clients;
          if (first !== undefined) this.#random.pick([first, ...others]).breakOff();
        });
      case 'cutRelay':
        return this.#cutRelay();
      case 'cutNode':
        this.#note(`cut from ${node.name}`);
        node.faults.cut();
        return this.#endLater(14, () => this.#mend(node));
      case 'cutEngine':
        return this.#stopEngine(false);
      case 'restartEngine':
        return this.#stopEngine(true);
      case 'freezeEngine':
        if (this.#engine.state !== 'running') return undefined;
        this.#note('frozen');
        this.#engine.stall();
        return this.#endLater(6, () => {
          this.#note('thawed');
          this.#engine.resume();
        });
      case 'deafen':
        this.#note(`deaf for ${node.name}`);
        return node.faults.deafen();
      case 'kill':
        node.kill();
        return this.#replaceNode();
      case 'stall':
        node.stall();
        return this.#endLater(14, () => node.resume());
      case 'close':
        node.close().catch((error: unknown) => this.#note(`error: ${String(error)}`));
        return this.#replaceNode();
      case 'partition':
        return this.#partition(node);
    }
  }

  #cutRelay(): void {
    const processes = new Set(this.#nodes.map(({ process }) => process));
    const [first, ...others] = this.#network.connections.filter(
      ({ from, to }) => processes.has(from) && processes.has(to),
    );
    if (first === undefined) return;
    const connection = this.#random.pick([first, ...others]);
    this.#note(`relay from ${connection.from.name} to ${connection.to.name} cut`);
    connection.cut();
  }

  #partition(node: SimulatedNode): void {
    const other = this.#pickNode();
    if (other === undefined || other === node) return;
    this.#note(`${node.name} and ${other.name} cut off from each other`);
    this.#network.partition(node.process, other.process);
    this.#endLater(14, () => {
      this.#note('all nodes connected to each other');
      this.#network.heal();
    });
  }

  #stopEngine(isEmpty: boolean): void {
    this.#note('stopped');
    for (const { faults } of this.#nodes) faults.cut();
    if (isEmpty) {
      this.#hub.clear();
      this.#note('emptied');
    }
    this.#endLater(6, () => {
      for (const node of this.#nodes) this.#endLater(1, () => this.#mend(node));
    });
  }

  /** Connects a node to the engine again, as soon as it runs. */
  #mend(node: SimulatedNode): void {
    node.process.run(() => {
      if (!node.faults.isCut) return;
      this.#note(`connected to ${node.name}`);
      void this.#engine.call(() => node.faults.mend());
    });
  }

  #replaceNode(): void {
    const running = this.#nodes.filter(({ port }) => port !== undefined).length;
    if (running < MAX_NODES) this.#endLater(4, () => this.#startNode());
  }

  #note(event: string): void {
    this.#log.add({ source: 'engine', event });
  }
}

/** Runs one history, and checks it. */
export async function runHistory(seed: string): Promise<HistoryResult> {
  const mocks = new MethodMocks();
  try {
    const result = await new Simulation(seed, mocks).run();
    const rules = { disconnectDelay: DISCONNECT_DELAY_MS };
    return { seed, ...result, violations: clusterViolations(result.events, rules) };
  } finally {
    mocks.restore();
  }
}

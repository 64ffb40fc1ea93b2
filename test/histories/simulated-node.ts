/** A node of a cluster in a simulation: its own process, over a memory engine. */
import type { SockJSConnection } from '../../src/index.ts';
import { SockJSRouter } from '../../src/index.ts';
import { MemoryEngine, type MemoryHub } from '../../src/backplane/memory-engine.ts';
import { type SockJSCluster, createCluster } from '../../src/cluster/cluster.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { Direction, type MemoryNetwork } from '../../testkit/memory-network.ts';
import { portOf } from '../../testkit/server.ts';
import { SimulatedProcess } from '../../testkit/simulated-process.ts';
import { LoggingBackplane, type TopicLog } from './logging-backplane.ts';
import { type LoggingNode, loggingConnection } from './logging-connection.ts';

export interface SimulatedNodeOptions extends LoggingNode, Pick<TopicLog, 'names'> {
  readonly hub: MemoryHub;
  readonly network: MemoryNetwork;
  /** The engine as a process. */
  readonly engine: SimulatedProcess;
  readonly delay: () => number;
  readonly disconnectDelay: number;
}

const TOPICS = ['red', 'blue'] as const;
const CLOSE_TIMEOUT_MS = 1000;

export class SimulatedNode {
  readonly name: string;
  readonly process: SimulatedProcess;
  readonly faults: EngineFaults;
  readonly logger = new RecordingLogger();
  readonly #options: SimulatedNodeOptions;
  readonly #backplane: LoggingBackplane;
  readonly #cluster: SockJSCluster;
  readonly #router: SockJSRouter;
  readonly port: number;
  #published = 0;
  #hasJoined = false;
  /** Open for requests. */
  isListed = true;

  constructor(options: SimulatedNodeOptions) {
    const { name, log, names, hub, engine, delay, disconnectDelay } = options;
    this.#options = options;
    this.name = name;
    this.process = new SimulatedProcess(name);
    const toEngine = new Direction(engine, delay);
    const toNode = new Direction(this.process, delay);
    this.faults = new EngineFaults({
      perform: (operation) =>
        new Promise((resolve, reject) => {
          toEngine.carry(() => {
            operation().then(
              (value) => toNode.carry(() => resolve(value)),
              (error: Error) => toNode.carry(() => reject(error)),
            );
          });
        }),
      deliver: toNode.carry,
    });
    const { logger } = this;
    [this.#backplane, this.#cluster, this.#router, this.port] = this.process.call(() => {
      const memory = this.faults.wrap(new MemoryEngine(hub));
      const backplane = new LoggingBackplane(memory, { node: name, log, names });
      const cluster = createCluster({ backplane, listen: { host: '127.0.0.1' }, logger });
      const settings = { cluster, logger, jsessionid: false, disconnectDelay, responseLimit: 300 };
      const router = new SockJSRouter(loggingConnection(options), '/echo', settings);
      const server = router.listen(0, '127.0.0.1');
      void this.#start(cluster);
      return [backplane, cluster, router, portOf(server)];
    });
  }

  /** True once the node has joined, while it is not stalled. */
  get isRunning(): boolean {
    return this.isListed && this.#hasJoined && this.process.state === 'running';
  }

  get relayed(): number {
    return this.#cluster.stats.relayedOut;
  }

  /** Adds to the log everything that the node has not released, although all clients have closed. */
  logLeftovers(): void {
    if (this.#backplane.claims.size > 0) this.#addLeftover(`${this.#backplane.claims.size} claims`);
    const { claims } = this.#cluster.stats;
    if (claims > 0) this.#addLeftover(`${claims} claims of sessions`);
    const { sessionsActive, connectionsActive } = this.#router.stats.dump();
    if (sessionsActive > 0) this.#addLeftover(`${sessionsActive} sessions`);
    if (connectionsActive > 0) this.#addLeftover(`${connectionsActive} receivers`);
    for (const { level, line } of this.logger.take())
      if (level === 'error') this.#addLeftover(line);
  }

  /** @param timers number of timers after the node has closed */
  logTimers(timers: number): void {
    if (timers > 0) this.#addLeftover(`${timers} timers after close`);
  }

  /** Publishes a message to a topic. */
  useTopic(): void {
    const { random } = this.#options;
    const topic = random.pick(TOPICS);
    this.process.call(() => {
      this.#published += 1;
      this.#backplane.publishLogged(topic, `${this.name}-${this.#published}`);
    });
  }

  /** Lets a connection send messages. */
  sendSome(): void {
    const { random } = this.#options;
    const [first, ...others] = this.#router.connections;
    if (first !== undefined) this.process.call(() => sendSomeOf(random.pick([first, ...others])));
  }

  async close(): Promise<void> {
    this.#add('closing');
    await this.process.call(async () => {
      await this.#router.close({ timeout: CLOSE_TIMEOUT_MS });
      this.isListed = false;
      await this.#cluster.close();
    });
    this.#add('closed');
  }

  kill(): void {
    this.isListed = false;
    this.#add('killed');
    this.process.kill();
    this.#options.network.drop(this.process);
  }

  stall(): void {
    this.#add('stalled');
    this.process.stall();
  }

  resume(): void {
    this.process.resume();
    this.#add('resumed');
  }

  async #start(cluster: SockJSCluster): Promise<void> {
    try {
      await cluster.ready();
      this.#hasJoined = true;
      this.#add('started');
      await Promise.all(TOPICS.map((topic) => this.#backplane.subscribeLogged(topic)));
    } catch {
      this.kill();
    }
  }

  #addLeftover(event: string): void {
    this.#options.log.add({ source: 'leftover', node: this.name, event });
  }

  #add(event: 'closed' | 'closing' | 'killed' | 'resumed' | 'stalled' | 'started'): void {
    this.#options.log.add({ source: 'node', node: this.name, event });
  }
}

function sendSomeOf(connection: SockJSConnection & { sendSome?: () => void }): void {
  connection.sendSome?.();
}

/** A node in a simulation: its own process, over a memory engine. */
import { MemoryEngine, type MemoryHub } from '../../src/backplane/memory-engine.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { Direction, type MemoryNetwork } from '../../testkit/memory-network.ts';
import { SimulatedProcess } from '../../testkit/simulated-process.ts';
import { HistoryNode, type HistoryNodeOptions } from './history-node.ts';

export interface SimulatedNodeOptions extends Omit<HistoryNodeOptions, 'engine'> {
  readonly hub: MemoryHub;
  readonly network: MemoryNetwork;
  /** The engine as a process. */
  readonly engineProcess: SimulatedProcess;
  /** Returns the time until an event arrives at the engine, or at the node, in milliseconds. */
  readonly delay: () => number;
}

export class SimulatedNode {
  readonly name: string;
  readonly process: SimulatedProcess;
  readonly faults: EngineFaults;
  readonly #options: SimulatedNodeOptions;
  readonly #node: HistoryNode;
  #port: number | undefined;

  constructor(options: SimulatedNodeOptions) {
    const { name, hub, engineProcess, delay } = options;
    this.#options = options;
    this.name = name;
    this.process = new SimulatedProcess(name);
    const toEngine = new Direction(engineProcess, delay);
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
    this.#node = this.process.call(() => {
      const engine = this.faults.wrap(new MemoryEngine(hub));
      const node = new HistoryNode({ ...options, engine });
      void this.#start(node);
      return node;
    });
  }

  /** Port for clients. Undefined before the node has joined, and once it has closed. */
  get port(): number | undefined {
    return this.#port;
  }

  get isRunning(): boolean {
    return this.#port !== undefined && this.process.state === 'running';
  }

  get relayed(): number {
    return this.#node.relayed;
  }

  logLeftovers(): void {
    this.#node.logLeftovers();
  }

  logPresence(): void {
    this.process.call(() => void this.#node.logPresence());
  }

  publish(): void {
    this.process.call(() => this.#node.publish());
  }

  sendSome(): void {
    this.process.call(() => this.#node.sendSome());
  }

  async close(): Promise<void> {
    await this.process.call(() =>
      this.#node.close(() => {
        this.#port = undefined;
      }),
    );
  }

  kill(): void {
    this.#port = undefined;
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

  async #start(node: HistoryNode): Promise<void> {
    try {
      this.#port = await node.start();
    } catch {
      this.kill();
    }
  }

  #add(event: 'killed' | 'resumed' | 'stalled'): void {
    this.#options.log.add({ source: 'node', node: this.name, event });
  }
}

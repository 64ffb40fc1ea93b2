/** Starts a node as a process, and stalls, kills or closes it. */
import { existsSync, readFileSync } from 'node:fs';
import { Program } from '../../testkit/process.ts';
import { type RelayedConnection, type Stage, TcpRelay } from '../../testkit/tcp-relay.ts';
import { freePorts } from '../../testkit/server.ts';
import type { ClusterEvent, ClusterLog } from './cluster-log.ts';
import {
  NOT_JOINED,
  type NodeCommand,
  type NodeProcessOptions,
  type NodeReport,
} from './node-protocol.ts';

export interface ProcessNodeOptions extends Omit<
  NodeProcessOptions,
  'advertisedPort' | 'relayPort'
> {
  /** Log of the program that starts the nodes. */
  readonly log: ClusterLog;
}

const SCRIPT = new URL('node-process.ts', import.meta.url).pathname;

export class ProcessNode {
  readonly name: string;
  id = '';
  relayed = 0;
  readonly #options: ProcessNodeOptions;
  readonly #program: Program;
  readonly #relay: TcpRelay;
  readonly #relayed: Set<RelayedConnection>;
  #port: number | undefined;
  #state: 'closing' | 'killed' | 'running' | 'stalled' = 'running';

  private constructor(
    options: ProcessNodeOptions,
    program: Program,
    relay: TcpRelay,
    relayed: Set<RelayedConnection>,
  ) {
    this.name = `n${options.number}`;
    this.#options = options;
    this.#program = program;
    this.#relay = relay;
    this.#relayed = relayed;
    void this.#readReports();
  }

  static async start(options: ProcessNodeOptions): Promise<ProcessNode> {
    const [relayPort = 0] = await freePorts(1);
    const relayed = new Set<RelayedConnection>();
    const toServer: Stage = (next, connection) => {
      relayed.add(connection);
      return next;
    };
    const relay = await TcpRelay.start(relayPort, { toServer });
    const { log: _log, ...rest } = options;
    const all: NodeProcessOptions = { ...rest, relayPort, advertisedPort: relay.port };
    const program = Program.node(SCRIPT, [JSON.stringify(all)], { ipc: true });
    return new ProcessNode(options, program, relay, relayed);
  }

  /** Port for clients. Undefined before the node has joined, and once it is closing. */
  get port(): number | undefined {
    return this.#port;
  }

  get isRunning(): boolean {
    return this.#port !== undefined && this.#state === 'running';
  }

  /** Events of the node, with random ids instead of the names of nodes. */
  readEvents(): readonly ClusterEvent[] {
    const { logFile } = this.#options;
    if (!existsSync(logFile)) return [];
    const lines = readFileSync(logFile, 'utf8').split('\n');
    // The last line is empty, or incomplete if the process was killed.
    return lines.slice(0, -1).map((line) => JSON.parse(line) as ClusterEvent);
  }

  send(command: NodeCommand): void {
    if (this.isRunning) this.#program.send(command);
  }

  /** Cuts a connection on which other nodes relay requests to this one. */
  cutRelays(): void {
    for (const connection of this.#relayed) connection.cut('RST');
    this.#relayed.clear();
  }

  stall(): void {
    this.#state = 'stalled';
    this.#add('stalled');
    this.#program.kill('SIGSTOP');
  }

  resume(): void {
    if (this.#state !== 'stalled') return;
    this.#program.kill('SIGCONT');
    this.#state = 'running';
    this.#add('resumed');
  }

  async kill(): Promise<void> {
    this.#port = undefined;
    this.#state = 'killed';
    await this.#program.stop('SIGKILL');
    this.#add('killed');
    await this.#relay.close();
  }

  /** Closes the node, which leaves the cluster. */
  async close(): Promise<void> {
    if (this.isRunning) {
      this.send('close');
      this.#state = 'closing';
      await this.#program.exited();
    }
    await this.end();
  }

  /** Ends everything that is left. */
  async end(): Promise<void> {
    this.#port = undefined;
    if (!this.#program.hasExited) await this.#program.stop('SIGKILL');
    await this.#relay.close();
  }

  async #readReports(): Promise<void> {
    try {
      for (;;) {
        const report = (await this.#program.nextMessage({ timeout: Infinity })) as NodeReport;
        if (report.type === 'done') this.relayed = report.relayed;
        else {
          this.id = report.id;
          if (this.#state === 'running') this.#port = report.port;
        }
      }
    } catch {
      await this.#onExit();
    }
  }

  async #onExit(): Promise<void> {
    this.#port = undefined;
    const { code } = await this.#program.exited();
    if (this.#state === 'killed' || code === 0) return;
    this.#add('killed');
    if (code === NOT_JOINED && this.id === '') return;
    const event = `ended with code ${code}: ${this.#program.output.slice(-2000)}`;
    this.#options.log.add({ source: 'leftover', node: this.name, event });
  }

  #add(event: 'killed' | 'resumed' | 'stalled'): void {
    this.#options.log.add({ source: 'node', node: this.name, event });
  }
}

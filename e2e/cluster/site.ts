/** A cluster as it is deployed: three node processes, an engine, and HAProxy in round robin. */
import assert from 'node:assert/strict';
import type { EngineProcess } from '../../testkit/engine-process.ts';
import { startNats } from '../../testkit/nats-server.ts';
import { Program } from '../../testkit/process.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startRedis } from '../../testkit/redis-server.ts';
import type { TestScope } from '../../testkit/scope.ts';
import { reservedPorts } from '../../testkit/server.ts';
import { TcpRelay } from '../../testkit/tcp-relay.ts';
import { StallingStage } from '../../testkit/network-faults.ts';
import { until } from '../../testkit/until.ts';
import { HAPROXY, type RunningProxy } from '../proxies/cluster-proxies.ts';
import type { NodeCommand, NodeOptions, NodeReport, NodeStats } from './node-messages.ts';

const NODE_FILE = 'e2e/cluster/node.ts';
const NAMES = ['a', 'b', 'c'] as const;

/**
 * Logs path, node, status and kind of end of each request. HAProxy does not log a request that breaks on a connection
 * that it has used before.
 */
function withLog(text: string): string {
  const log = '    log stdout format raw local0\n    log-format "%HP %s %ST %ts"\n';
  return text.replace('defaults\n', `defaults\n${log}`);
}

const SUCCEEDED = / (?:(?:200|204) --|-?\d+ C.)$/;

/** The process of a node. */
export class NodeProcess {
  readonly options: NodeOptions;
  /** Texts that `onMessage` of any process of this node has received. */
  readonly texts = new Set<string>();
  #program: Program;
  #waiters: { readonly type: NodeReport['type']; resolve(report: NodeReport): void }[] = [];
  #lines = '';

  constructor(options: NodeOptions) {
    this.options = options;
    this.#program = this.#start();
  }

  get name(): string {
    return this.options.name;
  }

  get port(): number {
    return this.options.port;
  }

  /** Everything that the processes of this node have printed. */
  get output(): string {
    return this.#lines + this.#program.output;
  }

  async ready(): Promise<this> {
    await this.#next('ready');
    return this;
  }

  kill(signal: NodeJS.Signals): void {
    this.#program.kill(signal);
  }

  async stop(): Promise<void> {
    await this.#program.stop('SIGKILL');
  }

  /** Starts another process on the same ports, as a service manager does. */
  async restart(): Promise<void> {
    await this.stop();
    this.#lines += this.#program.output;
    this.#program = this.#start();
    await this.ready();
  }

  async ask<Type extends NodeReport['type']>(
    command: NodeCommand,
    type: Type,
  ): Promise<Extract<NodeReport, { type: Type }>> {
    const report = this.#next(type);
    this.#program.send(command);
    return report;
  }

  stats(): Promise<NodeStats> {
    return this.ask({ type: 'stats' }, 'stats');
  }

  #start(): Program {
    const program = Program.node(NODE_FILE, [JSON.stringify(this.options)], { ipc: true });
    void this.#read(program);
    return program;
  }

  async #read(program: Program): Promise<void> {
    try {
      for (;;) {
        const report = (await program.nextMessage({ timeout: Infinity })) as NodeReport;
        if (report.type === 'messages') for (const text of report.texts) this.texts.add(text);
        const waiting = this.#waiters.filter(({ type }) => type === report.type);
        this.#waiters = this.#waiters.filter(({ type }) => type !== report.type);
        for (const waiter of waiting) waiter.resolve(report);
      }
    } catch {
      // The process has ended.
    }
  }

  #next<Type extends NodeReport['type']>(type: Type): Promise<Extract<NodeReport, { type: Type }>> {
    const program = this.#program;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ type, resolve: resolve as (report: NodeReport) => void });
      program
        .exited({ timeout: Infinity })
        .then(() => reject(new Error(`Node ${this.name} has ended:\n${program.output}`)), reject);
    });
  }
}

/** The network between a node and another program. */
export interface NetworkPath {
  readonly relay: TcpRelay;
  readonly stalling: StallingStage;
}

async function startPath(scope: TestScope, targetPort: number): Promise<NetworkPath> {
  const stalling = new StallingStage();
  const { stage } = stalling;
  const relay = await TcpRelay.start(targetPort, { toServer: stage, toClient: stage });
  scope.after(() => relay.close());
  return { relay, stalling };
}

export class ClusterSite {
  readonly engine: EngineProcess;
  readonly nodes: readonly [NodeProcess, NodeProcess, NodeProcess];
  readonly proxy: RunningProxy;
  /** Network between each node and the engine. */
  readonly enginePaths: readonly NetworkPath[];
  /** Network between the nodes: from the first one to the relay listener of the second one. */
  readonly nodePaths: ReadonlyMap<string, NetworkPath>;

  constructor(
    parts: Pick<ClusterSite, 'engine' | 'enginePaths' | 'nodePaths' | 'nodes' | 'proxy'>,
  ) {
    this.engine = parts.engine;
    this.nodes = parts.nodes;
    this.proxy = parts.proxy;
    this.enginePaths = parts.enginePaths;
    this.nodePaths = parts.nodePaths;
  }

  get url(): string {
    return `http://127.0.0.1:${this.proxy.port}/echo`;
  }

  path(from: NodeProcess, to: NodeProcess): NetworkPath {
    const path = this.nodePaths.get(`${from.name} ${to.name}`);
    assert.ok(path !== undefined);
    return path;
  }

  others(node: NodeProcess): NodeProcess[] {
    return this.nodes.filter((other) => other !== node);
  }

  /** Waits until every node has as many members as there are nodes. */
  async allMembers(): Promise<void> {
    const areComplete = async (): Promise<boolean> => {
      const all = await Promise.all(this.nodes.map((node) => node.stats()));
      return all.every(({ members, isUp }) => isUp && members === this.nodes.length);
    };
    await until(areComplete, 'all nodes to see each other', { timeout: 30_000 });
  }

  /**
   * True if the node has ended while it sent a stream of the session. In Node.js, sockjs-client does not notice that
   * the stream of xhr-streaming breaks. Browsers do.
   */
  hasBrokenStream(session: string, ended: NodeProcess): boolean {
    const line = new RegExp(`/${session}/xhr_streaming ${ended.name} 200 S`);
    return line.test(this.proxy.program.stdout);
  }

  /** Requests of a session that a node other than `ended` has refused, or broken off. */
  failuresOf(session: string, ended: NodeProcess): string[] {
    return this.proxy.program.stdout
      .split('\n')
      .filter((line) => line.includes(session) && !line.includes(` ${ended.name} `))
      .filter((line) => !SUCCEEDED.test(line));
  }
}

/** Polls a session, and waits longer than a node takes to notice that another one has ended. */
export async function waitingPoll(port: number, session: string): Promise<string> {
  const request = { method: 'POST', path: `${session}/xhr` };
  const { body } = await httpRequest(port, request, { timeout: 30_000 });
  return body.trimEnd();
}

export interface SiteOptions {
  readonly engine?: NodeOptions['engine'];
  /** Connects the nodes to the engine without a relay, which would buffer what a node does not read. */
  readonly direct?: boolean;
  /** In milliseconds. 5 s. */
  readonly disconnectDelay?: number;
}

/** Starts a cluster, which is stopped at the end of the test. */
export async function startSite(
  scope: TestScope,
  { engine: engineName = 'redis', direct = false, disconnectDelay = 5000 }: SiteOptions = {},
): Promise<ClusterSite> {
  const engine: EngineProcess = engineName === 'redis' ? await startRedis() : await startNats();
  scope.after(() => engine.close());
  const ports = await reservedPorts(2 * NAMES.length);
  const nodePaths = new Map<string, NetworkPath>();
  const enginePaths: NetworkPath[] = [];
  const start = async (name: string, index: number): Promise<NodeProcess> => {
    const enginePath = await startPath(scope, engine.port);
    enginePaths[index] = enginePath;
    const enginePort = direct ? engine.port : enginePath.relay.port;
    const routes: Record<string, number> = {};
    for (const [other, otherName] of NAMES.entries()) {
      const relayPort = ports[NAMES.length + other] ?? 0;
      if (other === index) continue;
      const path = await startPath(scope, relayPort);
      nodePaths.set(`${name} ${otherName}`, path);
      routes[relayPort] = path.relay.port;
    }
    const node = new NodeProcess({
      name,
      engine: engineName,
      engineUrl: `${engineName}://127.0.0.1:${enginePort}`,
      port: ports[index] ?? 0,
      relayPort: ports[NAMES.length + index] ?? 0,
      routes,
      disconnectDelay,
    });
    scope.after(() => node.stop());
    return node.ready();
  };
  const [a, b, c] = await Promise.all(NAMES.map(start));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const nodes = [a, b, c] as const;
  const proxy = await HAPROXY.start(
    scope,
    nodes.map(({ port }) => port),
    withLog,
  );
  const site = new ClusterSite({ engine, nodes, proxy, enginePaths, nodePaths });
  await site.allMembers();
  return site;
}

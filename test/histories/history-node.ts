/** A node of a history: its router, whose connections log their events, and its part of the cluster. */
import { once } from 'node:events';
import type { Engine } from '../../src/backplane/engine.ts';
import {
  type ClusterOptions,
  type PresenceMember,
  type SockJSCluster,
  SockJSRouter,
  createCluster,
} from '../../src/index.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { portOf } from '../../testkit/server.ts';
import { GROUP, groupText } from './cluster-log.ts';
import { LoggingBackplane, type TopicLog } from './logging-backplane.ts';
import {
  type LoggingNode,
  type SendingConnection,
  loggingConnection,
} from './logging-connection.ts';

/** Time for which a node keeps a closed session, in milliseconds. */
export const DISCONNECT_DELAY_MS = 3000;

const TOPICS = ['red', 'blue'] as const;
const CLOSE_TIMEOUT_MS = 1000;
const HOST = '127.0.0.1';

export interface HistoryNodeOptions
  extends Omit<LoggingNode, 'watchMissed'>, Pick<TopicLog, 'names'> {
  readonly engine: Engine;
  readonly cluster?: Partial<ClusterOptions>;
}

export class HistoryNode {
  readonly #options: HistoryNodeOptions;
  readonly #logger = new RecordingLogger();
  readonly #backplane: LoggingBackplane;
  readonly #cluster: SockJSCluster;
  readonly #router: SockJSRouter<SendingConnection>;
  readonly #port: Promise<number>;
  #published = 0;
  #watched: Map<string, PresenceMember> | undefined;
  #unwatch = (): void => {};

  constructor(options: HistoryNodeOptions) {
    this.#options = options;
    const { name, log, names, engine, cluster } = options;
    const logger = this.#logger;
    this.#backplane = new LoggingBackplane(engine, { node: name, log, names });
    this.#cluster = createCluster({
      backplane: this.#backplane,
      listen: { host: HOST },
      logger,
      ...cluster,
    });
    this.#router = new SockJSRouter(loggingConnection(this.#loggingNode), '/echo', {
      cluster: this.#cluster,
      logger,
      jsessionid: false,
      disconnectDelay: DISCONNECT_DELAY_MS,
      responseLimit: 300, // Streams end often, and go on on another node.
    });
    const server = this.#router.listen(0, HOST);
    // A group is also used without a watcher that stays.
    if (options.random.oneIn(2)) this.#watchGroup();
    this.#port = once(server, 'listening').then(() => portOf(server));
  }

  get id(): string {
    return this.#cluster.id;
  }

  /** Number of requests that the node has relayed. */
  get relayed(): number {
    return this.#cluster.stats.relayedOut;
  }

  /**
   * Joins the cluster, and subscribes to the topics.
   * @returns the port
   */
  async start(): Promise<number> {
    await this.#cluster.ready();
    const { name, log } = this.#options;
    log.add({ source: 'node', node: name, event: 'started' });
    for (const topic of TOPICS) void this.#backplane.subscribeLogged(topic);
    return this.#port;
  }

  /** Publishes a message to a topic or to the group. */
  publish(): void {
    this.#published += 1;
    if (this.#options.random.oneIn(3)) return this.#publishToGroup();
    const topic = this.#options.random.pick(TOPICS);
    this.#backplane.publishLogged(topic, `${this.#options.name}-${this.#published}`);
  }

  /** Lets a connection send messages. */
  sendSome(): void {
    const [first, ...others] = this.#router.connections;
    if (first !== undefined) this.#options.random.pick([first, ...others]).sendSome();
  }

  /** Adds to the log everything that the node has not released, although all clients have closed. */
  logLeftovers(): void {
    const { sessionsActive, connectionsActive } = this.#router.stats.dump();
    const counts = {
      'claims in the backplane': this.#backplane.claims.size,
      'claims of sessions': this.#cluster.stats.claims,
      sessions: sessionsActive,
      receivers: connectionsActive,
    };
    for (const [name, count] of Object.entries(counts))
      if (count > 0) this.#addLeftover(`${count} ${name} left`);
    for (const { level, line } of this.#logger.take())
      if (level === 'error') this.#addLeftover(line);
  }

  /** Closes the router, and then leaves the cluster. */
  async close(onRouterClosed: () => void = () => {}): Promise<void> {
    const { name, log } = this.#options;
    log.add({ source: 'node', node: name, event: 'closing' });
    await this.#router.close({ timeout: CLOSE_TIMEOUT_MS });
    onRouterClosed();
    await this.#cluster.close();
    this.#unwatch();
    log.add({ source: 'node', node: name, event: 'closed' });
  }

  /** Adds the members of the group to the log. */
  async logPresence(): Promise<void> {
    this.#addPresence('read', await this.#router.group(GROUP).presence());
    if (this.#watched !== undefined) this.#addPresence('watched', [...this.#watched.values()]);
  }

  /** Keeps the members of the group as a watcher knows them. */
  #watchGroup(): void {
    const watched = new Map<string, PresenceMember>();
    const set = (member: PresenceMember): void => {
      watched.set(`${member.node} ${member.id}`, member);
    };
    this.#watched = watched;
    this.#unwatch = this.#router.group(GROUP).watch({
      joined: set,
      updated: set,
      left: (member) => void watched.delete(`${member.node} ${member.id}`),
    });
  }

  #publishToGroup(): void {
    const { name, log } = this.#options;
    const text = groupText(name, this.#published);
    log.add({ source: 'topic', node: name, topic: GROUP, event: { type: 'published', text } });
    this.#router.group(GROUP).broadcast(text);
  }

  get #loggingNode(): LoggingNode {
    const watchMissed = (missed: () => void): (() => void) =>
      this.#router.group(GROUP).watch({ missed });
    return { ...this.#options, watchMissed };
  }

  #addPresence(event: 'read' | 'watched', list: readonly PresenceMember[]): void {
    const { name, log } = this.#options;
    const members = list.map(({ presence }) => String(presence));
    log.add({ source: 'presence', node: name, topic: GROUP, event, members });
  }

  #addLeftover(event: string): void {
    const { name, log } = this.#options;
    log.add({ source: 'leftover', node: name, event });
  }
}

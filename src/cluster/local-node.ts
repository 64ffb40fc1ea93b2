import { once } from 'node:events';
import { SockJSError } from '../base/errors.ts';
import { CONSOLE_LOGGER, describeError } from '../base/logging.ts';
import { RouterLog } from '../base/router-log.ts';
import type { RelayOutcome } from '../relay/relay-call.ts';
import type { RelayTarget } from '../hosts/node/outgoing-link.ts';
import { RelayClient, type RelayedRequest } from '../hosts/node/relay-client.ts';
import { RelayListener } from '../hosts/node/relay-listener.ts';
import type { RelayHandler } from '../relay/relay-server.ts';
import type { Groups } from '../groups/groups.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { Backplane, BackplaneListener, NodeId } from '../backplane/backplane.ts';
import { ClusterGroups } from './cluster-groups.ts';
import type { ClusterOptions } from './cluster-options.ts';
import type { ClusterStats } from './cluster-stats.ts';
import { findPrivateHost } from './private-host.ts';
import { formatCard } from './node-card.ts';
import { type ClusterNodeInfo, NodeDirectory } from './node-directory.ts';
import type { ClusterNode, RelayOptions, RoutingCounts } from './session-relays.ts';
import type { SessionRouting } from './session-routing.ts';

/** A router of this node. */
export interface NodeRouter {
  readonly routing: SessionRouting;
  /** Handler of relayed requests. */
  readonly handler: RelayHandler;
  /** Closes the router. */
  close(): Promise<void>;
}

function relayedRequest({ exchange, client, state }: RequestContext): RelayedRequest {
  const query = exchange.query === '' ? '' : `?${exchange.query}`;
  return { exchange, client, url: state.prefix + exchange.path + query };
}

/** This process as a node of its cluster: its routers, its private listener, and the other nodes. */
export class LocalNode implements ClusterNode, BackplaneListener {
  readonly backplane: Backplane;
  readonly #logger: RouterLog;
  readonly #options: ClusterOptions;
  readonly #routers = new Set<NodeRouter>();
  readonly #groups: ClusterGroups;
  readonly #relays: RelayClient;
  readonly #listener: RelayListener;
  readonly #ready: Promise<void>;
  readonly #nodes: NodeDirectory;
  #closed: Promise<void> | undefined;
  #id: NodeId = '';
  #state: 'joining' | 'joined' | 'failed' | 'left' = 'joining';
  #isDraining = false;
  /** Card that the other nodes read, or will read soon. */
  #storedCard = '';
  #relayedIn = 0;
  #relayedOut = 0;
  readonly counts: RoutingCounts = { lookups: 0, ownersLost: 0 };

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.backplane = options.backplane;
    // Warnings are logged once.
    this.#logger = new RouterLog(options.logger ?? CONSOLE_LOGGER, '');
    this.#groups = new ClusterGroups(this, this.#logger);
    this.#relays = new RelayClient((target, error) => this.#warnOfNode(target, error));
    this.#nodes = new NodeDirectory(this.#logger, this.#relays, () => this.backplane.secret);
    this.#listener = new RelayListener({
      secret: () => this.backplane.secret,
      node: () => this.#id,
      routers: this.#routers,
      onRelayed: () => {
        this.#relayedIn += 1;
      },
      onOtherVersion: () => this.#warnOfVersion(),
    });
    this.#ready = this.#join();
    this.#ready.catch((error: unknown) => {
      this.#state = 'failed';
      this.#logger.error(
        `This node could not join its cluster. Until it is restarted, sessions over HTTP get 503: ${describeError(error)}`,
      );
    });
  }

  /** Prefix of all keys and topics. */
  get namespace(): string {
    return this.#options.namespace ?? 'sockjs';
  }

  /** Random name of this node. '' before it has joined. */
  get id(): NodeId {
    return this.#id;
  }

  /** Address of the relay listener, or undefined before it listens. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    const address = this.#listener.server.address();
    if (typeof address !== 'object' || address === null) return undefined;
    return { host: address.address, port: address.port };
  }

  /** Names of all nodes, this one included. */
  get members(): readonly NodeId[] {
    return this.#nodes.ids;
  }

  /** All nodes, this one included. */
  get nodes(): readonly ClusterNodeInfo[] {
    return this.#nodes.infos;
  }

  /** Statistics of this node. */
  get stats(): ClusterStats {
    const { isUp, lostPublishes } = this.backplane;
    let claims = 0;
    for (const { routing } of this.#routers) claims += routing.claimCount;
    return {
      backplaneUp: isUp,
      claims,
      members: this.#nodes.size,
      relayedIn: this.#relayedIn,
      relayedOut: this.#relayedOut,
      ...this.counts,
      lostPublishes,
    };
  }

  /** Resolves when this node has joined, and rejects with the reason if it cannot. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /**
   * Closes the routers of this node that are not closed yet, and leaves the cluster. A second call returns the same
   * promise.
   */
  close(): Promise<void> {
    this.#closed ??= this.#leave();
    return this.#closed;
  }

  get hasFailed(): boolean {
    return this.#state === 'failed';
  }

  /** Checks whether a router may use this cluster. */
  checkRouter(prefix: string): void {
    if (this.#closed !== undefined) {
      throw new SockJSError(
        'ERR_SETTING',
        'The setting cluster is a cluster that is closed. Create another one, with another backplane.',
      );
    }
    for (const { routing } of this.#routers) {
      if (routing.prefix !== prefix) continue;
      throw new SockJSError(
        'ERR_SETTING',
        `The setting cluster is a cluster of another router with the prefix '${prefix}'. ` +
          'Attach that router to both servers, or choose another prefix.',
      );
    }
  }

  /** Adds a router, which gets the relayed requests below its prefix. */
  addRouter(router: NodeRouter): void {
    this.#routers.add(router);
    this.#isDraining = false;
    this.#updateCard();
  }

  /** Called when a router has begun to close. */
  onDraining(): void {
    if ([...this.#routers].every(({ routing }) => routing.isDraining)) this.#isDraining = true;
    this.#updateCard();
  }

  /** Removes a router that is closed. */
  removeRouter(router: NodeRouter): void {
    this.#routers.delete(router);
  }

  isMember(node: NodeId): boolean {
    return this.#nodes.has(node);
  }

  relay(owner: NodeId, context: RequestContext, options: RelayOptions): Promise<RelayOutcome> {
    const target = this.#nodes.targetOf(owner);
    if (target === undefined) {
      options.onEnd();
      if (!this.#nodes.has(owner)) return Promise.resolve('gone');
      this.#warnOfVersion();
      return Promise.resolve('refused');
    }
    this.#relayedOut += 1;
    const relayed = { ...relayedRequest(context), ...options };
    return this.#relays.relay(target, this.backplane.secret, relayed);
  }

  release(owner: NodeId, context: RequestContext): void {
    const target = this.#nodes.targetOf(owner);
    if (target === undefined) return;
    this.#relays.release(target, this.backplane.secret, relayedRequest(context));
  }

  /** Returns the groups of the routers with a prefix. */
  groups(prefix: string): Groups {
    return this.#groups.of(prefix);
  }

  onMessage(topic: string, from: NodeId, data: string): void {
    this.#groups.onMessage(topic, from, data);
  }

  onMissed(topic: string | undefined): void {
    this.#groups.onMissed(topic);
  }

  onMembers(cards: ReadonlyMap<NodeId, string>): void {
    this.#nodes.update(cards, this.#id);
    this.#groups.onNodes(new Set(cards.keys()));
  }

  onClaimLost(key: string): void {
    for (const { routing } of this.#routers) routing.onClaimLost(key);
  }

  onUp(): void {
    this.#groups.onUp();
  }

  onDown(): void {}

  async #join(): Promise<void> {
    const { listen = {} } = this.#options;
    const host = listen.host ?? findPrivateHost();
    // Otherwise the workers of `node:cluster` would share one port.
    this.#listener.server.listen({ port: listen.port ?? 0, host, exclusive: true });
    await once(this.#listener.server, 'listening');
    // An error of a connection that could not be accepted.
    this.#listener.server.on('error', (error) => {
      this.#logger.error(`The relay listener has an error: ${describeError(error)}`);
    });
    const card = this.#card;
    this.#storedCard = card;
    this.#id = await this.backplane.join({
      namespace: this.namespace,
      card,
      listener: this,
      logger: this.#logger,
    });
    this.#state = 'joined';
    this.#updateCard();
  }

  async #leave(): Promise<void> {
    await Promise.all([...this.#routers].map((router) => router.close()));
    await this.#ready.catch(() => {});
    this.#state = 'left';
    await this.backplane.leave();
    this.#nodes.clear();
    this.#relays.close();
    await this.#listener.close();
  }

  get #card(): string {
    const { listen, advertise } = this.#options;
    return formatCard({
      host: advertise?.host ?? listen?.host ?? this.address?.host ?? '',
      port: advertise?.port ?? this.address?.port ?? 0,
      isDraining: this.#isDraining,
      prefixes: [...this.#routers].map(({ routing }) => routing.prefix),
    });
  }

  /** Stores the card of this node if it has changed, once for all changes of this turn. */
  #updateCard(): void {
    setImmediate(() => {
      const card = this.#card;
      if (this.#state !== 'joined' || card === this.#storedCard) return;
      this.#storedCard = card;
      // A card that cannot be stored is stored by the next heartbeat.
      this.backplane.setCard(card).catch(() => {});
    });
  }

  #warnOfVersion(): void {
    this.#logger.warn(
      'Another node of the cluster has a version of sockjs-server that this one does not understand. ' +
        'Requests between them get 503. Update all nodes.',
    );
  }

  #warnOfNode({ node, host, port }: RelayTarget, error: Error): void {
    if (!this.isMember(node)) return;
    this.#logger.warn(
      `A request could not be relayed to the node at ${host}:${port}: ${error.message}. If that node is running, ` +
        'check its options listen and advertise, the firewalls between the nodes, and the namespace.',
    );
  }
}

import { once } from 'node:events';
import type { Server } from 'node:http';
import { networkInterfaces } from 'node:os';
import { SockJSError } from '../base/errors.ts';
import { CONSOLE_LOGGER, type SockJSLogger, describeError } from '../base/logging.ts';
import { closeHttpServer } from '../hosts/node/node-host.ts';
import { RelayClient, type RelayOutcome, type RelayTarget } from '../hosts/node/relay-client.ts';
import { type RelayHandler, createRelayListener } from '../hosts/node/relay-listener.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { RouterState } from '../http/router-state.ts';
import type { Backplane, BackplaneListener, NodeId } from '../backplane/backplane.ts';
import { formatCard, parseCard } from './node-card.ts';
import { type ClusterNode, SessionRouting } from './session-routing.ts';

/** Options of `createCluster`. */
export interface ClusterOptions {
  /** State that the nodes share, for example `redisBackplane(client)`. */
  readonly backplane: Backplane;
  /**
   * Address of the private listener, on which this node receives the requests that other nodes relay. Only the other
   * nodes should be able to reach it. `port`: default any free one. `host`: default the one private address of this
   * machine.
   */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /** Address under which other nodes reach the listener, if it differs: behind NAT or in a container. */
  readonly advertise?: { readonly host?: string; readonly port?: number };
  /** Prefix of all keys and topics, which separates clusters that share a backplane. Default: 'sockjs'. */
  readonly namespace?: string;
  /** Default: the console, which shows warnings and errors. */
  readonly logger?: SockJSLogger;
}

/** Statistics of one node. */
export interface ClusterStats {
  readonly backplaneUp: boolean;
  /** Number of sessions for which this node holds the claim. */
  readonly claims: number;
  /** Number of nodes, this one included. */
  readonly members: number;
  /** Requests that other nodes have relayed to this one. */
  readonly relayedIn: number;
  /** Requests that this node has relayed. */
  readonly relayedOut: number;
  /** Messages that could not be published. */
  readonly lostPublishes: number;
}

/** Returns the private IPv4 address of this machine. */
function privateHost(): string {
  const hosts = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  const [host] = hosts;
  if (host !== undefined && hosts.length === 1) return host;
  const found = hosts.length === 0 ? 'none' : hosts.join(', ');
  throw new SockJSError(
    'ERR_SETTING',
    `Set listen.host of createCluster to an address that the other nodes can reach. This machine has ${found}.`,
  );
}

/** One node of a cluster. */
export class SockJSCluster implements ClusterNode, BackplaneListener {
  readonly backplane: Backplane;
  readonly #logger: SockJSLogger;
  readonly #options: ClusterOptions;
  readonly #handlers = new Set<RelayHandler>();
  readonly #routings = new Set<SessionRouting>();
  readonly #relays = new RelayClient();
  readonly #listener: Server;
  readonly #ready: Promise<void>;
  /** Undefined for a node whose card this version does not understand. */
  #members: ReadonlyMap<NodeId, RelayTarget | undefined> = new Map();
  #closed: Promise<void> | undefined;
  #hasWarnedOfVersion = false;
  #id: NodeId = '';
  #relayedIn = 0;
  #relayedOut = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.backplane = options.backplane;
    this.#logger = options.logger ?? CONSOLE_LOGGER;
    this.#listener = createRelayListener({
      secret: () => this.backplane.secret,
      handlers: this.#handlers,
      onRelayed: () => {
        this.#relayedIn += 1;
      },
      onOtherVersion: () => this.#warnOfVersion(),
    });
    this.#ready = this.#join();
    this.#ready.catch((error: unknown) => {
      this.#logger.error(`This node could not join its cluster: ${describeError(error)}`);
    });
  }

  /** Random name of this node. '' before it has joined. */
  get id(): NodeId {
    return this.#id;
  }

  /** Address of the relay listener, or undefined before it listens. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    const address = this.#listener.address();
    if (typeof address !== 'object' || address === null) return undefined;
    return { host: address.address, port: address.port };
  }

  /** Names of all nodes, this one included. */
  get members(): readonly NodeId[] {
    return [...this.#members.keys()];
  }

  /** Statistics of this node. */
  get stats(): ClusterStats {
    const { isUp, lostPublishes } = this.backplane;
    let claims = 0;
    for (const { claimCount } of this.#routings) claims += claimCount;
    return {
      backplaneUp: isUp,
      claims,
      members: this.#members.size,
      relayedIn: this.#relayedIn,
      relayedOut: this.#relayedOut,
      lostPublishes,
    };
  }

  /** Resolves when this node has joined, and rejects with the reason if it cannot. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** Leaves the cluster. Close the routers of this node first. A second call returns the same promise. */
  close(): Promise<void> {
    this.#closed ??= this.#leave();
    return this.#closed;
  }

  /** @internal Creates the routing of a router's requests. */
  createRouting(state: RouterState): SessionRouting {
    const routing = new SessionRouting(this, state);
    this.#routings.add(routing);
    return routing;
  }

  /** @internal Adds a router, which gets the relayed requests below its prefix. */
  addHandler(handler: RelayHandler): void {
    this.#handlers.add(handler);
  }

  /** @internal */
  isMember(node: NodeId): boolean {
    return this.#members.has(node);
  }

  /** @internal */
  relay(
    owner: NodeId,
    { exchange, client, state }: RequestContext,
    body: Buffer | undefined,
  ): Promise<RelayOutcome> {
    const target = this.#members.get(owner);
    if (target === undefined) return Promise.resolve('gone');
    this.#relayedOut += 1;
    const query = exchange.query === '' ? '' : `?${exchange.query}`;
    const url = state.prefix + exchange.path + query;
    return this.#relays.relay(target, this.backplane.secret, { exchange, client, url, body });
  }

  /** @internal */
  onMessage(): void {}

  /** @internal */
  onMissed(): void {}

  /** @internal */
  onMembers(cards: ReadonlyMap<NodeId, string>): void {
    for (const node of this.#members.keys()) if (!cards.has(node)) this.#relays.abort(node);
    this.#members = new Map([...cards].map(([node, card]) => [node, parseCard(node, card)]));
  }

  /** @internal */
  onClaimLost(key: string): void {
    for (const routing of this.#routings) routing.onClaimLost(key);
  }

  /** @internal */
  onUp(): void {}

  /** @internal */
  onDown(): void {}

  async #join(): Promise<void> {
    const { listen = {}, advertise, namespace = 'sockjs' } = this.#options;
    const host = listen.host ?? privateHost();
    this.#listener.listen(listen.port ?? 0, host);
    await once(this.#listener, 'listening');
    const port = advertise?.port ?? this.address?.port ?? 0;
    const card = formatCard({ host: advertise?.host ?? host, port });
    this.#id = await this.backplane.join({
      namespace,
      card,
      listener: this,
      logger: this.#logger,
    });
  }

  async #leave(): Promise<void> {
    await this.#ready.catch(() => {});
    await this.backplane.leave();
    this.#relays.close();
    await closeHttpServer(this.#listener);
  }

  #warnOfVersion(): void {
    if (this.#hasWarnedOfVersion) return;
    this.#hasWarnedOfVersion = true;
    this.#logger.warn(
      'Another node of the cluster has a version of sockjs-server that this one does not understand. ' +
        'Requests between them get 503. Update all nodes.',
    );
  }
}

/**
 * Joins a cluster. Pass the result to the routers of this node as the setting `cluster`.
 * @throws SockJSError `ERR_SETTING`, from `ready()`, if the machine has no single private address and `listen.host` is
 * missing
 */
export function createCluster(options: ClusterOptions): SockJSCluster {
  return new SockJSCluster(options);
}

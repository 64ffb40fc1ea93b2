import type { SockJSLogger } from '../base/logging.ts';
import { sleep } from '../base/sleep.ts';
import type { NodeId } from '../backplane/backplane.ts';
import type { RelayTarget } from '../hosts/node/outgoing-link.ts';
import { type NodeCard, parseCard } from './node-card.ts';

/** Interval at which a node that is not a member is probed, in milliseconds. */
const PROBE_INTERVAL_MS = 3000;

/** A node of a cluster, as the other nodes know it. */
export interface ClusterNodeInfo {
  readonly id: NodeId;
  /** Address of its relay listener. Undefined if it has an incompatible version of this library. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** True while its routers shut down: it opens no more sessions. */
  readonly draining: boolean;
  /** Prefixes of its routers. */
  readonly prefixes: readonly string[];
}

function describeNode(id: NodeId, card: NodeCard | undefined): ClusterNodeInfo {
  return {
    id,
    address: card && { host: card.host, port: card.port },
    draining: card?.isDraining === true,
    prefixes: card?.prefixes ?? [],
  };
}

/** Connections to the relay listeners of other nodes. */
export interface NodeConnections {
  /** Returns whether a node responds. */
  probe(target: RelayTarget, secret: string): Promise<boolean>;
  /** Closes the connections to a node that is gone. */
  abort(node: NodeId): void;
}

/** All nodes of a cluster, by their cards. */
export class NodeDirectory {
  readonly #logger: SockJSLogger;
  readonly #connections: NodeConnections;
  readonly #secret: () => string;
  #cards: ReadonlyMap<NodeId, NodeCard | undefined> = new Map();
  /** Nodes that are no longer members, but may be only cut off from the backplane. */
  readonly #unlisted = new Map<NodeId, NodeCard>();

  /** @param logger logs each warning once */
  constructor(logger: SockJSLogger, connections: NodeConnections, secret: () => string) {
    this.#logger = logger;
    this.#connections = connections;
    this.#secret = secret;
  }

  get size(): number {
    return this.#cards.size;
  }

  get ids(): readonly NodeId[] {
    return [...this.#cards.keys()];
  }

  get infos(): readonly ClusterNodeInfo[] {
    return [...this.#cards].map(([id, card]) => describeNode(id, card));
  }

  /** Returns whether requests can be relayed to a node. */
  has(node: NodeId): boolean {
    return this.#cards.has(node) || this.#unlisted.has(node);
  }

  /** Returns the relay listener of a node, or undefined if the node is gone or incompatible. */
  targetOf(node: NodeId): RelayTarget | undefined {
    const card = this.#cards.get(node) ?? this.#unlisted.get(node);
    return card && { node, host: card.host, port: card.port };
  }

  /**
   * Replaces the cards of all nodes.
   * @param self this node
   */
  update(cards: ReadonlyMap<NodeId, string>, self: NodeId): void {
    const before = this.#cards;
    this.#cards = new Map([...cards].map(([node, card]) => [node, parseCard(card)]));
    for (const node of cards.keys()) this.#unlisted.delete(node);
    for (const [node, card] of before) if (!cards.has(node)) this.#leave(node, card);
    this.#warnOfPrefixes(this.#cards.get(self)?.prefixes ?? []);
  }

  clear(): void {
    this.#cards = new Map();
    this.#unlisted.clear();
  }

  /** A node that drained has left. Any other one has ended, hangs, or is cut off from the backplane. */
  #leave(node: NodeId, card: NodeCard | undefined): void {
    if (card === undefined || card.isDraining) return this.#connections.abort(node);
    this.#unlisted.set(node, card);
    void this.#watch(node, card);
    return undefined;
  }

  /** Keeps a node that is not a member while its relay listener responds. */
  async #watch(node: NodeId, card: NodeCard): Promise<void> {
    const isWatched = (): boolean => this.#unlisted.get(node) === card;
    const target = { node, host: card.host, port: card.port };
    let responds = true;
    while (responds && isWatched()) {
      // oxlint-disable-next-line no-await-in-loop -- one probe after the other
      responds = await this.#connections.probe(target, this.#secret());
      // oxlint-disable-next-line no-await-in-loop
      if (responds) await sleep(PROBE_INTERVAL_MS, false);
    }
    if (!isWatched()) return;
    this.#unlisted.delete(node);
    this.#connections.abort(node);
  }

  /** @param own prefixes of this node */
  #warnOfPrefixes(own: readonly string[]): void {
    for (const card of this.#cards.values()) {
      // A node without a router may publish only.
      if (card === undefined || card.isDraining || card.prefixes.length === 0) continue;
      const missing = own.filter((prefix) => !card.prefixes.includes(prefix));
      if (missing.length === 0) continue;
      this.#logger.warn(
        `The node at ${card.host}:${card.port} has no router with the prefix '${missing.join("', '")}'. ` +
          'Behind one load balancer, all nodes need the same routers.',
      );
    }
  }
}

import type { SockJSLogger } from '../base/logging.ts';
import type { RelayTarget } from '../hosts/node/relay-client.ts';
import type { NodeId } from '../backplane/backplane.ts';
import { type NodeCard, parseCard } from './node-card.ts';

/** What the nodes of a cluster know about one of them. */
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

/** All nodes of a cluster, by their cards. */
export class NodeDirectory {
  readonly #logger: SockJSLogger;
  #cards: ReadonlyMap<NodeId, NodeCard | undefined> = new Map();

  /** @param logger logs each warning once */
  constructor(logger: SockJSLogger) {
    this.#logger = logger;
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

  has(node: NodeId): boolean {
    return this.#cards.has(node);
  }

  /** Returns the relay listener of a node, or undefined if the node is gone or incompatible. */
  targetOf(node: NodeId): RelayTarget | undefined {
    const card = this.#cards.get(node);
    return card && { node, host: card.host, port: card.port };
  }

  /**
   * Replaces the cards of all nodes.
   * @param self this node
   * @returns the nodes that are gone
   */
  update(cards: ReadonlyMap<NodeId, string>, self: NodeId): readonly NodeId[] {
    const gone = this.ids.filter((node) => !cards.has(node));
    this.#cards = new Map([...cards].map(([node, card]) => [node, parseCard(card)]));
    this.#warnOfPrefixes(this.#cards.get(self)?.prefixes ?? []);
    return gone;
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

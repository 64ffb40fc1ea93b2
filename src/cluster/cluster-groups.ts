import type { Backplane, NodeId } from '../backplane/backplane.ts';
import type { SockJSLogger } from '../base/logging.ts';
import type { GroupNetwork } from '../groups/group-network.ts';
import { Groups, prefixOf } from '../groups/groups.ts';

/** The node as its groups see it. */
export interface GroupNode {
  readonly id: NodeId;
  readonly backplane: Backplane;
  /** Resolves when the node has joined the cluster. */
  ready(): Promise<void>;
}

/** Groups of one node, by the prefix of their routers. */
export class ClusterGroups implements GroupNetwork {
  readonly #node: GroupNode;
  readonly #logger: SockJSLogger;
  readonly #groups = new Map<string, Groups>();
  readonly #topics = new Set<string>();
  #nodes: ReadonlySet<NodeId> | undefined;

  constructor(node: GroupNode, logger: SockJSLogger) {
    this.#node = node;
    this.#logger = logger;
  }

  get node(): NodeId {
    return this.#node.id;
  }

  get nodes(): ReadonlySet<NodeId> | undefined {
    return this.#nodes;
  }

  /** Returns the groups of the routers with a prefix. */
  of(prefix: string): Groups {
    let groups = this.#groups.get(prefix);
    if (groups === undefined) {
      groups = new Groups(prefix, this, this.#logger);
      this.#groups.set(prefix, groups);
    }
    return groups;
  }

  publish(topic: string, data: string): void {
    this.#node.backplane.publish(topic, data);
  }

  async subscribe(topic: string): Promise<void> {
    this.#topics.add(topic);
    await this.#node.ready();
    if (this.#topics.has(topic)) await this.#node.backplane.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#topics.delete(topic);
    this.#node.backplane.unsubscribe(topic);
  }

  async setFact(topic: string, field: string, value: string | undefined): Promise<void> {
    try {
      await this.#node.ready();
    } catch {
      return; // A node that could not join has no shared state.
    }
    await this.#node.backplane.setFact(topic, field, value);
  }

  async facts(topic: string): Promise<ReadonlyMap<NodeId, ReadonlyMap<string, string>>> {
    await this.#node.ready();
    const facts = new Map(await this.#node.backplane.facts(topic));
    facts.delete(this.#node.id);
    return facts;
  }

  onMessage(topic: string, from: NodeId, data: string): void {
    this.#groups.get(prefixOf(topic))?.onMessage(topic, from, data);
  }

  /** @param topic undefined for all topics */
  onMissed(topic: string | undefined): void {
    if (topic !== undefined) this.#groups.get(prefixOf(topic))?.onMissed(topic);
    else for (const groups of this.#groups.values()) groups.onMissed(undefined);
  }

  onUp(): void {
    for (const groups of this.#groups.values()) groups.onUp();
  }

  /** @param nodes names of all nodes */
  onNodes(nodes: ReadonlySet<NodeId>): void {
    this.#nodes = nodes;
    for (const groups of this.#groups.values()) groups.onNodes(nodes);
  }
}

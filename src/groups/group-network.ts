/** The port between the groups of a node and those of other nodes. */
import type { NodeId } from '../backplane/backplane.ts';

/** Shared state of the groups of all nodes. Values of facts are described by `Backplane`. */
export interface GroupNetwork {
  /** Name of this node. */
  readonly node: NodeId;
  /** Names of all nodes. Undefined until they are known, and without a cluster. */
  readonly nodes: ReadonlySet<NodeId> | undefined;
  /** Publishes a message to the other nodes that have subscribed to a topic. */
  publish(topic: string, data: string): void;
  /** Subscribes to a topic. A rejection means that messages are missed, and that the subscription follows later. */
  subscribe(topic: string): Promise<void>;
  unsubscribe(topic: string): void;
  /** Resolves when the fact is stored, or could not be. It never rejects. */
  setFact(topic: string, field: string, value: string | undefined): Promise<void>;
  /** Returns the facts of the other nodes. */
  facts(topic: string): Promise<ReadonlyMap<NodeId, ReadonlyMap<string, string>>>;
}

/** The network of a node without a cluster. */
export const LOCAL_NETWORK: GroupNetwork = {
  node: 'local',
  nodes: undefined,
  publish() {},
  async subscribe() {},
  unsubscribe() {},
  async setFact() {},
  facts: async () => new Map(),
};

/**
 * The port between the cluster and whatever its nodes share: claims of sessions, the list of nodes, topics, and facts.
 * Relays, groups and presence use only this interface.
 */
import type { SockJSLogger } from '../base/logging.ts';

/** Name of a node while it is a member, chosen at random when it joins. */
export type NodeId = string;

/** Ownership of a key. */
export interface Claim {
  readonly owner: NodeId;
  /** Text that the owner left when it released the key, for late requests. */
  readonly closing: string | undefined;
}

/** Receives the events of a backplane. A listener must not throw. */
export interface BackplaneListener {
  /** Called with each message of a subscribed topic, in the order of its publisher. */
  onMessage(topic: string, from: NodeId, data: string): void;
  /**
   * Called when messages of a subscribed topic may have been lost.
   * @param topic undefined for all topics
   * @param from the publisher, or undefined if it may be any node
   */
  onMissed(topic: string | undefined, from: NodeId | undefined): void;
  /** Called with the cards of all members, this node included, when they have changed. */
  onMembers(cards: ReadonlyMap<NodeId, string>): void;
  /** Called when another node has taken over a key that this node had claimed. */
  onClaimLost(key: string): void;
  /** Called when the backplane is available again. Claims and facts have been stored again. */
  onUp(): void;
  /** Called when the backplane has become unavailable. */
  onDown(): void;
}

function ignore(): void {}

/** Listener of a node that is not a member. */
export const NO_BACKPLANE_LISTENER: BackplaneListener = {
  onMessage: ignore,
  onMissed: ignore,
  onMembers: ignore,
  onClaimLost: ignore,
  onUp: ignore,
  onDown: ignore,
};

/** Settings for joining a cluster. */
export interface Membership {
  /** Prefix of all keys and topics, which separates clusters that share an engine. */
  readonly namespace: string;
  /** Text that all members can read, for example the address of this node. */
  readonly card: string;
  readonly listener: BackplaneListener;
  readonly logger: SockJSLogger;
}

/** Shared state of the nodes of a cluster. Promises reject with `ERR_BACKPLANE` while it is unavailable. */
export interface Backplane {
  readonly isUp: boolean;
  /** Secret of the cluster, which its nodes share. The first one has created it. */
  readonly secret: string;
  /** Number of messages that could not be published. */
  readonly lostPublishes: number;
  /** Joins a cluster, once. Returns the name of this node. */
  join(membership: Membership): Promise<NodeId>;
  /** Replaces the card of this node. */
  setCard(card: string): Promise<void>;
  /** Claims a key for this node, unless another one has it. Returns the owner. The claim lasts until it is released. */
  claim(key: string): Promise<Claim>;
  /** Returns the owner of a key, or undefined. */
  owner(key: string): Promise<Claim | undefined>;
  /**
   * Releases a key of this node. The key of another node is left alone.
   * @param closing text for late requests, which `owner` returns during the next `ms` milliseconds
   */
  release(key: string, closing?: string, ms?: number): void;
  /**
   * Publishes a message to every other node that has subscribed to the topic: at most once, in the publisher's order.
   * A message that cannot be published is counted, and reported to the subscribers as missed.
   */
  publish(topic: string, data: string): void;
  /** Subscribes to a topic. The subscription is complete when the promise resolves. */
  subscribe(topic: string): Promise<void>;
  unsubscribe(topic: string): void;
  /**
   * Sets a fact, which all nodes can read until it is removed or this node is gone.
   * @param value undefined removes the fact
   * @returns a promise that resolves when the fact is stored, or could not be within 2 s. A later heartbeat stores it
   * then, and reports missed messages of the topic to the subscribers
   */
  setFact(topic: string, field: string, value: string | undefined): Promise<void>;
  /** Returns the facts of a topic, of each member that has set some. */
  facts(topic: string): Promise<ReadonlyMap<NodeId, ReadonlyMap<string, string>>>;
  /** Leaves the cluster, and removes everything that this node has stored. */
  leave(): Promise<void>;
}

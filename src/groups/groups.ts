import type { NodeId } from '../backplane/backplane.ts';
import type { CloseReason } from '../base/close-reasons.ts';
import { type SockJSLogger, describeError } from '../base/logging.ts';
import { createSharedMessage } from '../sessions/create-message.ts';
import { GroupEvents } from './group-events.ts';
import {
  type GroupMessage,
  formatBroadcast,
  formatClose,
  parseGroupMessage,
} from './group-message.ts';
import type { GroupNetwork } from './group-network.ts';
import { GroupState } from './group-state.ts';
import { type PresenceMember, createPresenceMember } from './presence-view.ts';

/** Kinds of topics. The prefix of the routers follows, and the name of the group. */
const ALL = 'all';
const GROUP = 'group';

const NOBODY: ReadonlySet<object> = new Set();

/** Returns the prefix of the routers to which a topic belongs. */
export function prefixOf(topic: string): string {
  return topic.split(' ', 2)[1] ?? '';
}

/** Groups of the routers with one prefix: their members on this node, and the messages of other nodes. */
export class Groups {
  readonly #prefix: string;
  readonly #network: GroupNetwork;
  readonly #logger: SockJSLogger;
  readonly #groups = new Map<string, GroupState>();
  readonly #routers = new Set<(text: string) => void>();
  readonly #topicOfAll: string;
  /** Beginning of the topics of groups. A prefix contains no space. */
  readonly #topicPrefix: string;

  constructor(prefix: string, network: GroupNetwork, logger: SockJSLogger) {
    this.#prefix = prefix;
    this.#network = network;
    this.#logger = logger;
    this.#topicOfAll = `${ALL} ${prefix}`;
    this.#topicPrefix = `${GROUP} ${prefix} `;
  }

  /**
   * Adds a router, whose connections get the broadcasts to all.
   * @param send sends a text to all connections of the router
   * @returns a function that removes the router
   */
  addRouter(send: (text: string) => void): () => void {
    this.#routers.add(send);
    // Until the subscription is complete, broadcasts of other nodes are missed, which the cluster reports.
    if (this.#routers.size === 1) this.#network.subscribe(this.#topicOfAll).catch(() => {});
    return () => {
      if (!this.#routers.delete(send) || this.#routers.size > 0) return;
      this.#network.unsubscribe(this.#topicOfAll);
    };
  }

  /** Returns a group that exists, because it has members or watchers. */
  find(name: string): GroupState | undefined {
    return this.#groups.get(name);
  }

  /** Returns a group. It exists until it has no members and no watchers. */
  open(name: string): GroupState {
    const existing = this.#groups.get(name);
    if (existing !== undefined) return existing;
    const topic = this.#topicPrefix + name;
    const group = new GroupState({
      topic,
      network: this.#network,
      logger: this.#logger,
      events: new GroupEvents(this.#prefix, name),
      onUnused: () => {
        if (this.#groups.get(name) !== group) return;
        this.#groups.delete(name);
        this.#network.unsubscribe(topic);
      },
    });
    this.#groups.set(name, group);
    return group;
  }

  broadcastToAll(text: string): void {
    for (const send of this.#routers) send(text);
    this.#network.publish(this.#topicOfAll, formatBroadcast(text));
  }

  /** @param except connections that do not get the text */
  broadcast(name: string, text: string, except: ReadonlySet<object>): void {
    this.#deliver(name, text, except);
    this.#network.publish(this.#topicPrefix + name, formatBroadcast(text));
  }

  close(name: string, reason: CloseReason): void {
    this.#closeMembers(name, reason);
    this.#network.publish(this.#topicPrefix + name, formatClose(reason));
  }

  /** Reads the presence of the members on all nodes. */
  async readPresence(name: string): Promise<PresenceMember[]> {
    const others = await this.#network.facts(this.#topicPrefix + name);
    const own = this.#groups.get(name)?.presence ?? new Map<string, string>();
    return [...others, [this.#network.node, own] as const].flatMap(([node, members]) =>
      [...members].map(([id, value]) => createPresenceMember(node, id, value)),
    );
  }

  /** Handles a message of another node. */
  onMessage(topic: string, from: NodeId, data: string): void {
    const message = parseGroupMessage(data);
    if (message === undefined) return;
    try {
      if (topic !== this.#topicOfAll) this.#handle(topic, from, message);
      else if (message.kind === 'broadcast') for (const send of this.#routers) send(message.text);
    } catch (error) {
      this.#logger.error(`A message of another node is lost: ${describeError(error)}`);
    }
  }

  /** @param topic undefined for all topics */
  onMissed(topic: string | undefined): void {
    if (topic !== undefined) this.#groups.get(this.#nameOf(topic))?.missed();
    else for (const group of this.#groups.values()) group.missed();
  }

  /** Called when the backplane is available again. */
  onUp(): void {
    for (const group of this.#groups.values()) group.onUp();
  }

  /** @param nodes names of all nodes */
  onNodes(nodes: ReadonlySet<NodeId>): void {
    for (const group of this.#groups.values()) group.onNodes(nodes);
  }

  #handle(topic: string, from: NodeId, message: GroupMessage): void {
    const name = this.#nameOf(topic);
    switch (message.kind) {
      case 'broadcast':
        return this.#deliver(name, message.text, NOBODY);
      case 'close':
        return this.#closeMembers(name, { ...message.status, cause: 'application' });
      case 'presence':
        return this.#groups.get(name)?.onPresence(from, message.changes);
      case 'refresh':
        return this.#groups.get(name)?.refresh();
    }
  }

  /** Encodes a text once for all members. */
  #deliver(name: string, text: string, except: ReadonlySet<object>): void {
    const message = createSharedMessage(text);
    for (const member of this.#groups.get(name)?.members ?? [])
      if (!except.has(member.connection)) member.send(message);
  }

  #closeMembers(name: string, reason: CloseReason): void {
    for (const member of this.#groups.get(name)?.members ?? []) member.close(reason);
  }

  #nameOf(topic: string): string {
    return topic.slice(this.#topicPrefix.length);
  }
}

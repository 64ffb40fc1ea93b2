import type { NodeId } from '../backplane/backplane.ts';
import type { CloseReason } from '../base/close-reasons.ts';
import type { SockJSLogger } from '../base/logging.ts';
import type { Message } from '../protocol/message.ts';
import type { GroupEvents } from './group-events.ts';
import { type PresenceChanges, formatPresence, formatRefresh } from './group-message.ts';
import type { GroupNetwork } from './group-network.ts';
import {
  type NodePresence,
  PresenceView,
  type PresenceWatcher,
  THIS_NODE,
} from './presence-view.ts';

/** Time until the presence is read again, if it could not be read. */
const RETRY_MS = 1000;

/** A connection as its groups use it. */
export interface GroupMember {
  readonly id: string;
  /** Object of the application. */
  readonly connection: object;
  send(message: Message): boolean;
  close(reason: CloseReason): void;
}

export interface GroupInit {
  readonly topic: string;
  readonly network: GroupNetwork;
  readonly logger: SockJSLogger;
  readonly events: GroupEvents;
  /** Called when there is no member and no watcher left. */
  readonly onUnused: () => void;
}

/** Members of one group on this node, and the presence of its members on all nodes while it is watched. */
export class GroupState {
  readonly members = new Set<GroupMember>();
  /** Presence of the members as JSON, by their id. */
  readonly presence = new Map<string, string>();
  /** Resolves when messages of other nodes arrive. It never rejects. */
  readonly subscribed: Promise<void>;
  readonly #topic: string;
  readonly #network: GroupNetwork;
  readonly #logger: SockJSLogger;
  readonly #events: GroupEvents;
  readonly #onUnused: () => void;
  /** Members whose presence has changed since it was stored. */
  readonly #changed = new Set<string>();
  #isStoring = false;
  #view: PresenceView | undefined;
  /** Changes by other nodes since the presence is being read. */
  #changesWhileReading: [node: NodeId, changes: PresenceChanges][] | undefined;
  #readsAgain = false;
  #retry: NodeJS.Timeout | undefined;
  /** All nodes, as far as known. */
  #nodes: ReadonlySet<NodeId> | undefined;

  constructor({ topic, network, logger, events, onUnused }: GroupInit) {
    this.#topic = topic;
    this.#network = network;
    this.#nodes = network.nodes;
    this.#logger = logger;
    this.#events = events;
    this.#onUnused = onUnused;
    this.subscribed = network.subscribe(topic).catch(() => this.missed());
  }

  get isUsed(): boolean {
    return this.members.size > 0 || this.#view !== undefined || this.#isStoring;
  }

  /** @param presence JSON, or undefined to keep the present value */
  add(member: GroupMember, presence: string | undefined): void {
    if (!this.members.has(member)) this.#events.joined(member.id);
    this.members.add(member);
    if (presence !== undefined) this.#setPresence(member.id, presence);
  }

  remove(member: GroupMember): void {
    if (this.members.delete(member)) this.#events.left(member.id);
    this.#setPresence(member.id, undefined);
    this.#checkUse();
  }

  /** Returns a function that removes the watcher. */
  watch(watcher: PresenceWatcher): () => void {
    // A copy, since one object may watch twice.
    const own: PresenceWatcher = {
      joined: (member) => watcher.joined?.(member),
      updated: (member) => watcher.updated?.(member),
      left: (member) => watcher.left?.(member),
      missed: () => watcher.missed?.(),
    };
    this.#view ??= this.#createView();
    this.#view.add(own);
    return () => this.#unwatch(own);
  }

  onPresence(node: NodeId, changes: PresenceChanges): void {
    // A late message of a node that has ended. The members of a node that is new here are read.
    if (this.#nodes?.has(node) === false) return;
    this.#changesWhileReading?.push([node, changes]);
    for (const [id, value] of changes) this.#view?.set(node, id, value ?? undefined);
  }

  /** Reports lost messages to the watchers, and reads the presence again. */
  missed(): void {
    if (this.members.size > 0) this.#events.missed();
    this.#view?.missed();
    this.#read();
  }

  /**
   * Lets other nodes read the presence again. They may have read it while the backplane, which had lost its records, did
   * not have it yet.
   */
  onUp(): void {
    if (this.presence.size > 0) this.#network.publish(this.#topic, formatRefresh());
  }

  /** Reads the presence again, since another node has stored its part again. */
  refresh(): void {
    this.#read();
  }

  /** @param nodes names of all nodes */
  onNodes(nodes: ReadonlySet<NodeId>): void {
    const known = this.#nodes;
    this.#nodes = nodes;
    if (this.#view === undefined) return;
    this.#view.retain(nodes);
    // A node that was thought to be gone may have come back with its members.
    if ([...nodes].some((node) => known?.has(node) !== true)) this.#read();
  }

  #setPresence(id: string, value: string | undefined): void {
    if (this.presence.get(id) === value) return;
    if (value === undefined) this.presence.delete(id);
    else this.presence.set(id, value);
    this.#view?.set(THIS_NODE, id, value);
    this.#changed.add(id);
    if (!this.#isStoring) void this.#storePresence();
  }

  /** Stores changes before they are published, so that no node reads a value that is older than a change. */
  async #storePresence(): Promise<void> {
    this.#isStoring = true;
    const changes = [...this.#changed].map((id) => [id, this.presence.get(id) ?? null] as const);
    this.#changed.clear();
    await Promise.all(
      changes.map(([id, value]) => this.#network.setFact(this.#topic, id, value ?? undefined)),
    );
    this.#network.publish(this.#topic, formatPresence(changes));
    this.#isStoring = false;
    if (this.#changed.size > 0) void this.#storePresence();
    else this.#checkUse();
  }

  #createView(): PresenceView {
    const view = new PresenceView(() => this.#network.node, this.#logger);
    view.replace(THIS_NODE, this.presence);
    void this.subscribed.then(() => this.#read());
    return view;
  }

  #unwatch(watcher: PresenceWatcher): void {
    this.#view?.remove(watcher);
    if (this.#view?.isWatched === true) return;
    this.#view = undefined;
    clearTimeout(this.#retry);
    this.#checkUse();
  }

  #checkUse(): void {
    if (!this.isUsed) this.#onUnused();
  }

  /** Reads the presence of the other nodes, if it is watched. */
  #read(): void {
    if (this.#view === undefined) return;
    if (this.#changesWhileReading !== undefined) {
      this.#readsAgain = true;
      return;
    }
    clearTimeout(this.#retry);
    this.#changesWhileReading = [];
    void this.#network.facts(this.#topic).then(
      (facts) => this.#onRead(facts),
      () => this.#onReadFailed(),
    );
  }

  #onRead(facts: ReadonlyMap<NodeId, NodePresence>): void {
    // A node may have ended since the backplane was asked for its members.
    const present = [...facts].filter(([node]) => this.#nodes?.has(node) ?? true);
    const members = new Map(present.map(([node, presence]) => [node, new Map(presence)]));
    for (const [node, changes] of this.#changesWhileReading ?? []) {
      const ofNode = members.get(node) ?? new Map<string, string>();
      for (const [id, value] of changes) {
        if (value === null) ofNode.delete(id);
        else ofNode.set(id, value);
      }
      members.set(node, ofNode);
    }
    this.#changesWhileReading = undefined;
    this.#view?.replaceOthers(members);
    if (!this.#readsAgain) return;
    this.#readsAgain = false;
    this.#read();
  }

  #onReadFailed(): void {
    this.#changesWhileReading = undefined;
    this.#readsAgain = false;
    if (this.#view === undefined) return;
    this.#retry = setTimeout(() => this.#read(), RETRY_MS);
    this.#retry.unref();
  }
}

import type { NodeId } from '../backplane/backplane.ts';
import { type SockJSLogger, describeError } from '../base/logging.ts';
import { isThenable, toPromise } from '../base/thenable.ts';

/** A connection that has joined a group with a presence. */
export interface PresenceMember {
  /** `id` of the connection. */
  readonly id: string;
  /** Name of its node. */
  readonly node: NodeId;
  /** Value that it has joined with. */
  readonly presence: unknown;
}

/** Receives changes of the presence of a group. The methods may be async. Their errors are logged. */
export interface PresenceWatcher {
  /** Called for each member that is present at the beginning, and for each that joins later. */
  joined?(member: PresenceMember): unknown;
  /** Called when a member has joined again with another value. */
  updated?(member: PresenceMember): unknown;
  /** Called when a member has left, or its node is gone, with its last value. */
  left?(member: PresenceMember): unknown;
  /** Called when messages of the group may have been lost. Changes of the presence are read again, and follow. */
  missed?(): unknown;
}

/** Presence of the members of a node as JSON, by their id. */
export type NodePresence = ReadonlyMap<string, string>;

/** Key of this node, which gets its name when it joins the cluster. */
export const THIS_NODE = '';

/** Presence of all members of one group, and the watchers of its changes. */
export class PresenceView {
  readonly #nodeName: () => NodeId;
  readonly #logger: SockJSLogger;
  readonly #nodes = new Map<NodeId, Map<string, string>>();
  /** Watchers, and whether they know the members. */
  readonly #watchers = new Map<PresenceWatcher, boolean>();
  /** Calls of watchers, in order. A watcher may change the group while it is called. */
  readonly #calls: (() => void)[] = [];
  #isCalling = false;
  #isComplete = false;

  /** @param nodeName returns the name of this node */
  constructor(nodeName: () => NodeId, logger: SockJSLogger) {
    this.#nodeName = nodeName;
    this.#logger = logger;
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Adds a watcher. It receives the members once all of them are known. */
  add(watcher: PresenceWatcher): void {
    this.#watchers.set(watcher, false);
    queueMicrotask(() => this.#start(watcher));
  }

  remove(watcher: PresenceWatcher): void {
    this.#watchers.delete(watcher);
  }

  /** Returns true if the node has members, as far as known. */
  has(node: NodeId): boolean {
    return this.#nodes.has(node);
  }

  /** @param value undefined for a member that has left */
  set(node: NodeId, id: string, value: string | undefined): void {
    const members = this.#nodes.get(node) ?? new Map<string, string>();
    const previous = members.get(id);
    if (value === previous) return;
    if (value === undefined) members.delete(id);
    else members.set(id, value);
    if (members.size > 0) this.#nodes.set(node, members);
    else this.#nodes.delete(node);
    if (value === undefined) this.#call('left', node, id, previous);
    else this.#call(previous === undefined ? 'joined' : 'updated', node, id, value);
  }

  /** Replaces the members of a node, as read from the backplane. */
  replace(node: NodeId, members: NodePresence): void {
    for (const id of this.#nodes.get(node)?.keys() ?? [])
      if (!members.has(id)) this.set(node, id, undefined);
    for (const [id, value] of members) this.set(node, id, value);
  }

  /** Replaces the members of all other nodes. */
  replaceOthers(facts: ReadonlyMap<NodeId, NodePresence>): void {
    for (const node of this.#nodes.keys())
      if (node !== THIS_NODE && !facts.has(node)) this.replace(node, new Map());
    for (const [node, members] of facts) this.replace(node, members);
    this.#isComplete = true;
    for (const watcher of this.#watchers.keys()) this.#start(watcher);
  }

  /** Removes the members of nodes that are gone. */
  retain(nodes: ReadonlySet<NodeId>): void {
    for (const node of this.#nodes.keys())
      if (node !== THIS_NODE && !nodes.has(node)) this.replace(node, new Map());
  }

  missed(): void {
    for (const watcher of this.#watchers.keys()) this.#add(watcher, () => watcher.missed?.());
    this.#deliver();
  }

  #start(watcher: PresenceWatcher): void {
    if (!this.#isComplete || this.#watchers.get(watcher) !== false) return;
    this.#watchers.set(watcher, true);
    const members = [...this.#nodes].flatMap(([node, presences]) =>
      [...presences].map(([id, value]) => this.#member(node, id, value)),
    );
    for (const member of members) this.#add(watcher, () => watcher.joined?.(member));
    this.#deliver();
  }

  #call(name: 'joined' | 'left' | 'updated', node: NodeId, id: string, value = 'null'): void {
    const member = this.#member(node, id, value);
    for (const [watcher, knowsMembers] of this.#watchers)
      if (knowsMembers) this.#add(watcher, () => watcher[name]?.(member));
    this.#deliver();
  }

  #member(node: NodeId, id: string, value: string): PresenceMember {
    return createPresenceMember(node === THIS_NODE ? this.#nodeName() : node, id, value);
  }

  #add(watcher: PresenceWatcher, call: () => unknown): void {
    this.#calls.push(() => {
      // The watcher may have been removed by an earlier call.
      if (this.#watchers.has(watcher)) this.#guard(call);
    });
  }

  #deliver(): void {
    if (this.#isCalling) return;
    this.#isCalling = true;
    for (const call of this.#calls) call();
    this.#calls.length = 0;
    this.#isCalling = false;
  }

  #guard(call: () => unknown): void {
    try {
      const result = call();
      if (isThenable(result)) toPromise(result).catch((error: unknown) => this.#logError(error));
    } catch (error) {
      this.#logError(error);
    }
  }

  #logError(error: unknown): void {
    this.#logger.error(`A watcher of a group failed: ${describeError(error)}`);
  }
}

/** @param value JSON, as another node has stored it */
export function createPresenceMember(node: NodeId, id: string, value: string): PresenceMember {
  let presence: unknown;
  try {
    presence = JSON.parse(value);
  } catch {
    // Another program has written it.
  }
  return { id, node, presence };
}

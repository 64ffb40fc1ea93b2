import type { CloseReason, CloseStatus } from '../base/close-reasons.ts';
import { SockJSError } from '../base/errors.ts';
import type { Message } from '../protocol/message.ts';
import { checkGroupName, encodePresence } from './group-arguments.ts';
import type { GroupMember, GroupState } from './group-state.ts';
import type { Groups } from './groups.ts';

/** Settings of a router for the groups of its connections. */
export interface GroupSettings {
  readonly maxGroups: number;
  readonly maxPresenceBytes: number;
}

/** Groups of a router, and its limits. */
export interface GroupContext {
  readonly groups: Groups;
  readonly settings: GroupSettings;
}

/** The part of a session, or of a channel of a multiplexed session, that groups use. */
export interface MemberBackend {
  readonly closeReason: CloseStatus | undefined;
  send(message: Message): boolean;
  close(reason: CloseReason): void;
  watchClose(watcher: () => void): () => void;
}

/** Groups that one connection has joined. It leaves them when it closes. */
export class Memberships implements GroupMember {
  readonly id: string;
  readonly connection: object;
  readonly #backend: MemberBackend;
  readonly #context: GroupContext;
  readonly #joined = new Map<string, GroupState>();
  #isWatching = false;

  /** @param id `id` of the connection */
  constructor(connection: object, id: string, backend: MemberBackend, context: GroupContext) {
    this.connection = connection;
    this.id = id;
    this.#backend = backend;
    this.#context = context;
  }

  /** Names of the groups. */
  get names(): readonly string[] {
    return [...this.#joined.keys()];
  }

  /**
   * Joins a group. A closed connection joins nothing.
   * @param presence undefined keeps the present value
   * @returns a promise that resolves when messages of other nodes arrive
   * @throws SockJSError `ERR_ARGUMENT`, `ERR_GROUP_LIMIT`
   */
  join(name: string, presence: unknown): Promise<void> {
    checkGroupName(name);
    const { groups, settings } = this.#context;
    const json =
      presence === undefined ? undefined : encodePresence(presence, settings.maxPresenceBytes);
    if (this.#backend.closeReason !== undefined) return Promise.resolve();
    if (!this.#joined.has(name) && this.#joined.size >= settings.maxGroups) {
      throw new SockJSError(
        'ERR_GROUP_LIMIT',
        `A connection joins at most ${settings.maxGroups} groups. Leave one, or increase the setting maxGroups.`,
      );
    }
    const group = groups.open(name);
    this.#joined.set(name, group);
    group.add(this, json);
    if (!this.#isWatching) this.#backend.watchClose(() => this.#leaveAll());
    this.#isWatching = true;
    return group.subscribed;
  }

  leave(name: string): void {
    const group = this.#joined.get(name);
    this.#joined.delete(name);
    group?.remove(this);
  }

  send(message: Message): boolean {
    return this.#backend.send(message);
  }

  close(reason: CloseReason): void {
    this.#backend.close(reason);
  }

  #leaveAll(): void {
    for (const name of this.names) this.leave(name);
  }
}

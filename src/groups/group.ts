import { checkCloseArguments } from '../base/close-arguments.ts';
import {
  checkGroupName,
  checkGroupOptions,
  checkText,
  checkWatcher,
  toExceptions,
} from './group-arguments.ts';
import type { Groups } from './groups.ts';
import type { PresenceMember, PresenceWatcher } from './presence-view.ts';

/** Options of `SockJSGroup.broadcast`. */
export interface GroupBroadcastOptions<C extends object> {
  /** A connection that does not get the text, or several, for example the sender. */
  readonly except?: C | Iterable<C>;
}

/**
 * A group of connections of one prefix, on all nodes of a cluster. Connections join it with `join(name)`. Without a
 * cluster, it is a group of this process.
 */
export class SockJSGroup<C extends object = object> {
  readonly name: string;
  readonly #groups: Groups;

  /** @internal */
  constructor(groups: Groups, name: string) {
    checkGroupName(name);
    this.#groups = groups;
    this.name = name;
  }

  /** Members on this node. */
  get connections(): Iterable<C> {
    const groups = this.#groups;
    const { name } = this;
    return {
      *[Symbol.iterator]() {
        for (const { connection } of groups.find(name)?.members ?? [])
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the connections of the router
          yield connection as C;
      },
    };
  }

  /**
   * Sends a text to every member on every node. Each node encodes it once. Members on this node get it even while the
   * backplane is not available. The others then miss it, which their nodes report to `watch`.
   * @throws SockJSError `ERR_MESSAGE_TYPE` if the text is not a string or is too long, `ERR_ARGUMENT` for another
   * `except`
   */
  broadcast(text: string, options: GroupBroadcastOptions<C> = {}): void {
    checkText(text);
    checkGroupOptions('broadcast()', 'except', options);
    this.#groups.broadcast(this.name, text, toExceptions(options.except));
  }

  /**
   * Closes every member on every node.
   * @param code code as for `SockJSConnection.close`
   * @throws SockJSError `ERR_CLOSE_ARGUMENT`
   */
  close(code = 3000, reason = 'Go away!'): void {
    checkCloseArguments(code, reason);
    this.#groups.close(this.name, { code, reason, cause: 'application' });
  }

  /**
   * Reads the members on all nodes that have joined with a presence.
   * @throws SockJSError `ERR_BACKPLANE` while the backplane is not available
   */
  presence(): Promise<readonly PresenceMember[]> {
    return this.#groups.readPresence(this.name);
  }

  /**
   * Watches the members on all nodes that have joined with a presence.
   * @returns a function that stops watching
   * @throws SockJSError `ERR_ARGUMENT` unless the watcher is an object with methods
   */
  watch(watcher: PresenceWatcher): () => void {
    checkWatcher(watcher);
    return this.#groups.open(this.name).watch(watcher);
  }
}

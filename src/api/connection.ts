/** The connection class, which applications extend. */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ConnectionInfo } from '../base/connection-info.ts';
import { checkCloseArguments } from '../base/close-arguments.ts';
import { describeType } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';
import type { TransportName } from '../base/transport-name.ts';
import { checkGroupOptions } from '../groups/group-arguments.ts';
import { Memberships } from '../groups/memberships.ts';
import { createMessage, createSharedMessage } from '../sessions/create-message.ts';
import { checkConnections, checkSource } from './argument-checks.ts';
import { AbortableIterator, type MessageSource } from './abortable-iterator.ts';
import type { ConnectionBackend, ConnectionLink } from './connection-backend.ts';

/** Number of messages after which `sendAll` yields to the event loop. */
const MESSAGES_PER_TURN = 100;

/** @param member name of the member of the connection that is used, for the error message */
let linkOf: (connection: SockJSConnection, member?: string) => ConnectionLink;
let isConnection: (value: unknown) => value is SockJSConnection;
let connect: (connection: SockJSConnection, link: ConnectionLink) => void;

function backendOf(connection: SockJSConnection, member?: string): ConnectionBackend {
  return linkOf(connection, member).backend;
}

/** An alias, since the compiler moves overloads with literals to the front. */
type OtherMessage = 'send() takes a string or bytes. Use JSON.stringify for other values.';

/**
 * Connection to one client. Extend this class, override the handlers that you need, and pass the class to a
 * `SockJSRouter`, which creates an instance for each client. A handler that throws, or whose promise rejects, closes
 * its connection with code 1011. The error is logged.
 *
 * `User` is the type that the setting `authorize` returns.
 *
 * @example
 * class Echo extends SockJSConnection {
 *   override onMessage(message: string) {
 *     this.send(message);
 *   }
 * }
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the router infers the return type of `authorize` from it
export class SockJSConnection<User = unknown> {
  #link: ConnectionLink | undefined;
  #id: string | undefined;
  #memberships: Memberships | undefined;

  static {
    connect = (connection, link) => {
      if (connection.#link !== undefined) {
        throw new SockJSError(
          'ERR_ARGUMENT',
          'A connection serves one client. The factory must return a new instance for each.',
        );
      }
      connection.#link = link;
    };
    linkOf = (connection, member = 'it') => {
      if (!isConnection(connection)) {
        throw new SockJSError(
          'ERR_ARGUMENT',
          `${member} needs its connection as \`this\`. Call it as a method, and not through a Proxy.`,
        );
      }
      if (connection.#link !== undefined) return connection.#link;
      throw new SockJSError(
        'ERR_NOT_CONNECTED',
        `${connection.constructor.name || 'A connection'} uses this.${member} before it has a client. ` +
          'Use it in onOpen or later, not in the constructor or in a field.',
      );
    };
    isConnection = (value): value is SockJSConnection =>
      typeof value === 'object' && value !== null && #link in value;
  }

  /**
   * Called when the client has connected. While a returned promise is pending, the client's messages are delayed.
   * @param info the request that opened the session
   * @returns false, or a promise of it, to refuse the client, which is closed with code 1008
   */
  onOpen(_info: ConnectionInfo): void | boolean | Promise<void | boolean> {}

  /**
   * Called for each text message from the client, in order. The next call does not wait for a returned promise, unless
   * `maxConcurrentHandlers` of them are pending. With 1, messages are handled one after the other.
   */
  onMessage(_message: string): void | Promise<void> {}

  /** Called for each binary message from a client of `<prefix>/websocket`. By default it closes with code 1003. */
  onBinary(_data: Uint8Array): void | Promise<void> {
    this.close(1003, 'Only text is accepted here');
  }

  /** Called when the client keeps up again, after `send` has returned false. */
  onDrain(): void | Promise<void> {}

  /**
   * Called once after `onOpen`, as the last call.
   * @param code the code passed to `close()`, the code of the client's WebSocket, or a code from docs/errors.md, such
   * as 1002 (interrupted) or 1006 (client gone)
   * @param reason reason that belongs to the code
   */
  onClose(_code: number, _reason: string): void | Promise<void> {}

  /**
   * Sends a message to the client. All messages that one handler sends form one frame.
   * @param message text, or bytes for a client of `<prefix>/websocket`
   * @returns false when the client falls behind: its socket takes no more data, or `highWaterMark` bytes are buffered.
   * Then wait for `onDrain`. Also false once the connection is closed. If the client has not taken
   * more than `maxBufferedBytes`, the setting `slowConsumer` decides. By default it closes the client with code 1013
   * @throws SockJSError `ERR_MESSAGE_TYPE` for bytes on a transport that carries only text, for other types, or for a
   * text of more than 64 Mi characters
   */
  send(message: string | Uint8Array): boolean;
  /** Only for the compiler's error message about other types, which shows the last overload. */
  send(message: OtherMessage): boolean;
  send(message: string | Uint8Array): boolean {
    const backend = backendOf(this, 'send');
    if (typeof message !== 'string') {
      if (!(message instanceof Uint8Array)) {
        throw new SockJSError(
          'ERR_MESSAGE_TYPE',
          `send() takes a string or bytes, not ${describeType(message)}. Use JSON.stringify for other values.`,
        );
      }
      if (backend.transport !== 'rawwebsocket') {
        throw new SockJSError(
          'ERR_MESSAGE_TYPE',
          `Only clients of rawwebsocket can receive bytes, and this one uses ${backend.transport}. Send text.`,
        );
      }
    }
    return backend.send(createMessage(message));
  }

  /**
   * Sends a text to many clients, which is encoded once. Closed connections are skipped.
   * @throws SockJSError `ERR_MESSAGE_TYPE` if the message is not a string
   */
  broadcast(clients: Iterable<SockJSConnection>, message: string): void {
    broadcast(clients, message);
  }

  /**
   * Joins a group of the router, whose members `router.group(name)` sends to. The connection leaves it when it closes.
   * A second call joins once, and may change the presence.
   * @param group name of 1 to 256 characters
   * @param options `presence`: a value that JSON can represent, which all nodes can read and watch
   * @returns a promise that resolves when messages of other nodes arrive as well. It never rejects
   * @throws SockJSError `ERR_ARGUMENT`, or `ERR_GROUP_LIMIT` over `maxGroups` or `maxPresenceBytes`
   *
   * @example
   * await this.join('news', { presence: { name: 'Ann' } });
   */
  join(group: string, options: { readonly presence?: unknown } = {}): Promise<void> {
    checkGroupOptions('join()', 'presence', options);
    const { backend, groups } = linkOf(this, 'join');
    this.#memberships ??= new Memberships(this, this.id, backend, groups);
    return this.#memberships.join(group, options.presence);
  }

  /** Leaves a group. Without effect if the connection is not in it. */
  leave(group: string): void {
    this.#memberships?.leave(group);
  }

  /** Names of the groups that the connection is in. */
  get groups(): readonly string[] {
    return this.#memberships?.names ?? [];
  }

  /**
   * Waits until the client keeps up, as an alternative to `onDrain`.
   * @returns a promise of true, or of false if the connection closes first
   */
  drained(): Promise<boolean> {
    return backendOf(this, 'drained').whenDrained();
  }

  /**
   * Sends all messages of a source, at the pace of the client.
   * @param source an array, a generator, a text stream (with its encoding set), or the argument that `stream.pipeline`
   * passes to its last function. A string is one message
   * @returns a promise of true once all messages are sent, or of false if the connection closes first, which releases
   * the source
   * @throws SockJSError `ERR_MESSAGE_TYPE` if the source is not iterable; errors of the source, and of `send`
   *
   * @example
   * await this.sendAll(createReadStream('words.txt', 'utf8'));
   */
  async sendAll(source: MessageSource<string>): Promise<boolean> {
    let count = 0;
    checkSource(source);
    const messages = new AbortableIterator(typeof source === 'string' ? [source] : source);
    const unwatch = backendOf(this, 'sendAll').watchClose(() => messages.abort());
    try {
      for await (const message of messages) {
        if (!this.send(message) && !(await this.drained())) return false;
        count += 1;
        if (count % MESSAGES_PER_TURN === 0) await nextTurn();
      }
    } finally {
      unwatch();
    }
    return !this.isClosed;
  }

  /**
   * Closes the connection. Messages sent before it are still delivered. `onMessage` is not called after it.
   * @param code 1000 to 1003, 1007 to 1014, or 3000 to 4999 for codes of the application
   * @param reason text of at most 123 bytes as UTF-8
   * @throws SockJSError `ERR_CLOSE_ARGUMENT`
   */
  close(code = 3000, reason = 'Go away!'): void {
    checkCloseArguments(code, reason);
    backendOf(this, 'close').close({ code, reason, cause: 'application' });
  }

  /** True once the connection is closing or closed, which is before `onClose` is called. */
  get isClosed(): boolean {
    return backendOf(this, 'isClosed').closeReason !== undefined;
  }

  /** Bytes buffered for the client: queued messages, each with 100 bytes of overhead, and data in its socket. */
  get bufferedBytes(): number {
    return backendOf(this, 'bufferedBytes').bufferedBytes;
  }

  /** Random UUID of this connection, for logs and maps. It is not the session id, which is secret. */
  get id(): string {
    return (this.#id ??= randomUUID());
  }

  /** Result of the setting `authorize`, or undefined without it. */
  get user(): User {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the router accepts only an `authorize` of this type
    return backendOf(this, 'user').user as User;
  }

  /** The request that opened the session. */
  get info(): ConnectionInfo {
    return backendOf(this, 'info').info;
  }

  /** Name of the client's transport. */
  get transport(): TransportName {
    return backendOf(this, 'transport').transport;
  }
}

/** Binds a new connection to its session, and to the groups of its router. */
export { connect };

/** Returns what a connection is bound to, for code that builds on it, such as `multiplex`. */
export { linkOf };

/**
 * Sends a text to many clients, of any routers, which is encoded once. Closed connections are skipped.
 * @throws SockJSError `ERR_MESSAGE_TYPE` if the message is not a string, `ERR_ARGUMENT` if the first argument is not an
 * iterable of connections
 */
export function broadcast(clients: Iterable<SockJSConnection>, message: string): void {
  checkConnections(clients);
  if (typeof message !== 'string') {
    throw new SockJSError(
      'ERR_MESSAGE_TYPE',
      `broadcast() takes a string, not ${describeType(message)}. Use JSON.stringify for other values.`,
    );
  }
  const shared = createSharedMessage(message);
  for (const client of clients) {
    if (!isConnection(client)) {
      throw new SockJSError(
        'ERR_ARGUMENT',
        `broadcast() sends to connections, not to ${describeType(client)}. The connections of a router are ` +
          'router.connections, and those of a Map are map.values().',
      );
    }
    backendOf(client, 'broadcast').send(shared);
  }
}

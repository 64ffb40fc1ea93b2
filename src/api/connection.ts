/** All that an application sees of a client. */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SockJSError } from '../base/errors.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import { type CloseReason, type CloseStatus, isCloseCode } from '../base/close-reasons.ts';
import type { Message } from '../protocol/message.ts';
import { createMessage } from '../sessions/create-message.ts';
import type { SockJSLogger, TransportName } from '../base/settings.ts';
import { type MessageSource, AbortableIterator } from './abortable-iterator.ts';

/** What stands behind a connection: a session, or a channel of a multiplexed one. */
export interface ConnectionBackend {
  readonly info: ConnectionInfo;
  /** What `authorize` answered. */
  readonly user: unknown;
  readonly transport: TransportName;
  /** Set as soon as an end is decided. */
  readonly closeReason: CloseStatus | undefined;
  readonly bufferedBytes: number;
  readonly logger: SockJSLogger;
  send(message: Message): boolean;
  /** Resolves once the client keeps up, to true; or to false if the connection ends before that. */
  whenDrained(): Promise<boolean>;
  /**
   * Calls `watcher` when it is over, and at once if it is.
   * @returns to be called by who need not know any more
   */
  watchClose(watcher: () => void): () => void;
  close(reason: CloseReason): void;
}

const LONGEST_REASON = 123;
/** After so many messages of one source everybody else has a turn. */
const SENT_AT_ONCE = 100;

/**
 * What may end a connection, on every transport alike.
 * @throws SockJSError `ERR_CLOSE_ARGUMENT`
 */
export function checkEnd(code: number, reason: string): void {
  if (!isCloseCode(code)) {
    throw new SockJSError(
      'ERR_CLOSE_ARGUMENT',
      `A close code is 1000 to 1003, 1007 to 1014 or 3000 to 4999, not ${String(code)}.`,
    );
  }
  if (typeof reason !== 'string' || Buffer.byteLength(reason) > LONGEST_REASON) {
    throw new SockJSError(
      'ERR_CLOSE_ARGUMENT',
      `A close reason is text of at most ${LONGEST_REASON} bytes.`,
    );
  }
}

let linkOf: (connection: SockJSConnection) => ConnectionBackend;
let connect: (connection: SockJSConnection, link: ConnectionBackend) => void;

/**
 * One client. Extend it, override the handlers that you need, and give the class to a `SockJSRouter`,
 * which makes an instance for each client. A handler that throws, or whose promise is rejected, ends
 * its own connection with code 1011 and a log line.
 *
 * `User` is what the setting `authorize` answers.
 *
 * @example
 * class Echo extends SockJSConnection {
 *   override onMessage(message: string) {
 *     this.send(message);
 *   }
 * }
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the router infers from it what `authorize` answers
export class SockJSConnection<User = unknown> {
  #link: ConnectionBackend | undefined;
  #id: string | undefined;

  static {
    connect = (connection, link) => {
      connection.#link = link;
    };
    linkOf = (connection) => {
      if (connection.#link !== undefined) return connection.#link;
      throw new SockJSError(
        'ERR_NOT_CONNECTED',
        'This connection was not opened by a router; use it from onOpen on, not in its constructor.',
      );
    };
  }

  /**
   * The client is there. While a promise is pending its messages wait.
   * @returns false, or a promise of it, to refuse the client: it is closed with code 1008
   */
  onOpen(_info: ConnectionInfo): void | boolean | Promise<void | boolean> {}

  /** A message from the client. Messages come in the order in which they were sent. */
  onMessage(_message: string): void | Promise<void> {}

  /** Bytes from a client of `<prefix>/websocket`; unless overridden they end the connection with code 1003. */
  onBinary(_data: Uint8Array): void | Promise<void> {
    this.close(1003, 'Only text is accepted here');
  }

  /** The client keeps up again, after `send` had answered false: go on. */
  onDrain(): void | Promise<void> {}

  /**
   * The connection is over: once for every `onOpen`, and the last call.
   * @param code as of a WebSocket: the one given to `close()`, 1000 to 1015 for what happened to the
   * connection (1002 interrupted, 1006 the client vanished), or the client's own where it can send one
   */
  onClose(_code: number, _reason: string): void | Promise<void> {}

  /**
   * Sends to the client. All that is sent while one handler runs leaves as one frame.
   * @param message text, or bytes for a client of `<prefix>/websocket`
   * @returns whether the client keeps up. False, when its connection takes no more or `highWaterMark`
   * bytes wait here, asks to wait for `onDrain`; so it is for one that is gone. What becomes of
   * it beyond `maxBufferedBytes` is for `slowConsumer` to say: by default it is closed with code 1013
   * @throws SockJSError `ERR_MESSAGE_TYPE` for anything but text, or bytes where they cannot be sent
   */
  send(message: string | Uint8Array): boolean {
    const link = linkOf(this);
    if (typeof message !== 'string') {
      if (!(message instanceof Uint8Array)) {
        throw new SockJSError(
          'ERR_MESSAGE_TYPE',
          'send() takes a string; use JSON.stringify for anything else.',
        );
      }
      if (link.transport !== 'rawwebsocket') {
        throw new SockJSError(
          'ERR_MESSAGE_TYPE',
          `Bytes can be sent to clients of rawwebsocket only, and this one uses ${link.transport}; send text.`,
        );
      }
    }
    return link.send(createMessage(message));
  }

  /** Sends one text to many clients; it is encoded once. See the function `broadcast`. */
  broadcast(clients: Iterable<SockJSConnection>, message: string): void {
    broadcast(clients, message);
  }

  /**
   * Waits until the client keeps up, for those who prefer a promise to `onDrain`.
   * @returns true at once or later; false if the connection is over before that
   */
  drained(): Promise<boolean> {
    return linkOf(this).whenDrained();
  }

  /**
   * Sends all that a source gives, at the pace of the client: an array, a generator, a stream of text
   * (with its encoding set), or what `stream.pipeline` passes to its last function; a string is one message.
   * @returns true once all is sent; false if the connection ended before that, and then the source is
   * told to stop
   * @throws what the source throws, and what `send` throws
   *
   * @example
   * await this.sendAll(createReadStream('words.txt', 'utf8'));
   */
  async sendAll(source: MessageSource<string>): Promise<boolean> {
    let count = 0;
    const messages = new AbortableIterator(typeof source === 'string' ? [source] : source);
    const unwatch = linkOf(this).watchClose(() => messages.end());
    try {
      for await (const message of messages) {
        if (!this.send(message) && !(await this.drained())) return false;
        count += 1;
        if (count % SENT_AT_ONCE === 0) await nextTurn();
      }
    } finally {
      unwatch();
    }
    return !this.isClosed;
  }

  /**
   * Ends the connection. What was sent before still arrives; no message is handled after it.
   * @param code 1000 to 1003, 1007 to 1014, or 3000 to 4999 for codes of your own
   * @param reason at most 123 bytes
   * @throws SockJSError `ERR_CLOSE_ARGUMENT`
   */
  close(code = 3000, reason = 'Go away!'): void {
    checkEnd(code, reason);
    linkOf(this).close({ code, reason, cause: 'application' });
  }

  /** True as soon as an end is decided, before `onClose` is called. */
  get isClosed(): boolean {
    return linkOf(this).closeReason !== undefined;
  }

  /** Bytes that wait for the client, here (each message with 100 for its upkeep) or in its connection. */
  get bufferedBytes(): number {
    return linkOf(this).bufferedBytes;
  }

  /** A name for this connection, for logs and maps: random, and never the session id. */
  get id(): string {
    return (this.#id ??= randomUUID());
  }

  /** Who the client is: what the setting `authorize` answered, and undefined without it. */
  get user(): User {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the router takes an `authorize` of this type only
    return linkOf(this).user as User;
  }

  /** The request that opened the session. */
  get info(): ConnectionInfo {
    return linkOf(this).info;
  }

  /** How the client is connected. */
  get transport(): TransportName {
    return linkOf(this).transport;
  }
}

/** Whether it can be given to a router; JavaScript has no compiler to ask. */
export function isConnectionClass(value: unknown): boolean {
  if (typeof value !== 'function') return false;
  return value === SockJSConnection || value.prototype instanceof SockJSConnection;
}

/** Gives a new connection its session. */
export { connect };

/** The session behind a connection, for those who build on it: multiplexing. */
export { linkOf };

/**
 * Sends one text to many clients, of whatever routers; it is encoded once. Those that are gone are passed over.
 * @throws SockJSError `ERR_MESSAGE_TYPE` if the message is not a string
 */
export function broadcast(clients: Iterable<SockJSConnection>, message: string): void {
  if (typeof message !== 'string') {
    throw new SockJSError(
      'ERR_MESSAGE_TYPE',
      'broadcast() takes a string; use JSON.stringify for anything else.',
    );
  }
  const shared = createMessage(message);
  for (const client of clients) linkOf(client).send(shared);
}

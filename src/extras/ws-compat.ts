/**
 * For those who come from `ws`: the connection handler that they have, given an object with the face of
 * a `ws` WebSocket, as a connection class for a router.
 */
import { isUtf8 } from 'node:buffer';
import { EventEmitter } from 'node:events';
import { SockJSConnection, linkOf } from '../api/connection.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import { describeError } from '../base/errors.ts';
import { CLOSE_REASONS } from '../base/close-reasons.ts';

interface Events {
  /** Emitted for the handler of connections only. */
  connection: [socket: CompatWebSocket, request: CompatRequest];
  /** As in `ws`, the data is bytes even if it came as text: `isBinary` tells. */
  message: [data: Buffer, isBinary: boolean];
  close: [code: number, reason: Buffer];
  /** Never emitted: what goes wrong with a connection is told by 'close'. */
  error: [error: Error];
}

interface SendOptions {
  readonly binary?: boolean | undefined;
}

type Sent = (error?: Error) => void;

/** What a `ws` handler uses of its request. */
export interface CompatRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly socket: { readonly remoteAddress: string };
}

/**
 * The face of a `ws` WebSocket on a SockJS connection. A listener or a callback that throws, or whose
 * promise is rejected, ends its own connection with code 1011 and a log line.
 */
export class CompatWebSocket extends EventEmitter<Events> {
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly OPEN = CompatWebSocket.OPEN;
  readonly CLOSING = CompatWebSocket.CLOSING;
  readonly CLOSED = CompatWebSocket.CLOSED;
  readonly #connection: SockJSConnection;
  #isOver = false;

  constructor(connection: SockJSConnection) {
    super({ captureRejections: true });
    this.#connection = connection;
    this.once('close', () => {
      this.#isOver = true;
    });
  }

  get readyState(): number {
    if (this.#isOver) return this.CLOSED;
    return this.#connection.isClosed ? this.CLOSING : this.OPEN;
  }

  get bufferedAmount(): number {
    return this.#connection.bufferedBytes;
  }

  /**
   * As in `ws`, options may be left out. Bytes that are UTF-8 go as text where the transport carries text
   * only, or where `binary: false` says so.
   * @param sent called once the message is on its way, or with the reason why it is not
   * @throws SockJSError `ERR_MESSAGE_TYPE` for other bytes where the transport carries text only
   */
  send(data: string | Uint8Array, options?: SendOptions | Sent, sent?: Sent): void {
    const told = typeof options === 'function' ? options : sent;
    const binary = typeof options === 'function' ? undefined : options?.binary;
    if (this.#connection.isClosed) {
      this.#tell(told, new Error('The connection is closed.'));
    } else {
      this.#connection.send(this.#carried(data, binary));
      this.#tell(told);
    }
  }

  /** Nothing to do: the router sends heartbeats of its own. */
  ping(): void {}

  /** Nothing to do: `ws` answers pings by itself. */
  pong(): void {}

  close(code = 1000, reason = ''): void {
    this.#connection.close(code, reason);
  }

  /** There is no less polite end than a close frame on most transports. */
  terminate(): void {
    this.#connection.close(1001, 'Terminated');
  }

  /** What listeners throw reaches the connection by itself; this is what their promises are rejected with. */
  override [EventEmitter.captureRejectionSymbol](
    error: Error,
    event: unknown,
    ..._args: unknown[]
  ): void {
    this.#fail(`A listener for '${String(event)}'`, error);
  }

  #tell(told: Sent | undefined, problem?: Error): void {
    if (told === undefined) return;
    const telling = Promise.resolve(problem).then(told);
    telling.catch((error: unknown) => this.#fail('A callback of send()', error));
  }

  #fail(what: string, error: unknown): void {
    const link = linkOf(this.#connection);
    link.close(CLOSE_REASONS.internalError);
    link.logger.error(
      `${what} failed; its connection is closed with ${CLOSE_REASONS.internalError.code}: ${describeError(error)}`,
    );
  }

  #carried(data: string | Uint8Array, binary: boolean | undefined): string | Uint8Array {
    if (typeof data === 'string') return data;
    const textOnly = this.#connection.transport !== 'rawwebsocket';
    if (binary === false || (textOnly && isUtf8(data))) return Buffer.from(data).toString('utf8');
    return data;
  }
}

/** What was written for `wss.on('connection', …)`. */
export type WebSocketHandler = (socket: CompatWebSocket, request: CompatRequest) => unknown;

function requestOf(info: ConnectionInfo): CompatRequest {
  const query = info.arguments.toString();
  return {
    url: query === '' ? info.path : `${info.path}?${query}`,
    headers: info.headers,
    socket: { remoteAddress: info.ip },
  };
}

/**
 * A connection class for a router out of a handler written for `ws`.
 *
 * @example
 * new SockJSRouter(webSocketHandler((socket) => socket.on('message', (data) => socket.send(data.toString()))), '/echo');
 */
export function webSocketHandler(handler: WebSocketHandler): new () => SockJSConnection {
  return class MigratedConnection extends SockJSConnection {
    readonly #socket = new CompatWebSocket(this).once('connection', handler);

    /** Messages do not wait for what the handler promises: with `ws` they would not either. */
    override onOpen(info: ConnectionInfo): void {
      this.#socket.emit('connection', this.#socket, requestOf(info));
    }

    override onMessage(message: string): void {
      this.#socket.emit('message', Buffer.from(message), false);
    }

    override onBinary(data: Uint8Array): void {
      this.#socket.emit('message', Buffer.from(data), true);
    }

    override onClose(code: number, reason: string): void {
      this.#socket.emit('close', code, Buffer.from(reason));
    }
  };
}

/**
 * For those who come from `ws`: the connection handler that they have, given an object with the face of
 * a `ws` WebSocket, as a connection class for a router.
 */
import { isUtf8 } from 'node:buffer';
import { EventEmitter } from 'node:events';
import { SockJSConnection } from './connection.ts';
import type { ConnectionInfo } from './connection-info.ts';

interface Events {
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
export interface MigratedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly socket: { readonly remoteAddress: string };
}

/** The face of a `ws` WebSocket on a SockJS connection. */
export class MigratedWebSocket extends EventEmitter<Events> {
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly OPEN = MigratedWebSocket.OPEN;
  readonly CLOSING = MigratedWebSocket.CLOSING;
  readonly CLOSED = MigratedWebSocket.CLOSED;
  readonly #connection: SockJSConnection;
  #isOver = false;

  constructor(connection: SockJSConnection) {
    super();
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
      told?.(new Error('The connection is closed.'));
      return;
    }
    this.#connection.send(this.#carried(data, binary));
    if (told !== undefined) queueMicrotask(() => told());
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

  #carried(data: string | Uint8Array, binary: boolean | undefined): string | Uint8Array {
    if (typeof data === 'string') return data;
    const textOnly = this.#connection.transport !== 'rawwebsocket';
    if (binary === false || (textOnly && isUtf8(data))) return Buffer.from(data).toString('utf8');
    return data;
  }
}

/** What was written for `wss.on('connection', …)`. */
export type WebSocketHandler = (socket: MigratedWebSocket, request: MigratedRequest) => void;

function requestOf(info: ConnectionInfo): MigratedRequest {
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
  return class extends SockJSConnection {
    readonly #socket = new MigratedWebSocket(this);

    override onOpen(info: ConnectionInfo): void {
      handler(this.#socket, requestOf(info));
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

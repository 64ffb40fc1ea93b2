/**
 * For those who come from `ws`: the connection handler that they have, given an object with the face of
 * a `ws` WebSocket, as a connection class for a router.
 */
import { EventEmitter } from 'node:events';
import { SockJSConnection } from './connection.ts';
import type { ConnectionInfo } from './http/connection-info.ts';

interface Events {
  /** As in `ws`, the data is bytes even if it came as text: `isBinary` tells. */
  message: [data: Buffer, isBinary: boolean];
  close: [code: number, reason: Buffer];
}

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
   * @param sent called once the message is on its way, or with the reason why it is not
   * @throws SockJSError `ERR_MESSAGE_TYPE` for bytes where the transport carries text only
   */
  send(data: string | Uint8Array, sent?: (error?: Error) => void): void {
    if (this.#connection.isClosed) {
      sent?.(new Error('The connection is closed.'));
      return;
    }
    this.#connection.send(data);
    if (sent !== undefined) queueMicrotask(() => sent());
  }

  close(code = 1000, reason = ''): void {
    this.#connection.close(code, reason);
  }

  /** There is no less polite end than a close frame on most transports. */
  terminate(): void {
    this.#connection.close(1001, 'Terminated');
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

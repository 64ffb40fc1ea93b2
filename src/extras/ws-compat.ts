/** Runs connection handlers that were written for `ws`, with an object that has the interface of its WebSocket. */
/// <reference types="node" preserve="true" />
import { isUtf8 } from 'node:buffer';
import { EventEmitter } from 'node:events';
import { SockJSConnection, linkOf } from '../api/connection.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import { describeError } from '../base/logging.ts';
import { CLOSE_REASONS } from '../base/close-reasons.ts';
import { isThenable, toPromise } from '../base/thenable.ts';

interface Events {
  /** As in `ws`, the data is a Buffer even for a text message, for which `isBinary` is false. */
  message: [data: Buffer, isBinary: boolean];
  close: [code: number, reason: Buffer];
  /** Never emitted. A failed connection emits 'close'. */
  error: [error: Error];
}

interface SendOptions {
  readonly binary?: boolean | undefined;
}

function ignore(): void {}

type SendCallback = (error?: Error) => void;

/** The parts of a request that handlers of `ws` use. */
export interface CompatRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly socket: { readonly remoteAddress: string };
}

/**
 * The interface of a `ws` WebSocket on a SockJS connection. When a listener or a callback throws or rejects, its
 * connection is closed with code 1011, and the error is logged.
 */
export class CompatWebSocket extends EventEmitter<Events> {
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly OPEN = CompatWebSocket.OPEN;
  readonly CLOSING = CompatWebSocket.CLOSING;
  readonly CLOSED = CompatWebSocket.CLOSED;
  readonly #connection: SockJSConnection;
  #hasClosed = false;

  constructor(connection: SockJSConnection) {
    super();
    this.#connection = connection;
    this.once('close', () => {
      this.#hasClosed = true;
    });
  }

  get readyState(): number {
    if (this.#hasClosed) return this.CLOSED;
    return this.#connection.isClosed ? this.CLOSING : this.OPEN;
  }

  get bufferedAmount(): number {
    return this.#connection.bufferedBytes;
  }

  /**
   * Sends a message. As in `ws`, `options` may be omitted. Bytes are sent as text with `binary: false`, and on
   * transports that carry only text, if they are valid UTF-8.
   * @param callback called without an error once the message is queued, or with an error if the connection is closed
   * @throws SockJSError `ERR_MESSAGE_TYPE` for bytes that are not UTF-8 on a transport that carries only text
   */
  send(
    data: string | ArrayBuffer | ArrayBufferView,
    options?: SendOptions | SendCallback,
    callback?: SendCallback,
  ): void {
    const onSent = typeof options === 'function' ? options : callback;
    const binary = typeof options === 'function' ? undefined : options?.binary;
    if (this.#connection.isClosed) {
      this.#callBack(onSent, new Error('The connection is closed.'));
    } else {
      const message = typeof data === 'string' ? data : toBuffer(data);
      this.#connection.send(this.#toSupportedType(message, binary));
      this.#callBack(onSent);
    }
  }

  /** Does nothing: the router sends heartbeats. */
  ping(): void {}

  /** Does nothing: pongs are sent automatically. */
  pong(): void {}

  /** @param reason text, or its bytes in UTF-8, as in `ws` */
  close(code = 1000, reason: string | ArrayBuffer | ArrayBufferView = ''): void {
    const text = typeof reason === 'string' ? reason : toBuffer(reason).toString('utf8');
    this.#connection.close(code, text);
  }

  /** Closes with code 1001, because on most transports a server can end a session only with a close frame. */
  terminate(): void {
    this.#connection.close(1001, 'Terminated');
  }

  /**
   * Calls the listeners of an event, as `emit` does, which drops their results.
   * @returns a promise that resolves when the promises of the listeners have settled, or undefined without any
   * @internal
   */
  callListeners<Name extends keyof Events>(
    event: Name,
    ...args: Events[Name]
  ): Promise<void> | undefined {
    let pending: Promise<void> | undefined;
    for (const listener of this.rawListeners(event)) {
      const settled = this.watch(`A listener for '${event}'`, Reflect.apply(listener, this, args));
      pending = pending === undefined ? settled : pending.then(() => settled);
    }
    return pending;
  }

  /**
   * Closes the connection if a promise rejects.
   * @returns a promise that resolves when it has settled, or undefined if the result is no promise
   * @internal
   */
  watch(source: string, result: unknown): Promise<void> | undefined {
    if (!isThenable(result)) return undefined;
    return toPromise(result).then(ignore, (error: unknown) => this.#closeAfterError(source, error));
  }

  #callBack(onSent: SendCallback | undefined, sendError?: Error): void {
    if (onSent === undefined) return;
    void this.watch('A callback of send()', Promise.resolve(sendError).then(onSent));
  }

  #closeAfterError(source: string, error: unknown): void {
    const { backend } = linkOf(this.#connection);
    backend.close(CLOSE_REASONS.internalError);
    backend.context.logger.error(
      `${source} failed; its connection is closed with ${CLOSE_REASONS.internalError.code}: ${describeError(error)}`,
    );
  }

  #toSupportedType(data: string | Buffer, binary: boolean | undefined): string | Uint8Array {
    if (typeof data === 'string') return data;
    const isTextOnly = this.#connection.transport !== 'rawwebsocket';
    if (binary === false || (isTextOnly && isUtf8(data))) return data.toString('utf8');
    return data;
  }
}

/** Returns a view of the same bytes. */
function toBuffer(data: ArrayBuffer | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}

/** A listener for `wss.on('connection', …)`. */
export type WebSocketHandler = (socket: CompatWebSocket, request: CompatRequest) => unknown;

function createRequest(info: ConnectionInfo): CompatRequest {
  const query = info.arguments.toString();
  return {
    url: query === '' ? info.path : `${info.path}?${query}`,
    headers: info.headers,
    socket: { remoteAddress: info.ip },
  };
}

/**
 * Creates a connection class from a handler that was written for `ws`.
 *
 * @example
 * new SockJSRouter(webSocketHandler((socket) => socket.on('message', (data) => socket.send(data.toString()))), '/echo');
 */
export function webSocketHandler(handler: WebSocketHandler): new () => SockJSConnection {
  return class CompatConnection extends SockJSConnection {
    readonly #socket = new CompatWebSocket(this);

    /** Does not await the handler. As with `ws`, messages arrive while an async handler runs. */
    override onOpen(info: ConnectionInfo): void {
      void this.#socket.watch('The handler', handler(this.#socket, createRequest(info)));
    }

    override onMessage(message: string): void | Promise<void> {
      return this.#socket.callListeners('message', Buffer.from(message), false);
    }

    override onBinary(data: Uint8Array): void | Promise<void> {
      return this.#socket.callListeners('message', Buffer.from(data), true);
    }

    override onClose(code: number, reason: string): void | Promise<void> {
      return this.#socket.callListeners('close', code, Buffer.from(reason));
    }
  };
}

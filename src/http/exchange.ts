/**
 * The port between a host and the layers above it: one request and its response. A host is an adapter for an HTTP
 * server. The layers above use only this interface.
 */
import type { PeerCertificate } from 'node:tls';
import type { SockJSError } from '../base/errors.ts';
import type { ClientMemory } from '../base/memory-budget.ts';
import type { Payload } from '../base/payload.ts';
import type { Refusal, RefusalReason } from '../base/refusal.ts';
import type { Compression } from '../base/setting-rules.ts';
import type { ClientAddress, Hop } from './client-address.ts';
import type { OperatorWarning } from './operator-warnings.ts';
import type { WebSocketConnection } from './websocket-connection.ts';

/** Alternating names and values, which a host writes without conversion. */
export type HeaderList = string[];

/** Settings that every host applies. Times in milliseconds. */
export interface HostSettings {
  readonly compression: false | Compression;
  readonly disableNagle: boolean;
  readonly noKeepAlive: boolean;
  readonly maxMessageBytes: number;
  readonly bodyTimeout: number;
  readonly writeTimeout: number;
  readonly sendTimeLimit: number;
}

/** Receives the events of a response. Either `onFinish` or `onDisconnect` is the last one. */
export interface ResponseListener {
  /** Called when the response is writable again. */
  onDrain(): void;
  /** Called when the response has ended and is sent completely. */
  onFinish(): void;
  /** Called when the client disconnected before the response was sent completely. */
  onDisconnect(): void;
  /** Called when the client reads too slowly: see `writeTimeout` and `sendTimeLimit`. */
  onWriteTimeout(): void;
}

/** Limits of a request body. */
export interface BodyLimits {
  /** Limit for the length of a body. */
  readonly maxBytes: number;
  /** Time for the whole body, in milliseconds. */
  readonly timeout: number;
}

/** A valid request for a WebSocket. */
export interface WebSocketUpgrade {
  readonly type: 'websocket';
  /** Completes the handshake. The caller sets a listener in the same turn. */
  accept(memory: ClientMemory): WebSocketConnection;
}

/** The WebSocket upgrade that a request contains. Other upgrades are `none`. */
export type Upgrade =
  | { readonly type: 'none' }
  | { readonly type: 'refused'; readonly refusal: Refusal }
  | WebSocketUpgrade;

export const NO_UPGRADE: Upgrade = { type: 'none' };

/** One request and its response, or its WebSocket. */
export interface Exchange extends Hop {
  readonly method: string;
  /** Path below the prefix of the router, undecoded: '' or starting with '/'. */
  readonly path: string;
  /** Query without '?', undecoded, or ''. */
  readonly query: string;
  /** Alternating names and values, as received. */
  readonly rawHeaders: readonly string[];
  /** The client's certificate, if the server requested one and verified it. */
  readonly certificate: PeerCertificate | undefined;
  readonly upgrade: Upgrade;
  /** Client that another node of the cluster has seen, if that node has relayed the request. */
  readonly relayedClient: ClientAddress | undefined;
  /** True once the client has disconnected. */
  readonly isDisconnected: boolean;
  /** True once a response has started, the upgrade was accepted, or the client has disconnected. */
  readonly isHandled: boolean;
  /** Bytes written that the system has not taken. */
  readonly bufferedBytes: number;
  /** False while the client falls behind. */
  readonly writable: boolean;

  /**
   * Reads the whole request body. To be called before `respond` and `listen`, which drop a body that was not read.
   * @returns the body, or an error: `ERR_BODY_TOO_LARGE`, `ERR_BODY_TIMEOUT` or `ERR_NO_MEMORY` as soon as a limit
   * is exceeded, `ERR_BODY_ABORTED` if the client disconnects
   */
  readBody(limits: BodyLimits, memory: ClientMemory): Promise<Buffer | SockJSError>;
  /** To be called before the body waits for `readBody`: what arrives until then counts in the memory budget. */
  delayBody(memory: ClientMemory): void;
  /** Sends a complete response. A client that reads it too slowly is aborted, or reported to the listener. */
  respond(status: number, headers: HeaderList, body?: Payload): void;
  /**
   * Starts a streaming response. Nothing is sent before the first `write`.
   * @param status default: 200
   */
  startStream(headers: HeaderList, status?: number): void;
  /** Sends one chunk of a streaming response. */
  write(chunk: Payload): void;
  /** Ends a streaming response. Written chunks are still delivered. */
  end(): void;
  /** Closes the connection at once. Buffered bytes are lost. */
  abort(): void;
  /** Sets the listener for the events of the response. */
  listen(listener: ResponseListener): void;
  /**
   * Calls back if the client disconnects while a decision of the application is pending.
   * @returns a function that removes the callback. Call it before the request is handled, and wait for its promise, if
   * it returns one, in which the callback may still be called
   */
  watchDisconnect(memory: ClientMemory, callback: () => void): () => void | Promise<void>;
}

/** The part of a router that a host needs. */
export interface ExchangeHandler {
  readonly prefix: string;
  readonly settings: HostSettings;
  /** True while the router shuts down. Each connection then closes after its response, so that none is reused. */
  readonly isDraining: boolean;
  /** True once it has shut down. Another router may then take its prefix. */
  readonly isClosed: boolean;
  /** Handles an exchange below the prefix. It never throws. */
  handle(exchange: Exchange): void;
  /** Refuses an exchange that the host does not support. */
  refuse(exchange: Exchange, reason: RefusalReason): void;
  /** Logs a warning for the operator, once. */
  warn(warning: OperatorWarning): void;
}

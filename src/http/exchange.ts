/**
 * The port between a host and everything above it: one request and its response. A host is whatever speaks HTTP.
 * The rest of the library sees this interface only.
 */
import type { PeerCertificate } from 'node:tls';
import type { SockJSError } from '../base/errors.ts';
import type { MemoryBudget } from '../base/memory-budget.ts';
import type { Refusal } from '../base/refusal.ts';
import type { Hop } from './client-address.ts';
import type { WebSocketConnection } from './websocket-connection.ts';

/** Names and values in turn: the form that a host writes without a conversion. */
export type HeaderList = string[];

/** Settings that every host applies. Times in milliseconds. */
export interface HostSettings {
  readonly disableNagle: boolean;
  readonly noKeepAlive: boolean;
  readonly maxMessageBytes: number;
  readonly maxTotalBufferedBytes: number;
  readonly highWaterMark: number;
  readonly bodyTimeout: number;
  readonly writeTimeout: number;
}

/** Receives the events of a response. `onFinish` and `onDisconnect` are final: exactly one of them is called. */
export interface ResponseListener {
  /** The response can be written to again. */
  onDrain(): void;
  /** The response has ended, and all of it has left. */
  onFinish(): void;
  /** The client disconnected before all of the response had left. */
  onDisconnect(): void;
  /** The client has taken nothing of the response for `writeTimeout`. */
  onWriteTimeout(): void;
}

/** Limits of a request body. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** Time for the whole body, in milliseconds. */
  readonly timeout: number;
  /** Counts the bytes of bodies that are incomplete. */
  readonly budget: MemoryBudget;
  /** Limit of the budget. */
  readonly maxTotalBytes: number;
}

/** A request for a WebSocket. */
export interface WebSocketUpgrade {
  readonly type: 'websocket';
  /** Completes the handshake. The caller sets a listener before it returns to the event loop. */
  accept(): WebSocketConnection;
}

/** The upgrade that a request contains, as far as it concerns this library. */
export type Upgrade =
  | { readonly type: 'none' }
  | { readonly type: 'refused'; readonly refusal: Refusal }
  | WebSocketUpgrade;

export const NO_UPGRADE: Upgrade = { type: 'none' };

export interface Exchange extends Hop {
  readonly method: string;
  /** Path below the prefix of the router, undecoded: '' or starting with '/'. */
  readonly path: string;
  /** Undecoded text after '?', or ''. */
  readonly query: string;
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[];
  /** The client's certificate, if the server requested one and verified it. */
  readonly certificate: PeerCertificate | undefined;
  readonly upgrade: Upgrade;
  /** True when the client has disconnected: nobody reads a response. */
  readonly isDisconnected: boolean;
  /** True when a response has begun, the upgrade was accepted, or the client has disconnected. */
  readonly isHandled: boolean;
  /** Bytes written that the network has not taken. */
  readonly bufferedBytes: number;
  /** False while the client does not keep up. */
  readonly writable: boolean;

  /**
   * Reads the whole request body.
   * @returns the body, or an error: `ERR_BODY_TOO_LARGE`, `ERR_BODY_TIMEOUT` or `ERR_NO_MEMORY` as soon as a limit
   * is exceeded, `ERR_BODY_ABORTED` if the client disconnects
   */
  readBody(limits: BodyLimits): Promise<Buffer | SockJSError>;
  /** Sends a complete response. */
  respond(status: number, headers: HeaderList, body?: string): void;
  /** Begins a response of unknown length. Nothing leaves before the first `write`. */
  startStream(headers: HeaderList): void;
  /** Sends one chunk of a streaming response. */
  write(chunk: string): void;
  /** Ends a streaming response. What was written is still delivered. */
  end(): void;
  /** Drops the connection at once. */
  abort(): void;
  /** Starts the write timeout: the client should be taking what was written. */
  watchProgress(): void;
  /** Sets the listener for the events of the response. */
  listen(listener: ResponseListener): void;
  /**
   * Calls back when the client disconnects while the request waits for a decision of the application.
   * @returns a function that removes the callback; call it before the request is handled
   */
  watchDisconnect(callback: () => void): () => void;
}

/** The part of a router that a host needs. */
export interface ExchangeHandler {
  readonly prefix: string;
  readonly settings: HostSettings;
  /** Handles an exchange below the prefix. It never throws. */
  handle(exchange: Exchange): void;
}

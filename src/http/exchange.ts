/**
 * The port between a host and everything above it: one request and its answer. A host is whatever
 * speaks HTTP; the rest of the library sees this interface only.
 */
import type { PeerCertificate } from 'node:tls';
import type { MemoryBudget } from '../base/memory-budget.ts';
import type { SockJSError } from '../base/errors.ts';
import type { Refusal } from '../base/refusal.ts';
import type { Hop } from './client-address.ts';

/** Names and values in turn: the form that a host can write without looking at it again. */
export type HeaderList = string[];

/** Told what becomes of an answer that is not complete yet. */
export interface AnswerListener {
  /** The answer can be written to again. */
  drained(): void;
  /** The answer was ended, and all of it has left. */
  sent(): void;
  /** The client went away before all of the answer had left. */
  gone(): void;
  /** The client has taken nothing of it for `writeTimeout`. */
  stalled(): void;
}

/** What a request body is allowed. */
export interface BodyLimits {
  readonly bytes: number;
  readonly milliseconds: number;
  /** Where its bytes are counted while they come in, and how many there may be in all. */
  readonly budget: MemoryBudget;
  readonly totalBytes: number;
}

export interface Exchange extends Hop {
  readonly method: string;
  /** The path below the prefix of the router, as it came: '' or starting with '/'. */
  readonly path: string;
  /** What follows '?', as it came; '' if nothing does. */
  readonly query: string;
  /** The client is gone: nobody reads an answer. */
  readonly isGone: boolean;
  /** An answer was begun, or the request has become a WebSocket. */
  readonly isAnswered: boolean;
  /** Written, but not yet taken by the network; in bytes. */
  readonly bufferedBytes: number;
  /** False while the peer does not keep up. */
  readonly writable: boolean;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** The client's certificate, if the server asked for one and has verified it. */
  readonly certificate: PeerCertificate | undefined;

  /**
   * The whole request body; or, as soon as it is beyond a limit, `ERR_BODY_TOO_LARGE`, `ERR_BODY_TIMEOUT` or
   * `ERR_NO_MEMORY`; or `ERR_BODY_ABORTED` if the client goes away.
   */
  readBody(limits: BodyLimits): Promise<Buffer | SockJSError>;

  /** The complete answer. Without a body none is announced. */
  answer(status: number, headers: HeaderList, body?: string): void;
  /** The beginning of an answer of unknown length; nothing leaves before the first `write`. */
  begin(headers: HeaderList): void;
  /** One chunk of it, sent as it is. */
  write(chunk: string): void;
  end(): void;
  /** The client should be taking what was written: from now on it is watched over. */
  expectProgress(): void;
  /** Tells the listener what becomes of an answer that takes its time. */
  watch(listener: AnswerListener): void;
  /** Drops the connection. */
  abort(): void;

  /** How a request for a WebSocket becomes one, or why it cannot; undefined if it did not come as one. */
  readonly upgrade: ((handler: WebSocketHandler) => void) | Refusal | undefined;
}

/** One open WebSocket, whoever implements it. */
export interface WebSocketPort {
  readonly bufferedBytes: number;
  readonly writable: boolean;
  /** All that has come in so far, whatever it was; undefined if the host cannot tell. */
  readonly bytesReceived: number | undefined;
  sendText(text: string): void;
  sendBinary(data: Uint8Array): void;
  /** @param text a message that goes with it, in one packet */
  ping(text?: string): void;
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  /** Tells the client, and the listener, what was wrong, and gives the client a moment to hang up. */
  refuse(fault: WebSocketFault): void;
  abort(): void;
}

/** Told what happens on a WebSocket; each host calls these and nothing else. */
export interface WebSocketListener {
  /** @param bytes how long it was as UTF-8 */
  text(text: string, bytes: number): void;
  binary(data: Uint8Array): void;
  drained(): void;
  /** The client did wrong and was told so: nothing that follows matters, and `closed` comes within seconds. */
  refused(fault: WebSocketFault): void;
  closed(code: number, reason: string): void;
  /** The client has taken nothing of what was written for `writeTimeout`. */
  stalled(): void;
}

/** What a client may do wrong on a WebSocket: see `ENDS`. */
export type WebSocketFault =
  | 'invalidFrame'
  | 'invalidUtf8'
  | 'invalidJson'
  | 'messageTimeout'
  | 'memoryLimit'
  | 'textOnly'
  | 'messageTooLarge';

/** Called once the WebSocket is open; answers who listens to it. */
export type WebSocketHandler = (socket: WebSocketPort) => WebSocketListener;

/**
 * The port between a host and everything above it: one request and its answer. A host is whatever
 * speaks HTTP; the rest of the library sees this interface only.
 */
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

  /**
   * The whole request body.
   * @throws SockJSError `ERR_BODY_TOO_LARGE` as soon as it is longer than `limit` bytes, or
   * `ERR_BODY_ABORTED` if the client goes away
   */
  readBody(limit: number): Promise<Buffer>;

  /** The complete answer. Without a body none is announced. */
  answer(status: number, headers: HeaderList, body?: string): void;
  /** The beginning of an answer of unknown length; nothing leaves before the first `write`. */
  begin(headers: HeaderList): void;
  /** One chunk of it, sent as it is. */
  write(chunk: string): void;
  end(): void;
  /** Tells the listener what becomes of an answer that takes its time. */
  watch(listener: AnswerListener): void;
  /** Drops the connection. */
  abort(): void;
  /** Drops it if the client takes nothing of the answer for so many milliseconds. */
  abortIfStalled(milliseconds: number): void;

  /** Present if the request asks for a WebSocket and the host can make it one. */
  readonly upgrade: ((handler: WebSocketHandler) => void) | undefined;
  /** Why the request cannot become a WebSocket; for the answer 400. */
  readonly upgradeFault: string;
}

/** One open WebSocket, whoever implements it. */
export interface WebSocketPort {
  readonly bufferedBytes: number;
  readonly writable: boolean;
  sendText(text: string): void;
  sendBinary(data: Uint8Array): void;
  ping(): void;
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  abort(): void;
}

/** Told what happens on a WebSocket; each host calls these and nothing else. */
export interface WebSocketListener {
  text(text: string): void;
  binary(data: Uint8Array): void;
  drained(): void;
  closed(code: number, reason: string): void;
}

/** Called once the WebSocket is open; answers who listens to it. */
export type WebSocketHandler = (socket: WebSocketPort) => WebSocketListener;

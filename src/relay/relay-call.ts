/** One relayed request, from its start to the end of its response. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Exchange, ResponseListener } from '../../http/exchange.ts';
import { RELAY_RESULT, copyHeaders } from './relay-headers.ts';

/**
 * `responded`: the response has started. `disconnected`: the client has gone. Otherwise the client has no response yet.
 * `unknown`: the owner has no such session. `refused`: it has another version of the protocol or another secret.
 * `failed`: it cannot be reached, so it has not handled the request. `gone`: it has ended or does not respond in time,
 * and may have handled the request.
 */
export type RelayOutcome = 'disconnected' | 'failed' | 'gone' | 'refused' | 'responded' | 'unknown';

/** Codes of errors of a connection whose other end is a living machine without the process. */
const GONE_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** Time for the connection to a node, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2000;

/** Headers that belong to one connection. */
const DROPPED_RESPONSE_HEADERS = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding']);

function isRefused(error: Error): boolean {
  return GONE_CODES.has(String(Reflect.get(error, 'code')));
}

export interface RelayEvents {
  /** Called with the reason that a node has not responded. */
  onFailed(error: Error): void;
  /** Called when the response is complete, or the client has disconnected. */
  onEnd(): void;
}

/** A request to the owner of a session, whose response is passed on to the client as it arrives. */
export class RelayCall implements ResponseListener {
  readonly outcome: Promise<RelayOutcome>;
  readonly #exchange: Exchange;
  readonly #request: ClientRequest;
  readonly #silenceLimit: number;
  readonly #events: RelayEvents;
  #settle: (outcome: RelayOutcome) => void = () => {};
  #response: IncomingMessage | undefined;
  /** Time without a byte of the owner in which the client could take one, in milliseconds. */
  #silence = 0;
  #isConnecting = true;

  /**
   * @param silenceLimit time in milliseconds in which the owner has to send something
   */
  constructor(
    exchange: Exchange,
    request: ClientRequest,
    silenceLimit: number,
    events: RelayEvents,
  ) {
    this.#exchange = exchange;
    this.#request = request;
    this.#silenceLimit = silenceLimit;
    this.#events = events;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    exchange.listen(this);
    request.on('socket', (socket) => {
      this.#isConnecting = socket.connecting;
      if (!socket.connecting) return;
      socket.once('connect', () => {
        this.#isConnecting = false;
        this.#silence = 0;
      });
    });
    request.on('response', (response) => this.#onResponse(response));
    request.on('error', (error) => this.#fail(error));
    request.on('close', () => this.#settle('gone'));
  }

  /** Adds to the time in which the owner was silent, and aborts the request when it is over its limit. */
  addSilence(ms: number): void {
    if (this.#response?.isPaused() === true) return;
    this.#silence += ms;
    const limit = this.#isConnecting ? CONNECT_TIMEOUT_MS : this.#silenceLimit;
    if (this.#silence < limit) return;
    const missing = this.#isConnecting ? 'connection' : 'response';
    this.#request.destroy(new Error(`no ${missing} within ${limit} ms`));
  }

  onDrain(): void {
    this.#response?.resume();
  }

  onFinish(): void {
    this.#settle('responded');
    this.#events.onEnd();
  }

  /** The owner notices the end of its connection as it would notice the end of the client's. */
  onDisconnect(): void {
    this.#settle('disconnected');
    this.#events.onEnd();
    this.#request.destroy();
  }

  onWriteTimeout(): void {
    this.#exchange.abort();
  }

  #fail(error: Error): void {
    this.#settle(this.#isConnecting && !isRefused(error) ? 'failed' : 'gone');
    if (!this.#exchange.isDisconnected) this.#events.onFailed(error);
  }

  #onResponse(response: IncomingMessage): void {
    const result = response.headers[RELAY_RESULT];
    if (result === 'handled') return this.#passOn(response);
    response.resume();
    if (result === 'owner') return this.#settle('gone');
    if (result === 'session') return this.#settle('unknown');
    this.#settle('refused');
    if (result === undefined)
      this.#events.onFailed(new Error(`its status is ${response.statusCode}`));
    return undefined;
  }

  /**
   * Passes the response on as fast as the client takes it. The owner therefore notices a slow client, and bytes that
   * this node buffers are bounded.
   */
  #passOn(response: IncomingMessage): void {
    this.#response = response;
    this.#settle('responded');
    const headers = copyHeaders(response.rawHeaders, DROPPED_RESPONSE_HEADERS);
    this.#exchange.startStream(headers, response.statusCode);
    response.on('data', (chunk: Buffer) => {
      this.#silence = 0;
      this.#exchange.write([chunk]);
      if (!this.#exchange.writable) response.pause();
    });
    response.on('end', () => this.#exchange.end());
    // An abort would be an error for the client. After the end of a stream it polls again, and gets the close frame.
    const isStream = response.headers['content-length'] === undefined;
    response.on('error', () => (isStream ? this.#exchange.end() : this.#exchange.abort()));
  }
}

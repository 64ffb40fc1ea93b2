/** One relayed request, from its start to the end of its response. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Exchange, ResponseListener } from '../../http/exchange.ts';
import { RELAY_RESULT, type RelayResult, copyHeaders } from './relay-headers.ts';

/**
 * `responded`: the response has started. `disconnected`: the client has gone. Otherwise the client has no response yet.
 * `unknown`: the owner has no such session. `refused`: it has another version of the protocol or another secret. `gone`:
 * it has ended. `failed`: it cannot be reached, or does not respond in time.
 */
export type RelayOutcome = 'disconnected' | 'failed' | 'gone' | 'refused' | 'responded' | 'unknown';

const OUTCOMES: ReadonlyMap<string, RelayOutcome> = new Map<RelayResult, RelayOutcome>([
  ['owner', 'gone'],
  ['session', 'unknown'],
]);

/** Codes of errors of a connection whose other end is a living machine without the process. */
const GONE_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** Time for the connection to a node, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2000;

/** Headers that belong to one connection. */
const DROPPED_RESPONSE_HEADERS = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding']);

function outcomeOf(error: Error): RelayOutcome {
  return GONE_CODES.has(String(Reflect.get(error, 'code'))) ? 'gone' : 'failed';
}

/** A request to the owner of a session, whose response is passed on to the client as it arrives. */
export class RelayCall implements ResponseListener {
  readonly outcome: Promise<RelayOutcome>;
  readonly #exchange: Exchange;
  readonly #request: ClientRequest;
  readonly #silenceLimit: number;
  readonly #onFailed: (error: Error) => void;
  #settle: (outcome: RelayOutcome) => void = () => {};
  #response: IncomingMessage | undefined;
  /** Time without a byte of the owner in which the client could take one, in milliseconds. */
  #silence = 0;
  #isConnecting = false;

  /**
   * @param silenceLimit time in milliseconds in which the owner has to send something
   * @param onFailed called with the reason that a living node has not responded
   */
  constructor(
    exchange: Exchange,
    request: ClientRequest,
    silenceLimit: number,
    onFailed: (error: Error) => void,
  ) {
    this.#exchange = exchange;
    this.#request = request;
    this.#silenceLimit = silenceLimit;
    this.#onFailed = onFailed;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    exchange.listen(this);
    request.on('socket', (socket) => {
      if (!socket.connecting) return;
      this.#isConnecting = true;
      socket.once('connect', () => {
        this.#isConnecting = false;
        this.#silence = 0;
      });
    });
    request.on('response', (response) => this.#onResponse(response));
    request.on('error', (error) => this.#fail(error));
    request.on('close', () => this.#settle('failed'));
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
  }

  /** The owner notices the end of its connection as it would notice the end of the client's. */
  onDisconnect(): void {
    this.#settle('disconnected');
    this.#request.destroy();
  }

  onWriteTimeout(): void {
    this.#exchange.abort();
  }

  #fail(error: Error): void {
    this.#settle(outcomeOf(error));
    if (!this.#exchange.isDisconnected) this.#onFailed(error);
  }

  #onResponse(response: IncomingMessage): void {
    const result = response.headers[RELAY_RESULT];
    if (result === 'handled') return this.#passOn(response);
    response.resume();
    this.#settle(OUTCOMES.get(String(result)) ?? 'refused');
    if (result === undefined) this.#onFailed(new Error(`its status is ${response.statusCode}`));
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
    response.on('error', () => {
      // After the end of a stream, the client polls and gets a close frame. An abort would be an error for it.
      if (response.headers['content-length'] === undefined) this.#exchange.end();
      else this.#exchange.abort();
    });
  }
}

/** Relays requests of clients to the node that owns their session. */
import { isAscii } from 'node:buffer';
import { Agent, type ClientRequest, type IncomingMessage, request as sendRequest } from 'node:http';
import type { ClientAddress } from '../../http/client-address.ts';
import type { Payload } from '../../base/payload.ts';
import type { Exchange, HeaderList, ResponseListener } from '../../http/exchange.ts';
import {
  RELAY_CLIENT,
  RELAY_PREFIX,
  RELAY_REFUSED,
  RELAY_SECRET,
  formatClient,
  formatSecret,
} from './relay-headers.ts';

/** Headers that belong to one connection, or that describe the hops that this node has already evaluated. */
const DROPPED_REQUEST_HEADERS = new Set([
  'connection',
  'content-length',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

const DROPPED_RESPONSE_HEADERS = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
]);

function keepHeaders(rawHeaders: readonly string[], dropped: ReadonlySet<string>): HeaderList {
  const kept: HeaderList = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const lower = name.toLowerCase();
    if (!dropped.has(lower) && !lower.startsWith(RELAY_PREFIX))
      kept.push(name, rawHeaders[index + 1] ?? '');
  }
  return kept;
}

/** Address of the relay listener of a node. */
export interface RelayTarget {
  readonly node: string;
  readonly host: string;
  readonly port: number;
}

/** A request to be relayed. */
export interface RelayRequest {
  readonly exchange: Exchange;
  readonly client: ClientAddress;
  /** Path with the prefix, and query. */
  readonly url: string;
  readonly body: Buffer | undefined;
}

/**
 * `responded`: the response has started. `disconnected`: the client has gone. Otherwise the client has no response yet.
 * `unknown`: the owner has no such session. `version`: the owner uses another version of the protocol. `gone`: the
 * owner has ended. `failed`: the owner cannot be reached.
 */
export type RelayOutcome = 'disconnected' | 'failed' | 'gone' | 'responded' | 'unknown' | 'version';

/** Codes of errors of a connection whose other end is a living machine without the process. */
const GONE_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** Time for the connection to a node, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2000;

function outcomeOf(error: Error): RelayOutcome {
  return GONE_CODES.has(String(Reflect.get(error, 'code'))) ? 'gone' : 'failed';
}

function limitConnectTime(request: ClientRequest): void {
  request.on('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => request.destroy(), CONNECT_TIMEOUT_MS);
    socket.once('connect', () => clearTimeout(timer));
    socket.once('close', () => clearTimeout(timer));
  });
}

/** Returns a body as text if it is ASCII. The host writes text together with the head. */
function toPayload(chunks: readonly Buffer[]): Payload | undefined {
  const [first] = chunks;
  if (first === undefined) return undefined;
  return chunks.length === 1 && isAscii(first) ? first.toString('latin1') : chunks;
}

/** One relayed request, from its start to the end of its response. */
class RelayCall implements ResponseListener {
  readonly outcome: Promise<RelayOutcome>;
  readonly #exchange: Exchange;
  readonly #request: ClientRequest;
  #settle: (outcome: RelayOutcome) => void = () => {};
  #response: IncomingMessage | undefined;

  constructor(exchange: Exchange, request: ClientRequest) {
    this.#exchange = exchange;
    this.#request = request;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    exchange.listen(this);
    request.on('response', (response) => this.#onResponse(response));
    request.on('error', (error) => this.#settle(outcomeOf(error)));
    request.on('close', () => this.#settle('failed'));
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

  #onResponse(response: IncomingMessage): void {
    const refusal = response.headers[RELAY_REFUSED];
    if (refusal !== undefined) {
      response.resume();
      return this.#settle(refusal === 'session' ? 'unknown' : 'version');
    }
    this.#response = response;
    if (response.headers['content-length'] === undefined && response.statusCode === 200)
      this.#stream(response);
    else this.#collect(response);
  }

  #stream(response: IncomingMessage): void {
    this.#settle('responded');
    this.#exchange.startStream(keepHeaders(response.rawHeaders, DROPPED_RESPONSE_HEADERS));
    response.on('data', (chunk: Buffer) => {
      this.#exchange.write([chunk]);
      if (!this.#exchange.writable) response.pause();
    });
    response.on('end', () => this.#exchange.end());
    response.on('error', () => this.#exchange.abort());
  }

  #collect(response: IncomingMessage): void {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => {
      const headers = keepHeaders(response.rawHeaders, DROPPED_RESPONSE_HEADERS);
      this.#exchange.respond(response.statusCode ?? 0, headers, toPayload(chunks));
      this.#settle('responded');
    });
    response.on('error', (error) => this.#settle(outcomeOf(error)));
  }
}

/** Relays requests over kept-alive connections. */
export class RelayClient {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #calls = new Map<string, Set<ClientRequest>>();

  /** Relays a request. It is never repeated. */
  relay(target: RelayTarget, secret: string, relayed: RelayRequest): Promise<RelayOutcome> {
    const { exchange, client, url, body } = relayed;
    const headers = keepHeaders(exchange.rawHeaders, DROPPED_REQUEST_HEADERS);
    headers.push('Host', client.host ?? '', RELAY_SECRET, formatSecret(secret));
    headers.push(RELAY_CLIENT, formatClient(client));
    if (body !== undefined) headers.push('Content-Length', String(body.length));
    const { host, port, node } = target;
    const { method } = exchange;
    const request = sendRequest({ agent: this.#agent, host, port, method, path: url, headers });
    const calls = this.#calls.get(node) ?? new Set();
    this.#calls.set(node, calls.add(request));
    request.on('close', () => {
      calls.delete(request);
      if (calls.size === 0 && this.#calls.get(node) === calls) this.#calls.delete(node);
    });
    limitConnectTime(request);
    const call = new RelayCall(exchange, request);
    request.end(body);
    return call.outcome;
  }

  /** Aborts the requests to a node that is gone. */
  abort(node: string): void {
    for (const request of this.#calls.get(node) ?? []) request.destroy();
  }

  close(): void {
    this.#agent.destroy();
  }
}

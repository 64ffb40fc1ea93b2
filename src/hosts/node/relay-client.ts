/** Relays requests of clients to the node that owns their session. */
import { Agent, type ClientRequest, request as sendRequest } from 'node:http';
import { Ticker } from '../../base/ticker.ts';
import type { ClientAddress } from '../../http/client-address.ts';
import type { Exchange, HeaderList } from '../../http/exchange.ts';
import { RelayCall, type RelayOutcome } from './relay-call.ts';
import {
  RELAY_CLIENT,
  RELAY_MODE,
  RELAY_OWNER,
  RELAY_RESULT,
  RELAY_SECRET,
  type RelayMode,
  type RelayResult,
  copyHeaders,
  formatClient,
  formatSecret,
} from './relay-headers.ts';

/**
 * Headers that belong to one connection. All others stay, those of proxies included, so that `verifyIp` returns the
 * same on every node.
 */
const DROPPED_REQUEST_HEADERS = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Time after which an idle connection is closed, in milliseconds. */
const IDLE_TIMEOUT_MS = 10_000;

/** Time in which the last responses of a node that has left may arrive, in milliseconds. */
const ABORT_DELAY_MS = 1000;

/** Interval at which silent requests are counted, in milliseconds. */
const CHECK_INTERVAL_MS = 500;

/** Time in which a node responds to a probe, in milliseconds. */
const PROBE_TIMEOUT_MS = 1000;

/** Relay listener of a node. */
export interface RelayTarget {
  readonly node: string;
  readonly host: string;
  readonly port: number;
}

/** A request of a client. */
export interface RelayedRequest {
  readonly exchange: Exchange;
  readonly client: ClientAddress;
  /** Path with the prefix, and query. */
  readonly url: string;
}

/** A request to be relayed. */
export interface RelayRequest extends RelayedRequest {
  readonly mode: RelayMode | undefined;
  readonly body: Buffer | undefined;
  /** Time in milliseconds in which the owner has to send something. */
  readonly silenceLimit: number;
  /** Called when the response is complete, or the client has disconnected. */
  readonly onEnd: () => void;
}

/** Relays requests over kept-alive connections. */
export class RelayClient {
  readonly #agents = new Map<string, Agent>();
  readonly #calls = new Set<RelayCall>();
  readonly #ticker = new Ticker(CHECK_INTERVAL_MS, (counted) => {
    for (const call of this.#calls) call.addSilence(counted);
  });
  readonly #onFailed: (target: RelayTarget, error: Error) => void;

  /** @param onFailed called with the reason that a node has not responded */
  constructor(onFailed: (target: RelayTarget, error: Error) => void) {
    this.#onFailed = onFailed;
  }

  /** Relays a request. It is never repeated. */
  relay(target: RelayTarget, secret: string, relayed: RelayRequest): Promise<RelayOutcome> {
    const { exchange, body, silenceLimit, onEnd } = relayed;
    if (exchange.isDisconnected) {
      onEnd();
      return Promise.resolve('disconnected');
    }
    const request = this.#open(target, secret, relayed);
    const onFailed = (error: Error): void => this.#onFailed(target, error);
    const call = new RelayCall(exchange, request, silenceLimit, { onFailed, onEnd });
    this.#add(call);
    request.on('close', () => this.#remove(call));
    request.end(body);
    return call.outcome;
  }

  /** Asks the owner to end the response of a receiving request that was relayed to it. */
  release(target: RelayTarget, secret: string, relayed: RelayedRequest): void {
    const request = this.#open(target, secret, { ...relayed, mode: 'release' });
    request.on('error', () => {});
    request.on('response', (response) => response.resume());
    request.end();
  }

  /** Returns whether a node responds within 1 s. */
  async probe(target: RelayTarget, secret: string): Promise<boolean> {
    const { host, port, node } = target;
    const headers = [RELAY_SECRET, formatSecret(secret), RELAY_OWNER, node];
    const agent = this.#agentOf(node);
    const request = sendRequest({ agent, host, port, path: '*', method: 'HEAD', headers });
    const timer = setTimeout(() => request.destroy(), PROBE_TIMEOUT_MS);
    return new Promise((resolve) => {
      request.on('response', (response) => {
        response.resume();
        resolve(response.headers[RELAY_RESULT] === ('session' satisfies RelayResult));
      });
      request.on('error', () => resolve(false));
      request.on('close', () => clearTimeout(timer));
      request.end();
    });
  }

  /**
   * Closes the connections to a node that is gone, and aborts the requests to it. The last responses of a node that has
   * left may still arrive during the next second.
   */
  abort(node: string): void {
    const agent = this.#agents.get(node);
    this.#agents.delete(node);
    if (agent !== undefined) setTimeout(() => agent.destroy(), ABORT_DELAY_MS).unref();
  }

  /** Aborts all requests. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  #open(
    { host, port, node }: RelayTarget,
    secret: string,
    { exchange, client, url, mode, body }: RelayedRequest & Partial<RelayRequest>,
  ): ClientRequest {
    const { method } = exchange;
    // The node reads a limited number of headers.
    const headers: HeaderList = [
      RELAY_SECRET,
      formatSecret(secret),
      RELAY_OWNER,
      node,
      RELAY_CLIENT,
      formatClient(client),
    ];
    if (mode !== undefined) headers.push(RELAY_MODE, mode);
    if (method === 'POST') headers.push('Content-Length', String(body?.length ?? 0));
    headers.push(...copyHeaders(exchange.rawHeaders, DROPPED_REQUEST_HEADERS));
    const agent = this.#agentOf(node);
    return sendRequest({ agent, host, port, method, path: url, headers });
  }

  #agentOf(node: string): Agent {
    let agent = this.#agents.get(node);
    if (agent === undefined) {
      agent = new Agent({ keepAlive: true, timeout: IDLE_TIMEOUT_MS });
      this.#agents.set(node, agent);
    }
    return agent;
  }

  #add(call: RelayCall): void {
    this.#calls.add(call);
    this.#ticker.start();
  }

  #remove(call: RelayCall): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#ticker.stop();
  }
}

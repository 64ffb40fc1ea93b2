/** Relays requests of clients to the node that owns their session. */
import { Agent, request as sendRequest } from 'node:http';
import { Ticker } from '../../base/ticker.ts';
import type { ClientAddress } from '../../http/client-address.ts';
import type { Exchange, HeaderList } from '../../http/exchange.ts';
import { RelayCall, type RelayOutcome } from './relay-call.ts';
import {
  RELAY_CLIENT,
  RELAY_OWNER,
  RELAY_RENEW,
  RELAY_RESULT,
  RELAY_SECRET,
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

/** Time without requests after which no more are expected, in milliseconds. */
const QUIET_MS = 1000;
const FINISH_CHECK_MS = 50;

/** Waits for a condition without an event, up to a deadline. */
async function until(condition: () => boolean, deadline: number): Promise<void> {
  while (!condition() && performance.now() < deadline) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => {
      setTimeout(resolve, FINISH_CHECK_MS);
    });
  }
}

/** Relay listener of a node. */
export interface RelayTarget {
  readonly node: string;
  readonly host: string;
  readonly port: number;
}

/** A request to be relayed. */
export interface RelayRequest {
  readonly exchange: Exchange;
  readonly client: ClientAddress;
  /** Prefix of the router. */
  readonly prefix: string;
  readonly body: Buffer | undefined;
  /** Time in milliseconds in which the owner has to send something. */
  readonly silenceLimit: number;
}

interface PendingCall {
  /** Prefix of the router. */
  readonly prefix: string;
  /** Lets the owner end the response to a receiving request. */
  readonly renew: () => void;
}

/** Relays requests over kept-alive connections. */
export class RelayClient {
  readonly #agents = new Map<string, Agent>();
  /** Requests whose response has not ended. */
  readonly #calls = new Map<RelayCall, PendingCall>();
  readonly #ticker = new Ticker(CHECK_INTERVAL_MS, (counted) => {
    for (const call of this.#calls.keys()) call.addSilence(counted);
  });
  /** Prefix to the time of its last relayed request. */
  readonly #relayedAt = new Map<string, number>();
  readonly #onFailed: (target: RelayTarget, error: Error) => void;

  /** @param onFailed called with the reason that a node has not responded */
  constructor(onFailed: (target: RelayTarget, error: Error) => void) {
    this.#onFailed = onFailed;
  }

  /** Relays a request. It is never repeated. */
  relay(target: RelayTarget, secret: string, relayed: RelayRequest): Promise<RelayOutcome> {
    const { exchange, client, prefix, body, silenceLimit } = relayed;
    if (exchange.isDisconnected) return Promise.resolve('disconnected');
    const { host, port, node } = target;
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
    if (method === 'POST') headers.push('Content-Length', String(body?.length ?? 0));
    headers.push(...copyHeaders(exchange.rawHeaders, DROPPED_REQUEST_HEADERS));
    const agent = this.#agentOf(node);
    const path = prefix + exchange.path + (exchange.query === '' ? '' : `?${exchange.query}`);
    const options = { agent, host, port, method, path };
    const request = sendRequest({ ...options, headers });
    const onFailed = (error: Error): void => this.#onFailed(target, error);
    const call = new RelayCall(exchange, request, silenceLimit, onFailed);
    const renew = (): void => {
      if (body !== undefined) return; // Its response follows at once.
      const renewal = sendRequest({ ...options, headers: [...headers, RELAY_RENEW, 'receiver'] });
      renewal.on('response', (response) => response.resume());
      renewal.on('error', () => {}); // The relayed request breaks too.
      renewal.end();
    };
    this.#relayedAt.set(prefix, performance.now());
    this.#calls.set(call, { prefix, renew });
    this.#ticker.start();
    request.on('close', () => this.#remove(call));
    request.end(body);
    return call.outcome;
  }

  /**
   * Relays until the load balancer has sent no request for 1 s, since it has noticed that this node shuts down. Then it
   * ends the responses that wait, so that their clients send the next request to another node.
   * @param timeout limit in milliseconds
   */
  async finish(prefix: string, timeout: number): Promise<void> {
    const deadline = performance.now() + timeout;
    const silence = (): number => performance.now() - (this.#relayedAt.get(prefix) ?? -Infinity);
    const calls = (): PendingCall[] =>
      [...this.#calls.values()].filter((call) => call.prefix === prefix);
    await until(() => silence() >= QUIET_MS, deadline);
    for (const { renew } of calls()) renew();
    await until(() => calls().length === 0, deadline);
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

  #agentOf(node: string): Agent {
    let agent = this.#agents.get(node);
    if (agent === undefined) {
      agent = new Agent({ keepAlive: true, timeout: IDLE_TIMEOUT_MS });
      this.#agents.set(node, agent);
    }
    return agent;
  }

  #remove(call: RelayCall): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#ticker.stop();
  }
}

/** The link to one other node: from its upgrade request until it ends. */
import { type ClientRequest, type IncomingMessage, request as sendRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  RELAY_OWNER,
  RELAY_PROTOCOL,
  RELAY_RESULT,
  RELAY_SECRET,
  type RelayResult,
  formatSecret,
} from '../../relay/handshake.ts';
import type { LinkUser, RelayOutcome } from '../../relay/relay-call.ts';
import { RelayLink } from '../../relay/relay-link.ts';
import { setNoDelay } from './connection-stream.ts';

/** Codes of errors of a connection whose other end is a living machine without the process. */
const GONE_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** Time for the connection to a node, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2000;

/** Time for the response to the upgrade request, and the connection, in milliseconds. A link may be silent as long. */
const OPEN_TIMEOUT_MS = 15_000;

/** Time after which an idle link is closed, in milliseconds. */
const IDLE_TIMEOUT_MS = 10_000;

/** Relay listener of a node. */
export interface RelayTarget {
  readonly node: string;
  readonly host: string;
  readonly port: number;
}

export interface OutgoingLinkEvents {
  /** Called with the reason that a node has not responded. */
  onFailed(error: Error): void;
  /** Called when the link has ended, or could not be opened. */
  onEnd(): void;
}

function isRefused(error: Error): boolean {
  return GONE_CODES.has(String(Reflect.get(error, 'code')));
}

export class OutgoingLink {
  readonly #events: OutgoingLinkEvents;
  readonly #request: ClientRequest;
  /** Requests without a complete response. */
  readonly #users = new Set<LinkUser>();
  #link: RelayLink | undefined;
  #isConnecting = true;
  #hasEnded = false;
  #openingTime = 0;
  #idleTime = 0;

  constructor({ host, port, node }: RelayTarget, secret: string, events: OutgoingLinkEvents) {
    this.#events = events;
    this.#request = sendRequest({
      agent: false,
      host,
      port,
      path: '/',
      headers: [
        RELAY_SECRET,
        formatSecret(secret),
        RELAY_OWNER,
        node,
        'Connection',
        'Upgrade',
        'Upgrade',
        RELAY_PROTOCOL,
      ],
    });
    this.#request.on('socket', (socket) => {
      this.#isConnecting = socket.connecting;
      socket.once('connect', () => {
        this.#isConnecting = false;
      });
    });
    this.#request.on('upgrade', (_response, socket, head) => this.#open(socket, head));
    this.#request.on('response', (response) => this.#onRefused(response));
    this.#request.on('error', (error) => this.#fail(this.#outcomeOf(error), error));
    this.#request.on('close', () => {
      if (this.#link === undefined) this.#fail('gone', new Error('the connection has ended'));
    });
    this.#request.end();
  }

  /** Starts a request as soon as the link is open. */
  add(user: LinkUser): void {
    this.#idleTime = 0;
    this.#users.add(user);
    if (this.#link !== undefined) user.start(this.#link);
  }

  /** Called when a request has ended. */
  delete(user: LinkUser): void {
    this.#users.delete(user);
  }

  /** Adds to the time in which nothing has happened. */
  addTime(ms: number): void {
    if (this.#link === undefined) this.#addOpeningTime(ms);
    if (this.#isConnecting) return undefined;
    this.#idleTime = this.#users.size === 0 ? this.#idleTime + ms : 0;
    if (this.#idleTime >= IDLE_TIMEOUT_MS) return this.close();
    for (const user of this.#users) user.addSilence(ms);
    return undefined;
  }

  /** Ends the link, and all requests. */
  close(): void {
    this.#link?.destroy();
    this.#request.destroy();
  }

  #addOpeningTime(ms: number): void {
    this.#openingTime += ms;
    const limit = this.#isConnecting ? CONNECT_TIMEOUT_MS : OPEN_TIMEOUT_MS;
    if (this.#openingTime >= limit)
      this.#request.destroy(new Error(`no connection within ${limit} ms`));
  }

  #outcomeOf(error: Error): RelayOutcome {
    return this.#isConnecting && !isRefused(error) ? 'failed' : 'gone';
  }

  #open(socket: Duplex, head: Buffer): void {
    setNoDelay(socket, true);
    if (head.length > 0) socket.unshift(head);
    const link = new RelayLink(socket, {
      onRequest: () => {
        throw new Error('a request to the node that has opened the link');
      },
      onEnd: (error) => this.#onEnd(error),
    });
    this.#link = link;
    for (const user of this.#users) user.start(link);
  }

  #onRefused(response: IncomingMessage): void {
    response.resume();
    const result = response.headers[RELAY_RESULT];
    if (result === ('owner' satisfies RelayResult)) return this.#fail('gone');
    if (result === ('version' satisfies RelayResult)) return this.#fail('refused');
    return this.#fail('refused', new Error(`its status is ${response.statusCode}`));
  }

  /** Ends all requests, of which none has been sent. */
  #fail(outcome: RelayOutcome, error?: Error): void {
    if (this.#hasEnded) return;
    this.#onEnd(error);
    for (const user of this.#users) user.fail(outcome);
    this.#request.destroy();
  }

  #onEnd(error?: Error): void {
    this.#hasEnded = true;
    if (error !== undefined && [...this.#users].some(({ isPending }) => isPending))
      this.#events.onFailed(error);
    this.#events.onEnd();
  }
}

/** Relays requests of clients to the node that owns their session. */
import { Ticker } from '../../base/ticker.ts';
import type { ClientAddress } from '../../http/client-address.ts';
import type { Exchange } from '../../http/exchange.ts';
import { MAX_HEAD_BYTES } from '../../relay/frames.ts';
import { ProbeCall } from '../../relay/probe-call.ts';
import { type LinkUser, RelayCall, type RelayOutcome } from '../../relay/relay-call.ts';
import { type RelayMode, formatRequest } from '../../relay/relay-head.ts';
import { ReleaseCall } from '../../relay/release-call.ts';
import { OutgoingLink, type RelayTarget } from './outgoing-link.ts';

/** Time in which the last responses of a node that has left may arrive, in milliseconds. */
const ABORT_DELAY_MS = 1000;

/** Interval at which silent requests are counted, in milliseconds. */
const CHECK_INTERVAL_MS = 500;

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
  /** Called when the response is complete, the client has disconnected, or the owner has no such session. */
  readonly onEnd: () => void;
}

/** Relays requests over one link to each node. */
export class RelayClient {
  /** Links for new requests, by node. */
  readonly #byNode = new Map<string, OutgoingLink>();
  readonly #links = new Set<OutgoingLink>();
  readonly #ticker = new Ticker(CHECK_INTERVAL_MS, (counted) => {
    for (const link of this.#links) link.addTime(counted);
  });
  readonly #onFailed: (target: RelayTarget, error: Error) => void;

  /** @param onFailed called with the reason that a node has not responded */
  constructor(onFailed: (target: RelayTarget, error: Error) => void) {
    this.#onFailed = onFailed;
  }

  /** Relays a request. It is never repeated. */
  relay(target: RelayTarget, secret: string, relayed: RelayRequest): Promise<RelayOutcome> {
    const { exchange, client, url, mode, body, silenceLimit, onEnd } = relayed;
    if (exchange.isDisconnected) {
      onEnd();
      return Promise.resolve('disconnected');
    }
    const bodyLength = body?.length ?? 0;
    const head = formatRequest(exchange, url, client, { mode: mode ?? '', bodyLength });
    if (head.length > MAX_HEAD_BYTES) {
      onEnd();
      this.#onFailed(target, new Error(`its headers are longer than ${MAX_HEAD_BYTES} bytes`));
      return Promise.resolve('refused');
    }
    const link = this.#linkTo(target, secret);
    const request = { exchange, head, body, silenceLimit };
    const call: RelayCall = new RelayCall(request, {
      onFailed: (error) => this.#onFailed(target, error),
      onEnd,
      onReleased: () => link.delete(call),
    });
    link.add(call);
    return call.outcome;
  }

  /** Asks the owner to end the response of a receiving request that was relayed to it. */
  release(target: RelayTarget, secret: string, { exchange, url, client }: RelayedRequest): void {
    const head = formatRequest(exchange, url, client, { mode: 'release' });
    this.#use(target, secret, (onReleased) => new ReleaseCall(head, onReleased));
  }

  /** Returns whether a node responds within 1 s. */
  probe(target: RelayTarget, secret: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.#use(target, secret, (onReleased) => {
        return new ProbeCall((responds) => {
          resolve(responds);
          onReleased();
        });
      });
    });
  }

  /**
   * Closes the link to a node that is gone, and aborts the requests to it. The last responses of a node that has left
   * may still arrive during the next second.
   */
  abort(node: string): void {
    const link = this.#byNode.get(node);
    this.#byNode.delete(node);
    if (link !== undefined) setTimeout(() => link.close(), ABORT_DELAY_MS).unref();
  }

  /** Aborts all requests. */
  close(): void {
    for (const link of this.#links) link.close();
  }

  #use(
    target: RelayTarget,
    secret: string,
    createUser: (onReleased: () => void) => LinkUser,
  ): void {
    const link = this.#linkTo(target, secret);
    const user: LinkUser = createUser(() => link.delete(user));
    link.add(user);
  }

  #linkTo(target: RelayTarget, secret: string): OutgoingLink {
    const { node } = target;
    const known = this.#byNode.get(node);
    if (known !== undefined) return known;
    const link: OutgoingLink = new OutgoingLink(target, secret, {
      onFailed: (error) => this.#onFailed(target, error),
      onEnd: () => this.#remove(node, link),
    });
    this.#byNode.set(node, link);
    this.#links.add(link);
    this.#ticker.start();
    return link;
  }

  #remove(node: string, link: OutgoingLink): void {
    if (this.#byNode.get(node) === link) this.#byNode.delete(node);
    this.#links.delete(link);
    if (this.#links.size === 0) this.#ticker.stop();
  }
}

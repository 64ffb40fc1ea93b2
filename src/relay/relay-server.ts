/** Serves the requests of a link. */
import type { Duplex } from 'node:stream';
import type { Exchange, HostSettings } from '../http/exchange.ts';
import { splitTarget, stripPrefix } from '../http/prefix.ts';
import { type RelayMode, parseRequest } from './relay-head.ts';
import { RelayLink } from './relay-link.ts';
import type { RelayStream } from './relay-stream.ts';
import { RelayedExchange } from './relayed-exchange.ts';

/** A router that handles relayed requests of the sessions that it has. */
export interface RelayHandler {
  readonly prefix: string;
  readonly settings: HostSettings;
  /** Handles a request of a session. Returns false if there is no such session, and the request is unchanged. */
  handleRelayed(exchange: Exchange, mode: RelayMode | undefined): boolean;
}

export interface RelayServerOptions {
  readonly routers: Iterable<{ readonly handler: RelayHandler }>;
  /** Called with each request of a client that another node has relayed. */
  readonly onRelayed: () => void;
}

/** The links that other nodes have opened to this one. */
export class RelayServer {
  readonly #options: RelayServerOptions;
  readonly #links = new Set<RelayLink>();

  constructor(options: RelayServerOptions) {
    this.#options = options;
  }

  /** Serves a connection that has sent the secret of the cluster. */
  serve(socket: Duplex): void {
    const link = new RelayLink(socket, {
      onRequest: (...request) => this.#onRequest(...request),
      onEnd: () => void this.#links.delete(link),
    });
    this.#links.add(link);
  }

  /** Ends all links after the written bytes are sent. */
  close(): void {
    for (const link of this.#links) link.close();
  }

  #onRequest(stream: RelayStream, head: string, body: Buffer, isLast: boolean): void {
    const request = parseRequest(head);
    const target = splitTarget(request.url);
    for (const { handler } of this.#options.routers) {
      const below = stripPrefix(target, handler.prefix);
      if (below === undefined) continue;
      const received = { bytes: body, isComplete: isLast };
      const exchange = new RelayedExchange(stream, request, below, {
        received,
        writeLimits: handler.settings,
      });
      const isHandled = handler.handleRelayed(exchange, request.mode);
      exchange.keepBody();
      if (!isHandled) continue;
      if (request.mode !== 'release') this.#options.onRelayed();
      return undefined;
    }
    return stream.refuse();
  }
}

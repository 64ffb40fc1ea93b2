/** The private listener of a node, which receives the requests that other nodes relay. */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { type Exchange, type HostSettings, NO_UPGRADE } from '../../http/exchange.ts';
import { type RequestTarget, splitTarget, stripPrefix } from '../../http/prefix.ts';
import { NodeExchange } from './node-exchange.ts';
import type { WriteLimits } from './write-watchdog.ts';
import {
  RELAY_CLIENT,
  RELAY_OWNER,
  RELAY_REFUSED,
  RELAY_SECRET,
  type RelayRefusal,
  type RelayedClient,
  checkSecret,
  parseClient,
} from './relay-headers.ts';

const NOT_FOUND = 404;
const UNAVAILABLE = 503;

/** A router that handles relayed requests of the sessions that it has. */
export interface RelayHandler {
  readonly prefix: string;
  readonly settings: HostSettings;
  /** Handles a request of a session. Returns false if there is no such session, and the request is unchanged. */
  handleRelayed(exchange: Exchange): boolean;
}

/** A relayed request. Its client is the one that the other node has seen. */
class RelayedExchange extends NodeExchange {
  readonly #client: RelayedClient;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    target: RequestTarget,
    limits: WriteLimits,
  ) {
    super(request, response, target, limits, NO_UPGRADE);
    const header = request.headers[RELAY_CLIENT];
    this.#client = parseClient(typeof header === 'string' ? header : undefined);
  }

  override get remoteAddress(): string {
    return this.#client.address;
  }

  override get encrypted(): boolean {
    return this.#client.secure;
  }
}

function refuse(response: ServerResponse, status: number, reason?: RelayRefusal): void {
  response.writeHead(status, reason === undefined ? [] : [RELAY_REFUSED, reason]);
  response.end();
}

export interface RelayListenerOptions {
  /** Returns the secret of the cluster. */
  readonly secret: () => string;
  /** Returns the name of this node. */
  readonly node: () => string;
  readonly handlers: Iterable<RelayHandler>;
  /** Called with each request of another node. */
  readonly onRelayed: () => void;
  /** Called when a node with another version of the protocol has sent a request. */
  readonly onOtherVersion: () => void;
}

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { secret, node, handlers, onRelayed, onOtherVersion }: RelayListenerOptions,
): void {
  const header = request.headers[RELAY_SECRET];
  const check = checkSecret(typeof header === 'string' ? header : undefined, secret());
  if (check === 'wrong') return refuse(response, NOT_FOUND);
  if (check === 'version') {
    onOtherVersion();
    return refuse(response, UNAVAILABLE, 'version');
  }
  if (request.headers[RELAY_OWNER] !== node()) return refuse(response, NOT_FOUND, 'owner');
  onRelayed();
  const target = splitTarget(request.url ?? '');
  for (const handler of handlers) {
    const below = stripPrefix(target, handler.prefix);
    if (below === undefined) continue;
    const exchange = new RelayedExchange(request, response, below, handler.settings);
    if (handler.handleRelayed(exchange)) return undefined;
  }
  return refuse(response, NOT_FOUND, 'session');
}

/** Creates the server. It responds with 404 to every request without the secret of the cluster. */
export function createRelayListener(options: RelayListenerOptions): Server {
  const server = createServer((request, response) => {
    response.on('error', () => {});
    serve(request, response, options);
  });
  // The other node closes idle connections. A timeout of this node could cross a request, which must not be repeated.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  return server;
}

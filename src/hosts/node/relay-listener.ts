/** The private listener of a node, which receives the requests that other nodes relay. */
import {
  type IncomingMessage,
  type Server,
  type ServerResponse,
  createServer,
  maxHeaderSize,
} from 'node:http';
import type { Socket } from 'node:net';
import type { ClientAddress } from '../../http/client-address.ts';
import {
  type Exchange,
  type HeaderList,
  type HostSettings,
  NO_UPGRADE,
} from '../../http/exchange.ts';
import { type RequestTarget, splitTarget, stripPrefix } from '../../http/prefix.ts';
import type { Payload } from '../../base/payload.ts';
import { NodeExchange } from './node-exchange.ts';
import type { WriteLimits } from './write-watchdog.ts';
import {
  RELAY_CLIENT,
  RELAY_MODE,
  RELAY_OWNER,
  RELAY_RESULT,
  RELAY_SECRET,
  type RelayMode,
  type RelayResult,
  checkSecret,
  copyHeaders,
  parseClient,
  parseMode,
} from './relay-headers.ts';

const NOT_FOUND = 404;
const UNAVAILABLE = 503;

/** Time for the head of a request, in milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000;
const CHECKS_PER_TIMEOUT = 5;

/** Idle time of a connection after which the system checks it once per second, in milliseconds. */
const KEEP_ALIVE_DELAY_MS = 5000;

/** Limit for the head of a request. Servers of the application may take longer heads than Node's default. */
const MAX_HEADER_BYTES: number = Math.max(maxHeaderSize, 64 * 1024) + 4096;

/** Limit for connections that have sent no request with the secret. Above it, the oldest one is closed. */
const MAX_STRANGERS = 2000;

/** Headers that the other node has added. */
const ADDED_HEADERS: ReadonlySet<string> = new Set(['connection']);

/** A router that handles relayed requests of the sessions that it has. */
export interface RelayHandler {
  readonly prefix: string;
  readonly settings: HostSettings;
  /** Handles a request of a session. Returns false if there is no such session, and the request is unchanged. */
  handleRelayed(exchange: Exchange, mode: RelayMode | undefined): boolean;
}

/** A relayed request. Its client is the one that the other node has seen. */
class RelayedExchange extends NodeExchange {
  override readonly relayedClient: ClientAddress;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    target: RequestTarget,
    limits: WriteLimits,
  ) {
    super(request, response, target, limits, NO_UPGRADE);
    const header = request.headers[RELAY_CLIENT];
    this.relayedClient = parseClient(typeof header === 'string' ? header : '');
  }

  override get rawHeaders(): readonly string[] {
    return copyHeaders(super.rawHeaders, ADDED_HEADERS);
  }

  override respond(status: number, headers: HeaderList, body?: Payload): void {
    headers.push(RELAY_RESULT, 'handled' satisfies RelayResult);
    super.respond(status, headers, body);
  }

  override startStream(headers: HeaderList): void {
    headers.push(RELAY_RESULT, 'handled' satisfies RelayResult);
    super.startStream(headers);
  }
}

function refuse(response: ServerResponse, status: number, result: RelayResult): void {
  response.writeHead(status, ['Content-Length', '0', RELAY_RESULT, result]);
  response.end();
}

/** Responds to a request that comes from no node, and closes its connection. */
function refuseStranger(response: ServerResponse): void {
  response.writeHead(NOT_FOUND, ['Content-Length', '0', 'Connection', 'close']);
  response.end();
}

export interface RelayListenerOptions {
  /** Returns the secret of the cluster. */
  readonly secret: () => string;
  /** Returns the name of this node. */
  readonly node: () => string;
  readonly routers: Iterable<{ readonly handler: RelayHandler }>;
  /** Called with each request that another node has relayed. */
  readonly onRelayed: () => void;
  /** Called when a node with another version of the protocol has sent a request. */
  readonly onOtherVersion: () => void;
  /** Time for the head of a request, in milliseconds. Default: 10,000 */
  readonly headersTimeout?: number;
}

/** Connections that have sent no request with the secret yet, the oldest first. */
class Strangers {
  readonly #sockets = new Set<Socket>();

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#sockets.size <= MAX_STRANGERS) return;
    for (const oldest of this.#sockets) {
      oldest.destroy();
      return;
    }
  }

  delete(socket: Socket): void {
    this.#sockets.delete(socket);
  }
}

/** Serves a request with the secret of the cluster. */
function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { node, routers, onRelayed }: RelayListenerOptions,
): void {
  const target = splitTarget(request.url ?? '');
  const mode = parseMode(request.headers[RELAY_MODE]);
  for (const { handler } of routers) {
    const below = stripPrefix(target, handler.prefix);
    if (below === undefined) continue;
    const exchange = new RelayedExchange(request, response, below, handler.settings);
    if (handler.handleRelayed(exchange, mode)) return onRelayed();
  }
  const isOwner = request.headers[RELAY_OWNER] === node();
  return refuse(response, NOT_FOUND, isOwner ? 'session' : 'owner');
}

/**
 * Creates the server. It responds with 404 to every request without the secret of the cluster, and closes its
 * connection. It closes connections with anything else at once.
 */
export function createRelayListener(options: RelayListenerOptions): Server {
  const strangers = new Strangers();
  const { headersTimeout = HEADERS_TIMEOUT_MS } = options;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    response.on('error', () => {});
    const header = request.headers[RELAY_SECRET];
    const check = checkSecret(typeof header === 'string' ? header : undefined, options.secret());
    if (check === 'wrong') return refuseStranger(response);
    strangers.delete(request.socket);
    if (check === 'valid') return serve(request, response, options);
    options.onOtherVersion();
    return refuse(response, UNAVAILABLE, 'version');
  };
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false, // A client of HTTP/1.0 may send none.
      headersTimeout,
      // A node sends the body of a client at once, and a slow network must not end a session.
      requestTimeout: 0,
      // Detects the end of a machine of another node.
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
      connectionsCheckingInterval: headersTimeout / CHECKS_PER_TIMEOUT,
    },
    onRequest,
  );
  // The other node closes idle connections. A timeout of this node could cross a request, which must not be repeated.
  server.keepAliveTimeout = 0;
  server.maxHeadersCount = 0;
  server.on('connection', (socket) => strangers.add(socket));
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  server.on('clientError', (_error, socket) => socket.destroy());
  return server;
}

/** The private listener of a node, which receives the requests that other nodes relay. */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  RELAY_OWNER,
  RELAY_PROTOCOL,
  RELAY_RESULT,
  RELAY_SECRET,
  type RelayResult,
  checkSecret,
} from '../../relay/handshake.ts';
import { RelayServer, type RelayServerOptions } from '../../relay/relay-server.ts';
import { setNoDelay } from './connection-stream.ts';
import { closeHttpServer } from './node-host.ts';
import { createResponse } from './node-internals.ts';

const NOT_FOUND = 404;
const UNAVAILABLE = 503;

/** Time for the head of a request, in milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000;
const CHECKS_PER_TIMEOUT = 5;

/** Idle time of a connection after which the system checks it once per second, in milliseconds. */
const KEEP_ALIVE_DELAY_MS = 5000;

/** Limit for the head of a request. That of a link is short. */
const MAX_HEADER_BYTES = 16 * 1024;

/** Limit for connections that have sent no request with the secret. Above it, the oldest one is closed. */
const MAX_STRANGERS = 2000;

export interface RelayListenerOptions extends RelayServerOptions {
  /** Returns the secret of the cluster. */
  readonly secret: () => string;
  /** Returns the name of this node. */
  readonly node: () => string;
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

const ACCEPTED =
  'HTTP/1.1 101 Switching Protocols\r\n' +
  `Connection: Upgrade\r\nUpgrade: ${RELAY_PROTOCOL}\r\n\r\n`;

/**
 * The server. It responds with 404 to every request without the secret of the cluster, and closes its connection. It
 * closes connections with anything else at once. A request with the secret opens a link.
 */
export class RelayListener {
  readonly server: Server;
  readonly #options: RelayListenerOptions;
  readonly #strangers = new Strangers();
  readonly #links: RelayServer;

  constructor(options: RelayListenerOptions) {
    this.#options = options;
    this.#links = new RelayServer(options);
    const { headersTimeout = HEADERS_TIMEOUT_MS } = options;
    this.server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false,
      headersTimeout,
      // Detects the end of a machine of another node.
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
      connectionsCheckingInterval: headersTimeout / CHECKS_PER_TIMEOUT,
    });
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      response.on('error', () => {});
      this.#refuse(request, response);
    };
    this.server.on('request', onRequest);
    this.server.on('checkContinue', onRequest);
    this.server.on('checkExpectation', onRequest);
    this.server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
    this.server.on('connection', (socket) => this.#strangers.add(socket));
    this.server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    this.#links.close();
    await closeHttpServer(this.server);
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const isLink =
      request.headers.upgrade === RELAY_PROTOCOL &&
      this.#check(request) === 'valid' &&
      request.headers[RELAY_OWNER] === this.#options.node();
    if (!isLink) {
      socket.on('error', () => {});
      return this.#refuse(request, createResponse(request));
    }
    this.#strangers.delete(request.socket);
    setNoDelay(socket, true);
    socket.write(ACCEPTED);
    if (head.length > 0) socket.unshift(head);
    return this.#links.serve(socket);
  }

  #check({ headers }: IncomingMessage): ReturnType<typeof checkSecret> {
    const header = headers[RELAY_SECRET];
    return checkSecret(typeof header === 'string' ? header : undefined, this.#options.secret());
  }

  /** Responds to a request that opens no link, and closes its connection. */
  #refuse(request: IncomingMessage, response: ServerResponse): void {
    const check = this.#check(request);
    const headers = ['Content-Length', '0', 'Connection', 'close'];
    if (check === 'valid') headers.push(RELAY_RESULT, 'owner' satisfies RelayResult);
    if (check === 'version') {
      headers.push(RELAY_RESULT, 'version' satisfies RelayResult);
      this.#options.onOtherVersion();
    }
    response.writeHead(check === 'version' ? UNAVAILABLE : NOT_FOUND, headers);
    response.end();
  }
}

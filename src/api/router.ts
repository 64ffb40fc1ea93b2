/**
 * SockJSRouter: binds a connection class to a prefix, and a prefix to servers. The tables and the
 * sessions are elsewhere; here is what an application calls.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type SockJSConnection,
  broadcast,
  checkEnd,
  connect,
  isConnectionClass,
} from './connection.ts';
import { SockJSError } from '../base/errors.ts';
import { NodeHost, createHttpServer } from '../hosts/node/node-host.ts';
import { type Target, isAnswering, splitTarget } from '../hosts/node/node-exchange.ts';
import { attach, detach, isAttached } from '../hosts/node/server-attachment.ts';
import { CLOSE_REASONS } from '../base/close-reasons.ts';
import { dispatch } from '../routes/route-table.ts';
import { Service } from '../http/request-context.ts';
import { SessionRegistry } from '../sessions/session-registry.ts';
import { SILENT_LOGGER } from '../base/logging.ts';
import type { Authorize } from '../http/settings.ts';
import { type ResolvedSettings, type SockJSSettings, resolveSettings } from './settings.ts';
import type { SockJSStats } from '../base/stats.ts';

/** What `close` may be told. */
export interface RouterCloseOptions {
  /** For the close frame that every client gets. 1001: the server is going away. */
  readonly code?: number;
  /** At most 123 bytes. */
  readonly reason?: string;
  /** How long clients have to fetch it, in milliseconds; then they are cut off. 5 s. */
  readonly timeout?: number;
}

/** A class that says who its users are needs an `authorize` that answers one. */
export type RouterArguments<User> = undefined extends User
  ? [prefix?: string, settings?: SockJSSettings<User>]
  : [prefix: string, settings: SockJSSettings<User> & { readonly authorize: Authorize<User> }];

/** Connect-style middleware; Express passes these arguments. */
export type SockJSMiddleware = (
  request: IncomingMessage & { baseUrl?: string },
  response: ServerResponse,
  next: () => void,
) => void;

// Printable ASCII without / ? # in each segment.
const PREFIX = /^(\/[!"$-.0->@-~]+)*$/;
const LONGEST_TIMEOUT = 2 ** 31 - 1;
function ignore(): void {}

/**
 * Serves SockJS below a prefix, with an instance of the connection class for each client.
 *
 * @example
 * const router = new SockJSRouter(Echo, '/echo');
 * router.attach(httpServer); // or router.listen(9999)
 */
export class SockJSRouter<C extends SockJSConnection = SockJSConnection> {
  /** Where the service lives: '' or a path such as '/echo'. */
  readonly prefix: string;
  readonly #settings: ResolvedSettings;
  readonly #sessions: SessionRegistry<C>;
  readonly #service: Service;
  readonly #host: NodeHost;
  readonly #servers = new Set<Server>();
  readonly #ownServers = new Set<Server>();
  #closed: Promise<void> | undefined;

  /**
   * @param connection the class whose instances answer the clients
   * @param prefix '' or a path such as '/echo', without a slash at its end
   * @param settings any of the settings; see `Settings` for their meanings and defaults
   * @throws SockJSError `ERR_ARGUMENT` if the first argument is no such class, `ERR_SETTING` for a prefix or a
   * setting that cannot be
   */
  constructor(connection: new () => C, ...rest: RouterArguments<C['user']>);
  constructor(connection: new () => C, prefix = '', settings: SockJSSettings = {}) {
    if (!isConnectionClass(connection)) {
      throw new SockJSError(
        'ERR_ARGUMENT',
        'The first argument must be a class that extends SockJSConnection.',
      );
    }
    if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
      throw new SockJSError(
        'ERR_SETTING',
        "The prefix must be '' or a path such as '/echo', in printable ASCII (anything else as clients " +
          `send it, percent-encoded: '/%C3%A9cho'), not ${JSON.stringify(prefix)}.`,
      );
    }
    this.prefix = prefix;
    this.#settings = resolveSettings(settings);
    const logger = this.#settings.logger === false ? SILENT_LOGGER : this.#settings.logger;
    this.#sessions = new SessionRegistry(prefix, this.#settings, logger, (session) => {
      const created = new connection();
      connect(created, session);
      return created;
    });
    this.#service = new Service(prefix, this.#settings, logger, this.#sessions);
    this.#host = new NodeHost(this.#settings);
  }

  /** Settings with every default filled in. */
  get settings(): ResolvedSettings {
    return this.#settings;
  }

  /** Counters and rates; `stats.dump()` reads them. */
  get stats(): SockJSStats {
    return this.#sessions.stats;
  }

  /** The connections that are open now and whose `onOpen` has accepted them, later or at once. */
  get connections(): Iterable<C> {
    return { [Symbol.iterator]: () => this.#sessions.applications() };
  }

  /** Sends one text to the clients given; it is encoded once. `connections` are all of this router. */
  broadcast(clients: Iterable<SockJSConnection>, message: string): void {
    broadcast(clients, message);
  }

  /**
   * Answers the requests and upgrades of a server that are below the prefix, and leaves all others to
   * its own listeners. Express, Fastify, Koa and Nest share their `http.Server` with it.
   * @throws SockJSError `ERR_ATTACHED` if it is attached to this server already, `ERR_ARGUMENT` if it is none
   */
  attach(server: Server): this {
    if (typeof server?.on !== 'function' || typeof server.emit !== 'function') {
      throw new SockJSError('ERR_ARGUMENT', 'attach() takes an http.Server or https.Server.');
    }
    if (isAttached(server, this)) {
      throw new SockJSError(
        'ERR_ATTACHED',
        'This router is attached to this server already; detach it first.',
      );
    }
    attach(server, this);
    this.#servers.add(server);
    return this;
  }

  /** Leaves the server as it was. Sessions that are open stay open until they end or `close` is called. */
  detach(server: Server): this {
    detach(server, this);
    this.#servers.delete(server);
    return this;
  }

  /**
   * The short way: a server of its own that serves nothing else.
   * @param port 0 for any that is free; `server.address()` tells which
   * @param host the address to listen on; all of them by default
   * @returns the server, which emits 'listening', or 'error' if the port is in use
   */
  listen(port: number, host?: string): Server {
    const { headersTimeout, bodyTimeout } = this.#settings;
    const server = createHttpServer(headersTimeout, bodyTimeout);
    this.attach(server);
    this.#ownServers.add(server);
    return server.listen(port, host);
  }

  /**
   * Answers a request if it is below the prefix.
   * @returns false if it is not: then nothing has been done with it
   */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    return this.#handle(request, response, splitTarget(request.url ?? ''));
  }

  /**
   * Answers a request for an upgrade if it is below the prefix.
   * @returns false if it is not: then nothing has been done with it
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const target = this.#below(splitTarget(request.url ?? ''));
    if (target === undefined) return false;
    socket.on('error', ignore); // From now on: Node has taken its own listener away.
    if (isAnswering(request)) {
      socket.destroy();
      return true;
    }
    dispatch(this.#host.upgrade(request, socket, head, target), this.#service);
    return true;
  }

  /**
   * The same as `handle`, for Connect and Express. It must come before anything that reads request
   * bodies, and cannot see upgrades: prefer `attach`, which serves WebSockets as well.
   */
  readonly middleware: SockJSMiddleware = (request, response, next) => {
    const target = splitTarget((request.baseUrl ?? '') + (request.url ?? ''));
    if (!this.#handle(request, response, target)) next();
  };

  /**
   * Drains: new sessions get 503, waiting messages go out, every client gets the close frame, and after
   * `timeout` ms at most the rest is cut off. Then the router is detached from its servers, and those
   * that `listen` made are closed. Calling it again waits for the same end.
   * @throws SockJSError `ERR_CLOSE_ARGUMENT` before anything is closed
   */
  close(options: RouterCloseOptions = {}): Promise<void> {
    const {
      code = CLOSE_REASONS.goingAway.code,
      reason = CLOSE_REASONS.goingAway.reason,
      timeout = 5000,
    } = options;
    checkEnd(code, reason);
    if (!(timeout >= 0 && timeout <= LONGEST_TIMEOUT)) {
      throw new SockJSError(
        'ERR_CLOSE_ARGUMENT',
        `The timeout must be a number of milliseconds from 0 to ${LONGEST_TIMEOUT}, not ${timeout}.`,
      );
    }
    this.#closed ??= this.#close({ code, reason, timeout });
    return this.#closed;
  }

  async #close({ code, reason, timeout }: Required<RouterCloseOptions>): Promise<void> {
    // Still listening: a client may need one more poll to learn that it is over.
    await this.#sessions.drain({ code, reason, cause: 'goingAway' }, timeout);
    this.#service.giveUpUndecided();
    await Promise.all([...this.#ownServers].map(ended));
    for (const server of this.#servers) this.detach(server);
  }

  #handle(request: IncomingMessage, response: ServerResponse, target: Target): boolean {
    const below = this.#below(target);
    if (below === undefined) return false;
    dispatch(this.#host.request(request, response, below), this.#service);
    return true;
  }

  #below({ path, query }: Target): Target | undefined {
    const { prefix } = this;
    if (!path.startsWith(prefix)) return undefined;
    if (path.length > prefix.length && path.charCodeAt(prefix.length) !== SLASH) return undefined;
    const below = path.slice(prefix.length);
    return { path: below === '/' ? '' : below, query };
  }
}

const SLASH = 47;

async function ended(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

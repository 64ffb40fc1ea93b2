import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SockJSError } from '../base/errors.ts';
import { RouterLog } from '../base/router-log.ts';
import type { SockJSStats } from '../base/stats.ts';
import {
  closeHttpServer,
  createHttpServer,
  handleRequest,
  handleUpgrade,
  listensOnLoopback,
} from '../hosts/node/node-host.ts';
import { explainServer } from '../hosts/explain-server.ts';
import { startListening } from '../hosts/node/listen.ts';
import { SERVER_HOSTS } from '../hosts/server-hosts.ts';
import { checkText } from '../groups/group-arguments.ts';
import { LOCAL_NETWORK } from '../groups/group-network.ts';
import { SockJSGroup } from '../groups/group.ts';
import { Groups } from '../groups/groups.ts';
import type { Authorize } from '../http/authorize.ts';
import { checkPrefix } from '../http/check-prefix.ts';
import { HostGuard } from '../http/host-guard.ts';
import { RouterState } from '../http/router-state.ts';
import type { AttachableServer, ServerHost } from '../http/server-host.ts';
import { Dispatcher } from '../routes/dispatcher.ts';
import { nodeOf } from '../cluster/cluster.ts';
import { ClusterRouter } from '../cluster/cluster-router.ts';
import { RouteTable } from '../routes/route-table.ts';
import { SessionRegistry } from '../sessions/session-registry.ts';
import { type ConnectionSource, connectionCreator } from './connection-factory.ts';
import { type SockJSConnection, broadcast } from './connection.ts';
import { findHandlerMistake } from './handler-check.ts';
import { type RouterCloseOptions, resolveCloseOptions } from './router-close-options.ts';
import {
  type ResolvedSettings,
  type SockJSSettings,
  findShortTimes,
  resolveSettings,
} from './settings.ts';

/** Arguments of `SockJSRouter` after the class. A class with a `User` type needs an `authorize` that returns it. */
export type RouterArguments<User> = undefined extends User
  ? [prefix?: string, settings?: SockJSSettings<User>]
  : [prefix: string, settings: SockJSSettings<User> & { readonly authorize: Authorize<User> }];

/** Parts of a router that its test kit uses, without a server. */
export interface RouterInternals<C extends SockJSConnection> {
  readonly dispatcher: Dispatcher;
  readonly sessions: SessionRegistry<C>;
}

let internalsOf: <C extends SockJSConnection>(router: SockJSRouter<C>) => RouterInternals<C>;

interface Attachment {
  readonly host: ServerHost;
  readonly dispatcher: Dispatcher;
}

/** Middleware for Connect and Express. */
export type SockJSMiddleware = (
  request: IncomingMessage & { baseUrl?: string | undefined; originalUrl?: string | undefined },
  response: ServerResponse,
  next: () => void,
) => void;

/**
 * Serves SockJS below a prefix, on one or more servers, with an instance of a connection class for each client.
 *
 * @example
 * const router = new SockJSRouter(Echo, '/echo');
 * router.attach(httpServer); // or router.listen(9999)
 */
export class SockJSRouter<C extends SockJSConnection = SockJSConnection> {
  /** Prefix of the router: '' or a path such as '/echo'. */
  readonly prefix: string;
  /** Settings with every default filled in. */
  readonly settings: ResolvedSettings;
  readonly #sessions: SessionRegistry<C>;
  readonly #state: RouterState;
  readonly #dispatcher: Dispatcher;
  /** Set if this process is a node of a cluster. */
  readonly #member: ClusterRouter | undefined;
  readonly #groups: Groups;
  /** Ends the delivery of broadcasts to all. */
  readonly #leaveGroups: () => void;
  readonly #table: RouteTable;
  readonly #servers = new Map<AttachableServer, Attachment>();
  readonly #ownServers = new Set<Server>();
  #closed: Promise<void> | undefined;

  static {
    internalsOf = (router) => ({ dispatcher: router.#dispatcher, sessions: router.#sessions });
  }

  /**
   * @param connection class whose instances serve the clients, or a function that returns an instance
   * @param prefix '' or a path such as '/echo', without a slash at its end
   * @param settings see `SockJSSettings`
   * @throws SockJSError `ERR_ARGUMENT` if the first argument is neither, `ERR_SETTING` for an invalid prefix or setting
   */
  constructor(connection: ConnectionSource<C>, ...rest: RouterArguments<C['user']>);
  constructor(connection: ConnectionSource<C>, prefix = '', settings: SockJSSettings = {}) {
    const createConnection = connectionCreator(connection, 'The first argument');
    checkPrefix(prefix);
    this.prefix = prefix;
    this.settings = resolveSettings(settings);
    const { cluster } = this.settings;
    const node = cluster && nodeOf(cluster);
    node?.checkRouter(prefix);
    const logger = new RouterLog(this.settings.logger, prefix);
    const mistakes = [findHandlerMistake(connection), ...findShortTimes(this.settings)];
    for (const mistake of mistakes) if (mistake !== undefined) logger.warn(mistake);
    this.#groups = node?.groups(prefix) ?? new Groups(prefix, LOCAL_NETWORK, logger);
    const groups = { groups: this.#groups, settings: this.settings };
    this.#sessions = new SessionRegistry(prefix, this.settings, logger, (session) =>
      createConnection({ backend: session, groups }),
    );
    this.#state = new RouterState(prefix, this.settings, logger, this.#sessions);
    this.#table = new RouteTable(this.settings);
    this.#member = node && new ClusterRouter(node, this.#state, this.settings);
    this.#dispatcher = this.#createDispatcher(new HostGuard(this.settings.allowedHosts));
    this.#member?.join(this.#dispatcher, () => this.close());
    this.#leaveGroups = this.#groups.addRouter((text) => broadcast(this.connections, text));
  }

  /** Statistics of the router. `stats.dump()` returns a snapshot. */
  get stats(): SockJSStats {
    return this.#sessions.stats;
  }

  /** Open connections that `onOpen` has accepted. */
  get connections(): Iterable<C> {
    return { [Symbol.iterator]: () => this.#sessions.applications() };
  }

  /**
   * Returns the group of the connections that have joined it with `join(name)`, on every node of the cluster.
   * @param name name of 1 to 256 characters
   * @throws SockJSError `ERR_ARGUMENT` for another name
   */
  group(name: string): SockJSGroup<C> {
    return new SockJSGroup(this.#groups, name);
  }

  /**
   * Sends a text to every connection of this router, on every node of the cluster. Each node encodes it once.
   * @throws SockJSError `ERR_MESSAGE_TYPE` if the message is not a string
   */
  broadcast(message: string): void;
  /**
   * Sends a text to some connections, of any routers, which is encoded once. Closed connections are skipped.
   * @throws SockJSError `ERR_MESSAGE_TYPE` if the message is not a string
   */
  broadcast(connections: Iterable<SockJSConnection>, message: string): void;
  broadcast(first: Iterable<SockJSConnection> | string, ...rest: [message?: string]): void {
    if (rest.length === 0) {
      checkText(first);
      return this.#groups.broadcastToAll(first);
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked by the function
    return broadcast(first as Iterable<SockJSConnection>, rest[0] as string);
  }

  /**
   * Serves the requests and upgrades below the prefix on a server that the application has created, also with Express,
   * Fastify, Koa or Nest. The server's own listeners get all other requests.
   * @throws SockJSError `ERR_ATTACHED` if an open router with this prefix is attached to the server, `ERR_ARGUMENT` if the
   * argument is not a server of HTTP, `ERR_CLOSED` if the router is closed
   */
  attach(server: AttachableServer): this {
    return this.#attach(server, this.#dispatcher, 'attach()');
  }

  /** Stops serving the requests of a server. Open WebSockets stay open until they end or `close` is called. */
  detach(server: AttachableServer): this {
    const attachment = this.#servers.get(server);
    if (attachment === undefined) return this;
    attachment.host.detach(server, attachment.dispatcher);
    this.#servers.delete(server);
    return this;
  }

  /**
   * Creates a server that serves only this router.
   * @param port port, or 0 for any free port, which `server.address()` returns
   * @param host address to listen on, by default all addresses
   * @returns the server, which emits 'listening', or 'error' if the port is in use
   * @throws SockJSError `ERR_ARGUMENT` for an invalid port, `ERR_CLOSED` if the router is closed
   */
  listen(port: number, host?: string): Server {
    this.#checkOpen('listen()');
    const { allowedHosts, bodyTimeout, headersTimeout, trustedProxies } = this.settings;
    const created = createHttpServer(headersTimeout, bodyTimeout);
    // oxlint-disable-next-line typescript/unbound-method -- the end of the stack that is left out
    const server = startListening(created, port, host, this.listen);
    const hostGuard = new HostGuard(allowedHosts);
    this.#attach(server, this.#createDispatcher(hostGuard), 'listen()');
    this.#ownServers.add(server);
    // A proxy on this machine may pass the public host.
    if (allowedHosts === undefined && trustedProxies.length === 0) {
      const ownNames = host === undefined ? [] : [host];
      server.on('listening', () => hostGuard.restrict(listensOnLoopback(server) ? ownNames : '*'));
    }
    return server;
  }

  /**
   * Handles a request if it is below the prefix.
   * @param options `path`: path instead of that of `request.url`, for an application that has its own URLs. The query
   * is that of the request
   * @returns false if it is not, and the request is unchanged
   * @throws SockJSError `ERR_ARGUMENT` unless the arguments come from an HTTP server
   */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    options: { readonly path?: string | undefined } = {},
  ): boolean {
    return handleRequest(this.#dispatcher, request, response, options.path);
  }

  /**
   * Handles an upgrade if it is below the prefix.
   * @param options `path`: see `handle`
   * @returns false if it is not, and the request is unchanged
   */
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    options: { readonly path?: string | undefined } = {},
  ): boolean {
    return handleUpgrade(this.#dispatcher, request, socket, head, options.path);
  }

  /**
   * `handle` as middleware for Connect and Express. Use it before any middleware that reads request bodies. It may be
   * mounted at a path: the prefix is the whole path, or the path below the mount. Middleware does not get upgrades, so
   * prefer `attach`, which serves WebSockets too.
   */
  readonly middleware: SockJSMiddleware = (request, response, next) => {
    if (!handleRequest(this.#dispatcher, request, response)) next();
  };

  /**
   * Shuts down: refuses new sessions with 503, delivers buffered messages, sends every client a close frame, and aborts
   * the remaining clients after `timeout`. Then it closes the servers that `listen` created. Other servers respond with
   * 503 below the prefix until they close, or until `detach`. A second call returns the same promise.
   * @throws SockJSError `ERR_CLOSE_ARGUMENT` before anything is closed
   */
  close(options: RouterCloseOptions = {}): Promise<void> {
    const resolved = resolveCloseOptions(options);
    this.#closed ??= this.#close(resolved);
    return this.#closed;
  }

  #createDispatcher(hostGuard: HostGuard): Dispatcher {
    const step = this.#member?.route;
    return new Dispatcher(this.#state, this.#table, this.settings, hostGuard, step);
  }

  #attach(server: AttachableServer, dispatcher: Dispatcher, call: string): this {
    this.#checkOpen(call);
    const host = SERVER_HOSTS.find((candidate) => candidate.accepts(server));
    if (host === undefined) {
      throw new SockJSError('ERR_ARGUMENT', explainServer(server));
    }
    const isShared = server.listenerCount('request') > 0;
    if (isShared && this.prefix === '') this.#state.warnings.warn('wholeSite');
    host.attach(server, dispatcher);
    this.#servers.set(server, { host, dispatcher });
    return this;
  }

  #checkOpen(call: string): void {
    if (this.#closed === undefined) return;
    throw new SockJSError(
      'ERR_CLOSED',
      `${call} was called after close(). A closed router refuses all sessions: create another one.`,
    );
  }

  async #close({ code, reason, timeout }: Required<RouterCloseOptions>): Promise<void> {
    // The servers still listen: a client may need one more poll to receive its close frame.
    const drained = this.#sessions.drain({ code, reason, cause: 'goingAway' }, timeout);
    await (this.#member?.drain(timeout, drained) ?? drained);
    this.#state.decisions.close();
    this.#leaveGroups();
    await nextTurn(); // Promise callbacks refuse the pending requests first.
    for (const server of this.#ownServers) server.close();
    await this.#member?.leave();
    await Promise.all([...this.#ownServers].map(closeHttpServer));
    this.#state.isClosed = true; // It stays attached: clients connect again after a 503, not after a 404.
  }
}

/** Returns the internals of a router, for `sockjs-server/testing`. */
export { internalsOf };

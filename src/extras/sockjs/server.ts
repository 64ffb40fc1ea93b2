/** The server of npm `sockjs`: an event emitter that serves prefixes of HTTP servers. */
import { EventEmitter } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { RouterCloseOptions } from '../../api/router-close-options.ts';
import { type Handler, Listener } from './listener.ts';
import { type CompleteOptions, type ServerOptions, completeOptions } from './options.ts';
import { Overshadowing } from './overshadowing.ts';
import { SockJSConnection } from './transport.ts';

/** A handler for the requests and, as `upgrade`, for the upgrades of a server. */
export interface Middleware extends Handler {
  upgrade: Handler;
}

/** Connection of one client, as `@types/sockjs` declares it. */
export interface Connection extends NodeJS.ReadWriteStream {
  id: string;
  remoteAddress: string;
  remotePort: number;
  address: Record<string, { address: string; port: number }>;
  /** Some headers of the latest receiving request. */
  headers: Record<string, string>;
  /** URL of the latest receiving request, which contains the secret session id. */
  url: string;
  pathname: string;
  prefix: string;
  /** `websocket`, `websocket-raw`, `xhr-streaming`, `xhr-polling`, `eventsource`, `htmlfile` or `jsonp-polling`. */
  protocol: string;
  readonly readyState: number;
  /** Sends the text of a value. @returns false unless the connection is open */
  write(message: unknown): boolean;
  /** Closes the connection. @returns false unless it is open */
  close(code?: string | number, reason?: string): boolean;
  destroy(): void;
  on(event: 'data', listener: (message: string) => unknown): this;
  on(event: 'close' | 'end', listener: () => unknown): this;
  // oxlint-disable-next-line typescript/no-unsafe-function-type -- as `@types/sockjs` declares it
  on(event: string, listener: Function): this;
}

/** Emits `connection` with the connection of each client. */
export interface Server extends EventEmitter {
  readonly options: ServerOptions;
  installHandlers(server: HttpServer, options?: ServerOptions): boolean;
  listener(options?: ServerOptions): Listener;
  middleware(options?: ServerOptions): Middleware;
  attach(server: HttpServer): void;
  detach(server: HttpServer): void;
  close(options?: RouterCloseOptions): Promise<void>;
  on(event: 'connection', listener: (connection: Connection) => unknown): this;
  // oxlint-disable-next-line typescript/no-unsafe-function-type -- as `@types/sockjs` declares it
  on(event: string, listener: Function): this;
}

function overshadow(server: HttpServer, { handler }: Listener): readonly Overshadowing[] {
  return ['request', 'upgrade'].map((event) => new Overshadowing(server, event, handler));
}

class SockJSServer extends EventEmitter {
  readonly options: CompleteOptions;
  readonly #listeners: Listener[] = [];
  readonly #attached = new Map<HttpServer, readonly Overshadowing[]>();
  /** Serves all HTTP servers without options of their own, which therefore share their sessions. */
  #sharedListener: Listener | undefined;

  constructor(options: ServerOptions | undefined) {
    super({ captureRejections: true });
    this.options = completeOptions(options);
  }

  /** Creates a listener for a prefix, whose handler the application calls. */
  listener(options?: ServerOptions): Listener {
    const listener = new Listener(completeOptions(this.options, options), (connection) => {
      this.emit('connection', connection);
    });
    this.#listeners.push(listener);
    return listener;
  }

  /**
   * Serves a prefix on an HTTP server. The listeners that the server has now get all other requests. Those that are
   * added later get every request.
   */
  installHandlers(server: HttpServer, options?: ServerOptions): boolean {
    overshadow(server, options === undefined ? this.#shareListener() : this.listener(options));
    return true;
  }

  /** Creates a handler for the requests and upgrades of one prefix, which returns false for all others. */
  middleware(options?: ServerOptions): Middleware {
    const handler = this.listener(options).getHandler();
    return Object.assign(handler, { upgrade: handler });
  }

  /** Serves the prefix of the options on an HTTP server, until `detach`. A second call has no effect. */
  attach(server: HttpServer): void {
    if (this.#attached.has(server)) return;
    this.#attached.set(server, overshadow(server, this.#shareListener()));
  }

  /** Gives the listeners that an HTTP server had before `attach` back to it. */
  detach(server: HttpServer): void {
    for (const overshadowing of this.#attached.get(server) ?? []) overshadowing.end();
    this.#attached.delete(server);
  }

  /** Closes all connections, as `close` of a router does. */
  async close(options?: RouterCloseOptions): Promise<void> {
    this.#sharedListener = undefined;
    await Promise.all(this.#listeners.map(({ router }) => router.close(options)));
  }

  #shareListener(): Listener {
    return (this.#sharedListener ??= this.listener());
  }

  [Symbol.for('nodejs.rejection')](error: unknown, event: string, connection: unknown): void {
    if (!(connection instanceof SockJSConnection)) throw error;
    connection._session.failed(`A listener for '${event}'`, error);
  }
}

/** Creates a server that serves no HTTP server yet. */
export function createServer(options?: ServerOptions): Server {
  return new SockJSServer(options);
}

/** Creates a server and serves its prefix on an HTTP server. */
export function listen(httpServer?: HttpServer, options?: ServerOptions): Server {
  const server = createServer(options);
  if (httpServer) server.installHandlers(httpServer);
  return server;
}

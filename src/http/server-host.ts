import type { Server } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { ExchangeHandler } from './exchange.ts';

/** A server of the application, to which a router can be attached. */
export type AttachableServer = Server | Http2Server | Http2SecureServer;

/** A host that can share a server with the application. */
export interface ServerHost {
  /** Returns whether the value is a server of this host. */
  accepts(server: unknown): boolean;
  /**
   * Serves the requests below the router's prefix.
   * @throws SockJSError `ERR_ATTACHED` if a router with the same prefix is attached to the server
   */
  attach(server: AttachableServer, router: ExchangeHandler): void;
  /** Stops serving the router. It has no effect if the router is not attached. */
  detach(server: AttachableServer, router: ExchangeHandler): void;
}

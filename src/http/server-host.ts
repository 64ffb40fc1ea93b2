import type { Server } from 'node:http';
import type { ExchangeHandler } from './exchange.ts';

/** A host that shares a server with the application. */
export interface ServerHost {
  /** Returns whether the value is a server of this host. */
  accepts(server: unknown): boolean;
  /** @throws SockJSError `ERR_ATTACHED` if a router with the same prefix is attached to the server */
  attach(server: Server, router: ExchangeHandler): void;
  detach(server: Server, router: ExchangeHandler): void;
}

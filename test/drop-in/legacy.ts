/** The programming interface of the npm package `sockjs` 0.3.24, private parts included, as programs use it. */
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex, Stream } from 'node:stream';

export interface LegacyReceiver {
  readonly connection?: Socket;
  readonly request?: IncomingMessage;
  readonly response?: ServerResponse;
  readonly protocol?: string;
}

export interface LegacySession {
  readonly recv: LegacyReceiver | null;
  readonly session_id: string | null | undefined;
  readonly readyState: number;
  readonly send_buffer: unknown[] | undefined;
  readonly connection: LegacyConnection | null;
  send(payload: unknown): boolean;
  close(code?: unknown, reason?: unknown): boolean;
  didMessage(payload: unknown): void;
  didTimeout: (...args: unknown[]) => unknown;
  didClose: ((...args: unknown[]) => unknown) | undefined;
  decorateConnection: (request: IncomingMessage) => unknown;
}

export interface LegacyConnection extends Stream {
  id: string;
  headers: Record<string, string | undefined>;
  prefix: string;
  url: string;
  pathname: string;
  protocol: string;
  remoteAddress: string;
  remotePort: number;
  address: { readonly address: string; readonly family: string; readonly port: number };
  readonly readable: boolean;
  readonly writable: boolean;
  readonly readyState: number;
  readonly _session: LegacySession;
  emit: (event: string, ...args: unknown[]) => boolean;
  write: (text?: unknown) => boolean;
  end(text?: unknown): unknown;
  close: (code?: unknown, reason?: unknown) => boolean;
  destroy(): unknown;
  destroySoon(): unknown;
  toString(): string;
}

export type LegacyOptions = Readonly<Record<string, unknown>>;

/** Handler of requests and of upgrades. */
export interface LegacyHandler {
  (request: IncomingMessage, response: ServerResponse | Duplex, head?: unknown): boolean;
  readonly upgrade?: LegacyHandler;
}

export interface LegacyListener {
  readonly options: LegacyOptions;
  readonly handler: LegacyHandler;
  getHandler(): LegacyHandler;
}

export interface LegacyServer extends EventEmitter {
  readonly options: LegacyOptions;
  installHandlers(server: Server, options?: LegacyOptions): boolean;
  listener(options?: LegacyOptions): LegacyListener;
  middleware(options?: LegacyOptions): LegacyHandler;
}

export interface LegacyModule {
  readonly createServer: (options?: LegacyOptions) => LegacyServer;
  readonly listen: (server?: Server, options?: LegacyOptions) => LegacyServer;
}

interface LegacyClass<T> {
  readonly prototype: T;
}

/** `sockjs/lib/transport`. */
export interface LegacyTransportModule {
  readonly Session: LegacyClass<LegacySession>;
  readonly SockJSConnection: LegacyClass<LegacyConnection>;
  readonly Transport: Readonly<Record<'CONNECTING' | 'OPEN' | 'CLOSING' | 'CLOSED', number>>;
  readonly GenericReceiver: LegacyClass<object>;
  readonly ResponseReceiver: LegacyClass<object>;
}

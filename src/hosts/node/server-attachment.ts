import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ExchangeHandler, HostSettings } from '../../http/exchange.ts';
import { type FoundRouter, PrefixTable, splitTarget } from '../../http/prefix.ts';
import type { OperatorWarning } from '../../http/operator-warnings.ts';
import type { AttachableServer, ServerHost } from '../../http/server-host.ts';
import { isWebSocketRequest } from '../../websocket/handshake.ts';
import { isHttpServer } from '../explain-server.ts';
import { closeIdleConnection, serveRequest, serveUnknown, serveUpgrade } from './node-host.ts';
import {
  type ForcedUpgrades,
  emitToTracer,
  forceUpgrades,
  hasPendingResponse,
  serveConnection,
  tracingEmit,
} from './node-internals.ts';
import { type MethodOverride, overrideMethod } from './override-method.ts';
import { watchUpgrade } from './unhandled-upgrade.ts';

function ignore(): void {}

const UPGRADE_HEADERS = new Set(['upgrade', 'http2-settings', 'connection']);

/** Node's default for `server.maxHeadersCount`. */
const DEFAULT_MAX_HEADERS = 1000;

/** Returns whether Node may have dropped headers beyond its limit, among them the length of the body. */
function mayLackHeaders({ rawHeaders }: IncomingMessage, server: AttachableServer): boolean {
  const maxHeadersCount = 'maxHeadersCount' in server ? server.maxHeadersCount : undefined;
  const limit = maxHeadersCount ?? DEFAULT_MAX_HEADERS;
  return limit > 0 && rawHeaders.length >= 2 * limit;
}

/** Returns the head of a request as received, without the headers for an upgrade. */
function headWithoutUpgrade(request: IncomingMessage): Buffer {
  const { method, url, httpVersion, headers, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (!UPGRADE_HEADERS.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[index + 1]}`);
  }
  if (/\bclose\b/i.test(headers.connection ?? '')) lines.push('Connection: close');
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function serveFound(
  { router, target }: FoundRouter<ExchangeHandler>,
  event: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  serveRequest(router, request, response, target);
  if (event === 'checkContinue' && !response.headersSent) response.writeContinue();
}

/**
 * Shares an `http.Server` with the application. An `EventEmitter` has no way to mark an event as handled: every
 * listener gets it, and the application would respond too. The server's `emit` is therefore intercepted, and requests
 * and upgrades below a router's prefix do not reach the application's listeners. These are unchanged, and may be added
 * before or after. Detaching the last router restores the server.
 */
export class ServerAttachment {
  protected readonly server: AttachableServer;
  readonly #routers = new PrefixTable<ExchangeHandler>();
  readonly #emit: MethodOverride;
  readonly #upgrades: ForcedUpgrades;
  /** Settings for requests below no prefix. */
  protected settings: HostSettings | undefined;

  constructor(server: AttachableServer) {
    this.server = server;
    this.#emit = overrideMethod(server, 'emit', (args) => this.interceptEmit(args));
    this.#upgrades = forceUpgrades(
      server,
      (request) => isWebSocketRequest(request) && this.find(request.url) !== undefined,
    );
  }

  /** @throws SockJSError `ERR_ATTACHED` if a router with this prefix is attached */
  add(router: ExchangeHandler): void {
    this.#routers.add(router);
    this.settings = router.settings;
  }

  /** Removes a router. Returns true if it was the last one, and the server is restored. */
  remove(router: ExchangeHandler): boolean {
    this.#routers.delete(router);
    if (this.#routers.size > 0) return false;
    this.#upgrades.restore();
    this.#emit.restore();
    return true;
  }

  protected find(url: string | undefined): FoundRouter<ExchangeHandler> | undefined {
    return this.#routers.find(splitTarget(url ?? ''));
  }

  protected interceptEmit(args: readonly unknown[]): unknown {
    const [event] = args;
    if (event === 'request' || event === 'checkContinue') return this.#onRequest(event, args);
    if (event === 'upgrade') return this.#onUpgrade(args);
    if (event === 'timeout') return this.#onTimeout(args);
    return this.#emit.callOriginal(args);
  }

  #onRequest(event: string, args: readonly unknown[]): unknown {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the arguments that Node documents for this event
    const [, request, response] = args as [string, IncomingMessage, ServerResponse];
    const found = this.find(request.url);
    if (found !== undefined) {
      const emit = tracingEmit(this.server);
      if (emit === undefined) serveFound(found, event, request, response);
      else {
        emitToTracer(emit, this.server, event, [request, response], () =>
          serveFound(found, event, request, response),
        );
      }
    } else if (!this.emitToListeners(args) && this.settings !== undefined) {
      serveUnknown(this.settings, request, response);
    }
    return true;
  }

  /** Returns false if the event has no listener, and no other copy of this library, which needs none, handles it. */
  protected emitToListeners(args: readonly unknown[]): boolean {
    const hasListener = this.server.listenerCount(String(args[0])) > 0;
    return this.#emit.callOriginal(args) === true || hasListener;
  }

  /** Logs a warning for the operator, once. */
  protected warn(warning: OperatorWarning): void {
    this.#routers.first?.warn(warning);
  }

  #onTimeout(args: readonly unknown[]): unknown {
    if (this.emitToListeners(args)) return true;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the argument that Node documents for this event
    closeIdleConnection(args[1] as Socket);
    return true;
  }

  #onUpgrade(args: readonly unknown[]): unknown {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the arguments that Node documents for this event
    const [, request, socket, head] = args as [string, IncomingMessage, Duplex, Buffer];
    // Without a listener, a reset by the client would end the process.
    socket.on('error', ignore);
    if (hasPendingResponse(request)) {
      socket.destroy();
      return true;
    }
    const found = this.find(request.url);
    if (found !== undefined && isWebSocketRequest(request)) {
      serveUpgrade(found.router, request, socket, head, found.target);
    } else if (found === undefined && this.#upgrades.hasListener()) {
      const expectUse = watchUpgrade(request.socket);
      this.#emit.callOriginal(args);
      expectUse(() => this.warn('upgradeUnhandled'));
    } else {
      this.#serveAsRequest(request, head);
    }
    return true;
  }

  /**
   * Serves an upgrade without a handler, or one to anything but a WebSocket below a prefix, as a plain request. RFC 9110,
   * section 7.8, allows a server to ignore an upgrade, and Node would ignore it without our listener. Clients that offer
   * HTTP/2 depend on this. The request is put back into its socket without the upgrade headers, and Node parses it again.
   */
  #serveAsRequest(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    if (mayLackHeaders(request, this.server)) {
      socket.destroy();
      return;
    }
    socket.unshift(Buffer.concat([headWithoutUpgrade(request), head]));
    serveConnection(this.server, socket);
    socket.off('error', ignore); // Node has its own listener again.
  }
}

/** Creates a host whose servers have attachments of a class. */
export function createServerHost(
  Attachment: new (server: AttachableServer) => ServerAttachment,
  accepts: (server: unknown) => boolean,
): ServerHost {
  const attachments = new WeakMap<AttachableServer, ServerAttachment>();
  return {
    accepts,
    attach(server, router) {
      const attachment = attachments.get(server) ?? new Attachment(server);
      attachments.set(server, attachment);
      attachment.add(router);
    },
    detach(server, router) {
      if (attachments.get(server)?.remove(router) === true) attachments.delete(server);
    },
  };
}

export const NODE_SERVER_HOST: ServerHost = createServerHost(ServerAttachment, isHttpServer);

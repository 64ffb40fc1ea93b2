/**
 * Sharing an `http.Server` with the application. An EventEmitter cannot be told that a request has been
 * taken: every listener gets it, and would answer it once more. So the server's own `emit` is covered by
 * one that offers requests and upgrades to the attached routers first, and passes on what is not theirs.
 * Listeners are left alone, may come before or after, and detaching the last router uncovers `emit`.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { isWebSocketRequest } from '../../websocket/handshake.ts';
import { isAnswering } from './node-exchange.ts';

/** What is offered a request before the application is; each answers whether it was its own. */
export interface Attachable {
  handle(request: IncomingMessage, response: ServerResponse): boolean;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
}

type Emit = (this: Server, event: string, ...args: unknown[]) => boolean;

function ignore(): void {}

const HOP_BY_HOP = new Set(['upgrade', 'http2-settings', 'connection']);

/** How Node serves a new connection: what a server listens with before anybody else listens. */
const NODE_LISTENERS = createServer().listeners('connection');
/** Where the application sets no `maxHeadersCount`. */
const MOST_HEADERS = 1000;

/** Some releases of Node forget the headers beyond the limit, and with them how long the body is. */
function mayBeCut({ rawHeaders }: IncomingMessage, { maxHeadersCount }: Server): boolean {
  const most = maxHeadersCount ?? MOST_HEADERS;
  return most > 0 && rawHeaders.length >= 2 * most;
}

/** The head of a request as it came, without the wish for an upgrade. */
function plainHead({ method, url, httpVersion, headers, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (!HOP_BY_HOP.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[index + 1]}`);
  }
  if (/\bclose\b/i.test(headers.connection ?? '')) lines.push('Connection: close');
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

class ServerAttachment {
  readonly #server: Server;
  readonly #attached = new Set<Attachable>();
  readonly #emit: Emit;
  readonly #wasInherited: boolean;

  constructor(server: Server) {
    this.#server = server;
    this.#wasInherited = !Object.hasOwn(server, 'emit');
    // oxlint-disable-next-line typescript/unbound-method -- called with its server below
    this.#emit = server.emit;
    server.emit = this.#cover;
    // Without a listener Node would not even look at upgrades.
    server.on('upgrade', ignore);
  }

  has(router: Attachable): boolean {
    return this.#attached.has(router);
  }

  add(router: Attachable): void {
    this.#attached.add(router);
  }

  /** @returns whether this was the last one, and the server is as it was */
  remove(router: Attachable): boolean {
    this.#attached.delete(router);
    if (this.#attached.size > 0) return false;
    this.#server.off('upgrade', ignore);
    // If somebody has covered `emit` since, it stays in place and passes everything on.
    if (this.#server.emit === this.#cover) this.#uncover();
    return true;
  }

  #uncover(): void {
    if (this.#wasInherited) Reflect.deleteProperty(this.#server, 'emit');
    else this.#server.emit = this.#emit;
  }

  readonly #cover = (event: string, ...args: unknown[]): boolean => {
    if (this.#attached.size === 0) return this.#passOn(event, args);
    if (event === 'request' || event === 'checkContinue') return this.#request(event, args);
    if (event === 'upgrade') return this.#upgrade(args);
    return this.#passOn(event, args);
  };

  #passOn(event: string, args: unknown[]): boolean {
    return this.#emit.call(this.#server, event, ...args);
  }

  #request(event: string, args: unknown[]): boolean {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what Node documents for this event
    const [request, response] = args as [IncomingMessage, ServerResponse];
    for (const router of this.#attached) {
      if (router.handle(request, response)) {
        if (event === 'checkContinue' && !response.headersSent) response.writeContinue();
        return true;
      }
    }
    if (this.#server.listenerCount(event) > 0) return this.#passOn(event, args);
    response.writeHead(404, ['Content-Type', 'text/plain; charset=UTF-8', 'Content-Length', '10']);
    response.end('Not found.');
    return true;
  }

  #upgrade(args: unknown[]): boolean {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what Node documents for this event
    const [request, socket, head] = args as [IncomingMessage, Duplex, Buffer];
    // From the first moment on: a client that resets now must not end the process.
    socket.on('error', ignore);
    if (isAnswering(request)) {
      socket.destroy();
      return true;
    }
    if (isWebSocketRequest(request)) {
      for (const router of this.#attached) {
        if (router.handleUpgrade(request, socket, head)) return true;
      }
    }
    if (this.#server.listenerCount('upgrade') > 1) return this.#passOn('upgrade', args);
    this.#serveAsPlain(request, socket, head);
    return true;
  }

  /**
   * Nobody gives this upgrade, and RFC 9110, 7.8, lets a server ignore the wish (clients of HTTP/2 make it
   * by default). Node would have, but for our listener; so the request goes back to where it came from,
   * without the wish, and is parsed once more, its body and whatever follows included. Only Node is told of
   * it: to the application the connection is not new, and its listeners would pile up.
   */
  #serveAsPlain(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (mayBeCut(request, this.#server)) {
      socket.destroy();
      return;
    }
    socket.unshift(Buffer.concat([plainHead(request), head]));
    for (const listener of NODE_LISTENERS) Reflect.apply(listener, this.#server, [socket]);
    socket.off('error', ignore); // Node listens again.
  }
}

const mounts = new WeakMap<Server, ServerAttachment>();

export function isAttached(server: Server, router: Attachable): boolean {
  return mounts.get(server)?.has(router) === true;
}

export function attach(server: Server, router: Attachable): void {
  let mount = mounts.get(server);
  if (mount === undefined) {
    mount = new ServerAttachment(server);
    mounts.set(server, mount);
  }
  mount.add(router);
}

export function detach(server: Server, router: Attachable): void {
  if (mounts.get(server)?.remove(router) === true) mounts.delete(server);
}

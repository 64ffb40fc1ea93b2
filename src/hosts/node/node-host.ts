/** The host `node:http` (and `node:https`): turns requests and upgrades into exchanges. */
import { createHash } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { SockJSError } from '../../base/errors.ts';
import { REFUSALS } from '../../base/refusal.ts';
import type { ClientMemory } from '../../base/memory-budget.ts';
import {
  type Exchange,
  type ExchangeHandler,
  type HostSettings,
  NO_UPGRADE,
  type Upgrade,
} from '../../http/exchange.ts';
import { PLAIN_TEXT } from '../../http/headers.ts';
import { type RequestTarget, splitTarget, stripPrefix } from '../../http/prefix.ts';
import type { WebSocketConnection } from '../../http/websocket-connection.ts';
import { acceptHandshake, checkHandshake, isWebSocketRequest } from '../../websocket/handshake.ts';
import { clearIdleTimeout, setNoDelay } from './connection-stream.ts';
import { type MountedRequest, targetOfMounted } from './mounted-target.ts';
import { NodeExchange } from './node-exchange.ts';
import { hasPendingResponse } from './node-internals.ts';
import { createWebSocket, negotiateUpgrade } from './upgrade.ts';

/** Interval at which Node checks for late requests, on servers that `listen` creates. Node's default is 30 s. */
const CHECK_INTERVAL_MS = 5000;

function ignore(): void {}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('base64');
}

/** @param extension permessage-deflate with its parameters, if it was negotiated */
function accept(
  request: IncomingMessage,
  head: Buffer,
  settings: HostSettings,
  extension: string | undefined,
  memory: ClientMemory,
): WebSocketConnection {
  const { socket } = request;
  clearIdleTimeout(socket);
  setNoDelay(socket, settings.disableNagle);
  if (head.length > 0) socket.unshift(head);
  socket.cork(); // The first frame is sent together with the handshake.
  process.nextTick(() => socket.uncork());
  socket.write(acceptHandshake(request, sha1, extension));
  return createWebSocket(socket, settings, extension, memory);
}

function upgradeOf(request: IncomingMessage, head: Buffer, settings: HostSettings): Upgrade {
  if (!isWebSocketRequest(request)) return NO_UPGRADE;
  return negotiateUpgrade(request, checkHandshake(request), settings, (extension, memory) =>
    accept(request, head, settings, extension, memory),
  );
}

/**
 * Drops a connection that the client has reset before the server noticed. Such a socket has no remote address any more,
 * and would escape every limit per address. A socket that is no TCP socket has no local address either.
 */
function dropIfReset(socket: Socket): void {
  if (socket.remoteAddress === undefined && socket.localAddress !== undefined) socket.destroy();
}

/** @param isLast whether the connection closes after the response */
function createExchange(
  request: IncomingMessage,
  response: ServerResponse,
  target: RequestTarget,
  settings: HostSettings,
  isLast: boolean,
): Exchange {
  const { disableNagle, noKeepAlive } = settings;
  dropIfReset(request.socket);
  if (!disableNagle) setNoDelay(request.socket, false);
  if (noKeepAlive || isLast) response.shouldKeepAlive = false;
  response.on('error', ignore);
  return new NodeExchange(request, response, target, settings, NO_UPGRADE);
}

/** Passes a request to its router. */
export function serveRequest(
  handler: ExchangeHandler,
  request: IncomingMessage,
  response: ServerResponse,
  target: RequestTarget,
): void {
  handler.handle(createExchange(request, response, target, handler.settings, handler.isDraining));
}

/** Responds to a request below no prefix, on a server that serves nothing else. */
export function serveUnknown(
  settings: HostSettings,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { status, text } = REFUSALS.notFound;
  const exchange = createExchange(request, response, { path: '', query: '' }, settings, false);
  exchange.respond(status, ['Content-Type', PLAIN_TEXT], text);
}

/** Passes an upgrade to its router. An upgrade to anything but a WebSocket is handled as a plain request. */
export function serveUpgrade(
  handler: ExchangeHandler,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  target: RequestTarget,
): void {
  socket.on('error', ignore); // Node has removed its own listener: an unhandled error would end the process.
  if (hasPendingResponse(request)) {
    socket.destroy();
    return;
  }
  dropIfReset(request.socket);
  const { settings } = handler;
  const upgrade = upgradeOf(request, head, settings);
  handler.handle(new NodeExchange(request, undefined, target, settings, upgrade));
}

function hasMethod(value: unknown, name: string): boolean {
  return (
    typeof value === 'object' && value !== null && typeof Reflect.get(value, name) === 'function'
  );
}

/**
 * @param other the response of a request, or the socket of an upgrade
 * @throws SockJSError `ERR_ARGUMENT` unless the arguments come from an HTTP server
 */
function checkArguments(request: unknown, other: unknown, method: 'writeHead' | 'write'): void {
  if (hasMethod(request, 'on') && hasMethod(other, method)) return;
  throw new SockJSError(
    'ERR_ARGUMENT',
    request === undefined
      ? 'router.middleware was called without a request. Pass the function: app.use(router.middleware).'
      : 'A router handles the request and response of an http.Server, which Koa has in ctx.req and ctx.res, and ' +
          'Fastify in request.raw and reply.raw. It is easier to call router.attach(server).',
  );
}

/** Returns the target of a request whose path the application has chosen. Its query is that of the request. */
function targetAt(
  path: string,
  { url = '' }: IncomingMessage,
  prefix: string,
): RequestTarget | undefined {
  return stripPrefix({ path, query: splitTarget(url).query }, prefix);
}

/**
 * Handles a request if it is below the router's prefix, also in middleware that is mounted at a path.
 * @param path path instead of that of the request
 * @returns false if it is not, and the request is unchanged
 * @throws SockJSError `ERR_ARGUMENT` for arguments of another type
 */
export function handleRequest(
  handler: ExchangeHandler,
  request: MountedRequest,
  response: ServerResponse,
  path?: string,
): boolean {
  checkArguments(request, response, 'writeHead');
  const { prefix } = handler;
  const target =
    path === undefined ? targetOfMounted(request, prefix) : targetAt(path, request, prefix);
  if (target === undefined) return false;
  if (request.httpVersionMajor > 1) {
    const exchange = new NodeExchange(request, response, target, handler.settings, NO_UPGRADE);
    handler.refuse(exchange, 'httpVersion');
  } else serveRequest(handler, request, response, target);
  return true;
}

/**
 * Handles an upgrade if it is below the router's prefix.
 * @param path path instead of that of the request
 * @returns false if it is not, and the request is unchanged
 */
export function handleUpgrade(
  handler: ExchangeHandler,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  path: string = splitTarget(request.url ?? '').path,
): boolean {
  checkArguments(request, socket, 'write');
  const target = targetAt(path, request, handler.prefix);
  if (target === undefined) return false;
  serveUpgrade(handler, request, socket, head, target);
  return true;
}

/**
 * Closes a connection on the event 'timeout' of its server, as Node does without a listener, unless a request has
 * arrived: when the process was stopped, timers run before sockets are read.
 */
export function closeIdleConnection(socket: Socket): void {
  const { bytesRead } = socket;
  setImmediate(() => {
    if (socket.bytesRead === bytesRead) socket.destroy();
  });
}

/** Creates a server that limits the time for the head and the body of a request. Times in milliseconds. */
export function createHttpServer(headersTimeout: number, bodyTimeout: number): Server {
  return createServer({
    headersTimeout,
    requestTimeout: headersTimeout + bodyTimeout,
    connectionsCheckingInterval: Math.min(headersTimeout, CHECK_INTERVAL_MS),
  });
}

const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/i;

/** Returns whether only this machine can reach a server that is listening. */
export function listensOnLoopback(server: Server): boolean {
  const address = server.address();
  return typeof address === 'object' && address !== null && LOOPBACK.test(address.address);
}

/** Closes a server and all its connections. */
export async function closeHttpServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

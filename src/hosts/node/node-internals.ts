/** Uses of undocumented parts of Node, and no others. `node-internals.test.ts` runs on every supported Node line. */
import { type IncomingMessage, type Server, ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';
import { bytesWritten, destroySoon } from './connection-stream.ts';

/**
 * Returns whether the response to an earlier request is still being written on the connection of this request. Nothing
 * else can be written until it has finished.
 */
export function hasPendingResponse({ socket }: IncomingMessage): boolean {
  const message: unknown = Reflect.get(socket, '_httpMessage');
  return message !== undefined && message !== null;
}

/** Creates a response on the socket of an upgrade, which Node no longer handles. The connection closes after it. */
export function createResponse(request: IncomingMessage): ServerResponse {
  const { socket } = request;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  // Node's server does the same for its own sockets: it keeps reading, and forwards drains and timeouts.
  socket.resume();
  socket.on('end', () => socket.end());
  socket.on('drain', () => response.emit('drain'));
  // Node's server also resets this flag, under a private symbol: it would stay true after the first drain.
  Object.defineProperty(response, 'writableNeedDrain', { get: () => socket.writableNeedDrain });
  socket.on('timeout', () => socket.destroy());
  // `end()` would leave the connection half-open until the client closes it, which may be never.
  response.on('finish', () => destroySoon(socket));
  return response;
}

/** Returns whether a response should not be written to before its `drain` event. */
export function needsDrain(response: ServerResponse): boolean {
  return response.writableNeedDrain;
}

/** Returns whether a response is chunked. Known once its head has been written. */
export function isChunked(response: ServerResponse): boolean {
  return response.chunkedEncoding;
}

/** Counters of a socket's handle in libuv. */
interface SocketHandle {
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

function isSocketHandle(value: unknown): value is SocketHandle {
  return (
    typeof value === 'object' &&
    value !== null &&
    'writeQueueSize' in value &&
    'bytesWritten' in value
  );
}

/** Returns the bytes that the system has taken, including parts of an unfinished write if Node counts them. */
export function bytesTaken(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (isSocketHandle(handle)) return handle.bytesWritten - handle.writeQueueSize;
  // Not every stream counts its bytes. Without a counter, fewer buffered bytes are progress.
  return (bytesWritten(socket) ?? 0) - socket.writableLength;
}

/** Node's own listeners for a new connection, which parse HTTP. */
const CONNECTION_LISTENERS = createServer().listeners('connection');

/**
 * Lets Node parse a connection as if it were new. Only Node's own listeners are called: listeners of the application
 * have already handled the connection.
 */
export function serveConnection(server: Server, socket: Socket): void {
  for (const listener of CONNECTION_LISTENERS) Reflect.apply(listener, server, [socket]);
}

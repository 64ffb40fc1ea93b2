/**
 * All use of undocumented parts of Node. `node-internals.test.ts` runs on every supported Node line.
 */
import { type IncomingMessage, type Server, ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Returns whether a response to an earlier request is still being written on the connection of this request. Nothing
 * else can be written there until it has finished.
 */
export function hasPendingResponse({ socket }: IncomingMessage): boolean {
  const message: unknown = Reflect.get(socket, '_httpMessage');
  return message !== undefined && message !== null;
}

/** Creates a response on a socket that Node has given up for an upgrade. The connection closes after it. */
export function createResponse(request: IncomingMessage): ServerResponse {
  const { socket } = request;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  // Node's server does this for its own sockets: it reads on, and forwards drains and timeouts.
  socket.resume();
  socket.on('end', () => socket.end());
  socket.on('drain', () => response.emit('drain'));
  // Node's server also resets this flag, under a private symbol: it would stay true after the first drain.
  Object.defineProperty(response, 'writableNeedDrain', { get: () => socket.writableNeedDrain });
  socket.on('timeout', () => socket.destroy());
  // Not `end()`: a client that never closes would keep its half of the connection for ever.
  response.on('finish', () => socket.destroySoon());
  return response;
}

/** Returns whether a response takes no more data before its `drain` event. */
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

/** Returns the bytes that the system has taken, parts of an unfinished write included where Node counts them. */
export function bytesTaken(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (isSocketHandle(handle)) return handle.bytesWritten - handle.writeQueueSize;
  return socket.bytesWritten - socket.writableLength;
}

/** Listeners with which a new server serves a connection: Node's HTTP parser. */
const CONNECTION_LISTENERS = createServer().listeners('connection');

/**
 * Lets Node parse a connection from the beginning, as if it were new. Only Node's own listeners are called: for the
 * application the connection is not new, and its listeners would pile up.
 */
export function serveConnection(server: Server, socket: Socket): void {
  for (const listener of CONNECTION_LISTENERS) Reflect.apply(listener, server, [socket]);
}

/** Uses of undocumented parts of Node, and no others. `node-internals.test.ts` runs on every supported Node line. */
import { EventEmitter } from 'node:events';
import { IncomingMessage, ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { AttachableServer } from '../../http/server-host.ts';
import { type ConnectionStream, bytesWritten, destroySoon } from './connection-stream.ts';
import { overrideMethod } from './override-method.ts';

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

/** Frees the text of a head that was sent, which Node keeps until the response ends. It only has to stay a text. */
export function freeHead(response: ServerResponse): void {
  if (typeof Reflect.get(response, '_header') === 'string') Reflect.set(response, '_header', ' ');
}

type Emit = (event: string, ...args: unknown[]) => boolean;

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
export function bytesTaken(socket: ConnectionStream): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (isSocketHandle(handle)) return handle.bytesWritten - handle.writeQueueSize;
  // Not every stream counts its bytes. Without a counter, fewer buffered bytes are progress.
  return (bytesWritten(socket) ?? 0) - socket.writableLength;
}

/** Returns the bytes that were passed to the system or to TLS, and not taken. The socket of HTTP/2 has no others. */
export function bytesQueued(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  return isSocketHandle(handle) ? handle.writeQueueSize : 0;
}

interface ReadableBuffer {
  readonly buffer: { readonly length: number };
  /** Chunks at the start that were read. */
  readonly bufferIndex?: number;
}

function isReadableBuffer(value: unknown): value is ReadableBuffer {
  return (
    typeof value === 'object' &&
    value !== null &&
    'buffer' in value &&
    typeof value.buffer === 'object' &&
    value.buffer !== null &&
    'length' in value.buffer &&
    typeof value.buffer.length === 'number'
  );
}

/** Returns the number of chunks that wait for their reader, or 0 on runtimes that do not tell. */
export function chunksBuffered(stream: Readable): number {
  const state: unknown = Reflect.get(stream, '_readableState');
  return isReadableBuffer(state) ? state.buffer.length - (state.bufferIndex ?? 0) : 0;
}

/** Node's own listeners for a new connection, which parse HTTP. */
const CONNECTION_LISTENERS = createServer().listeners('connection');

/**
 * Lets Node parse a connection as if it were new. Only Node's own listeners are called: listeners of the application
 * have already handled the connection.
 */
export function serveConnection(server: AttachableServer, socket: Socket): void {
  for (const listener of CONNECTION_LISTENERS) Reflect.apply(listener, server, [socket]);
}

export interface ForcedUpgrades {
  /** Returns whether the application, or another copy of this library, has a listener. */
  hasListener(): boolean;
  restore(): void;
}

/**
 * Makes Node emit 'upgrade' as if the server had a listener. A listener of our own could be removed or wrapped by other
 * code, and other copies of this library would pass upgrades on to it.
 * @param mustEmit returns whether an upgrade is emitted even if `shouldUpgradeCallback` of the application rejects it
 */
export function forceUpgrades(
  server: AttachableServer,
  mustEmit: (request: IncomingMessage) => boolean,
): ForcedUpgrades {
  const count = overrideMethod(server, 'listenerCount', (args, callOriginal) => {
    const listeners = Number(callOriginal(args));
    return args[0] === 'upgrade' ? Math.max(1, listeners) : listeners;
  });
  // Since Node 24.9. By default it returns whether there is a listener.
  const decision = Object.hasOwn(server, 'shouldUpgradeCallback')
    ? overrideMethod(server, 'shouldUpgradeCallback', (args, callOriginal) => {
        const [request] = args;
        if (request instanceof IncomingMessage && mustEmit(request)) return true;
        return callOriginal(args);
      })
    : undefined;
  return {
    hasListener: () => Number(count.callOriginal(['upgrade'])) > 0,
    restore() {
      count.restore();
      decision?.restore();
    },
  };
}

/** Returns `emit` of the server's prototype if a tracer has replaced it, otherwise undefined. */
export function tracingEmit(server: AttachableServer): Emit | undefined {
  const prototype: object & { readonly emit?: Emit } = Reflect.getPrototypeOf(server) ?? {};
  const { emit } = prototype;
  return emit === EventEmitter.prototype.emit ? undefined : emit;
}

/** Handles an event inside the `emit` of a tracer, so that the tracer sees it. Listeners of the server are not called. */
export function emitToTracer(
  emit: Emit,
  server: AttachableServer,
  event: string,
  args: readonly unknown[],
  handle: () => void,
): void {
  const standIn: unknown = Object.create(server);
  Reflect.apply(EventEmitter, standIn, []); // Gives it separate listeners.
  if (standIn instanceof EventEmitter) standIn.on(event, handle);
  Reflect.apply(emit, standIn, [event, ...args]);
}

/**
 * The stream below a request. It is usually a socket, but an application may pass any duplex stream to its server by
 * `server.emit('connection', stream)`. Such a stream lacks methods and counters of a socket.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocketStream } from './websocket-stream.ts';

type SocketMember = 'bytesRead' | 'bytesWritten' | 'destroySoon' | 'setNoDelay' | 'setTimeout';

export type ConnectionStream = Duplex & Partial<Pick<Socket, SocketMember>>;

/** The stream below a WebSocket. */
export type UnderlyingStream = ConnectionStream | WebSocketStream;

/** Turns Nagle's algorithm on or off, if the stream is a socket. */
export function setNoDelay(stream: ConnectionStream, noDelay: boolean): void {
  stream.setNoDelay?.(noDelay);
}

/** Ends the idle timeout that the server has set. */
export function clearIdleTimeout(stream: ConnectionStream): void {
  stream.setTimeout?.(0);
}

/** Ends a stream, and destroys it once the written bytes are sent. */
export function destroySoon(stream: UnderlyingStream): void {
  if ('listen' in stream || stream.destroySoon !== undefined) return stream.destroySoon?.();
  if (stream.writable) stream.end();
  if (stream.writableFinished) stream.destroy();
  else stream.once('finish', () => stream.destroy());
}

/** Returns the number of received bytes, or undefined if the stream does not count them. */
export function bytesRead(stream: UnderlyingStream): number | undefined {
  return stream.bytesRead;
}

/** Returns the number of written bytes, or undefined if the stream does not count them. */
export function bytesWritten(stream: ConnectionStream): number | undefined {
  return stream.bytesWritten;
}

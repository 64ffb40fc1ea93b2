import type { Duplex } from 'node:stream';
import type { SocketListener, WebSocketStream } from './websocket-stream.ts';

declare module 'node:stream' {
  interface Duplex {
    [LISTENER]?: SocketListener;
  }
}

const LISTENER = Symbol('SocketListener');

/** Sets the listener of a socket. All sockets share four functions, since closures would take half a kilobyte for each. */
export function listenToSocket(socket: Duplex | WebSocketStream, listener: SocketListener): void {
  if ('listen' in socket) return socket.listen(listener);
  socket[LISTENER] = listener;
  socket.on('data', onData);
  socket.on('drain', onDrain);
  socket.on('end', onEnd);
  socket.on('close', onClose);
}

function onData(this: Duplex, chunk: Buffer): void {
  this[LISTENER]?.onSocketData(chunk);
}

function onDrain(this: Duplex): void {
  this[LISTENER]?.onSocketDrain();
}

function onEnd(this: Duplex): void {
  this[LISTENER]?.onSocketEnd();
}

function onClose(this: Duplex): void {
  this[LISTENER]?.onSocketClose();
}

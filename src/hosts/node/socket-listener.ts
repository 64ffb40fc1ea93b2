import type { Socket } from 'node:net';

/** Receives the events of a socket. */
export interface SocketListener {
  onSocketData(chunk: Buffer): void;
  onSocketDrain(): void;
  onSocketEnd(): void;
  onSocketClose(): void;
}

declare module 'node:net' {
  interface Socket {
    [LISTENER]?: SocketListener;
  }
}

const LISTENER = Symbol('SocketListener');

/** Sets the listener of a socket. All sockets share four functions, since closures would take half a kilobyte for each. */
export function listenToSocket(socket: Socket, listener: SocketListener): void {
  socket[LISTENER] = listener;
  socket.on('data', onData);
  socket.on('drain', onDrain);
  socket.on('end', onEnd);
  socket.on('close', onClose);
}

function onData(this: Socket, chunk: Buffer): void {
  this[LISTENER]?.onSocketData(chunk);
}

function onDrain(this: Socket): void {
  this[LISTENER]?.onSocketDrain();
}

function onEnd(this: Socket): void {
  this[LISTENER]?.onSocketEnd();
}

function onClose(this: Socket): void {
  this[LISTENER]?.onSocketClose();
}

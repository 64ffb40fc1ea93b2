import type { Duplex } from 'node:stream';

/** Receives the events of a socket. */
export interface SocketListener {
  onSocketData(chunk: Buffer): void;
  onSocketDrain(): void;
  onSocketEnd(): void;
  onSocketClose(): void;
}

/** A stream that is no `Duplex`, with the parts that a WebSocket uses. */
export interface WebSocketStream extends Pick<
  Duplex,
  'isPaused' | 'writable' | 'writableLength' | 'writableNeedDrain'
> {
  readonly bytesRead: number;
  /** Written bytes that the client has taken. */
  readonly bytesTaken: number;
  listen(listener: SocketListener): void;
  pause(): void;
  resume(): void;
  cork(): void;
  uncork(): void;
  /** Returns `false` if the client falls behind. */
  write(bytes: Buffer): boolean;
  end(): void;
  destroy(): void;
  destroySoon(): void;
}

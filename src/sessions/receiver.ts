import type { Frame } from '../protocol/frame.ts';

/**
 * Port to which a session writes its frames: a response or a WebSocket. It reports to the session:
 * `onDrain` when it is writable again, `onDelivered` when everything written to an ended one has left,
 * `onClosed` when it is gone, and `onWriteTimeout`.
 */
export interface Receiver {
  /** True on HTTP: the server ends it when it is full, and the next request brings another one. */
  readonly renewable: boolean;
  /** Bytes that are written and not yet taken by the network. */
  readonly bufferedBytes: number;
  /** Bytes that have come over a WebSocket so far. Undefined where they are no sign of life. */
  readonly bytesReceived: number | undefined;
  /** False while the peer does not keep up. Messages stay in the session until `onDrain`. */
  readonly writable: boolean;
  /** No further frame fits in. */
  readonly full: boolean;
  write(frame: Frame): void;
  /** No further frame follows. Frames that are written are still delivered. */
  end(): void;
  /** Drops the connection and what is buffered in it. */
  abort(): void;
  /** Starts the write timeout. It ends in `onWriteTimeout` if the peer takes nothing of what is buffered. */
  watchProgress(): void;
}

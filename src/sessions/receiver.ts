import type { Frame } from '../protocol/frame.ts';

/**
 * Port to which a session writes its frames: a response or a WebSocket. It calls the session: `onDrain` when it is
 * writable again, `onDelivered` when it has ended and everything written is sent, `onClosed` when it is gone, and
 * `onWriteTimeout`.
 */
export interface Receiver {
  /** The exchange or the WebSocket to which it writes, for code that knows the host. */
  readonly source: object;
  /** True on HTTP, where the server ends a full response and the next request continues the session. */
  readonly renewable: boolean;
  /** Bytes written that the system has not taken. */
  readonly bufferedBytes: number;
  /** Bytes received so far over a WebSocket. Undefined if input does not show that the client is connected. */
  readonly bytesReceived: number | undefined;
  /** False while the client falls behind. Messages stay in the session until `onDrain`. */
  readonly writable: boolean;
  /** True once no further frame may be written. */
  readonly full: boolean;
  write(frame: Frame): void;
  /** Ends the receiver. Written frames are still delivered. */
  end(): void;
  /** Closes the connection at once. Buffered bytes are lost. */
  abort(): void;
}

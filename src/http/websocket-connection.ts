import type { Payload } from '../base/payload.ts';

/** Violations for which the server closes a WebSocket. Each is a key of `CLOSE_REASONS`. */
export type WebSocketFault =
  | 'invalidCompression'
  | 'invalidFrame'
  | 'invalidJson'
  | 'invalidUtf8'
  | 'memoryLimit'
  | 'messageTimeout'
  | 'messageTooLarge'
  | 'textOnly';

/** Receives the events of a WebSocket. No event follows `onClosed`. */
export interface WebSocketListener {
  /** @param byteLength length of the text as UTF-8, in bytes */
  onText(text: string, byteLength: number): void;
  onBinary(data: Uint8Array): void;
  /**
   * Called after a chunk of input with control frames and tiny fragments, which carry no message.
   * @param count their number
   */
  onFrames(count: number): void;
  /** Called when the socket is writable again. */
  onDrain(): void;
  /** Called before the close frame or the end of the socket, after which nothing can be sent. */
  onClosing(): void;
  /** Called after a violation, when the close frame is sent. Further input is ignored. */
  onFault(fault: WebSocketFault): void;
  /** Called when the client reads too slowly: see `writeTimeout` and `sendTimeLimit`. */
  onWriteTimeout(): void;
  /** @param code code of the client's close frame, 1005 if it has none, 1006 without a close frame */
  onClosed(code: number, reason: string): void;
}

/** The port between a host and one open WebSocket. */
export interface WebSocketConnection {
  /** Bytes written that the system has not taken. */
  readonly bufferedBytes: number;
  /** False while the client falls behind. */
  readonly writable: boolean;
  /** Bytes received so far, of any kind, or undefined if the host cannot count them. */
  readonly bytesReceived: number | undefined;
  /** Sets the listener. Called once, in the same turn as `accept()`. */
  listen(listener: WebSocketListener): void;
  sendText(text: Payload): void;
  sendBinary(data: Uint8Array): void;
  /** Sends a ping. @param text text message to send in the same write */
  ping(text?: string): void;
  /** Collects messages, so that `uncork` sends them in one write. */
  cork(): void;
  uncork(): void;
  pause(): void;
  resume(): void;
  /** Sends a close frame. Messages sent before are still delivered. */
  close(code: number, reason: string): void;
  /** Sends the close frame of a fault, and aborts the connection soon after if the client does not close it. */
  fail(fault: WebSocketFault): void;
  /** Closes the connection at once. Buffered bytes are lost. */
  abort(): void;
}

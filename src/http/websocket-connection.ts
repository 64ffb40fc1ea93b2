/** The port for one open WebSocket. A host implements it. */

/** Violations for which the server closes a WebSocket. Each is a key of `CLOSE_REASONS`. */
export type WebSocketFault =
  | 'invalidFrame'
  | 'invalidJson'
  | 'invalidUtf8'
  | 'memoryLimit'
  | 'messageTimeout'
  | 'messageTooLarge'
  | 'textOnly';

/** Receives the events of a WebSocket. `onClosed` is final. */
export interface WebSocketListener {
  /** @param byteLength length of the text in UTF-8 */
  onText(text: string, byteLength: number): void;
  onBinary(data: Uint8Array): void;
  /** The socket can be written to again. */
  onDrain(): void;
  /** The client violated a rule and was sent a close frame. Its input is ignored from here on. */
  onFault(fault: WebSocketFault): void;
  /** The client has taken nothing of the written data for `writeTimeout`. */
  onWriteTimeout(): void;
  onClosed(code: number, reason: string): void;
}

export interface WebSocketConnection {
  /** Bytes written that the network has not taken. */
  readonly bufferedBytes: number;
  /** False while the client does not keep up. */
  readonly writable: boolean;
  /** Bytes received so far of any kind; undefined if the host cannot count them. */
  readonly bytesReceived: number | undefined;
  /** Sets the listener. Called once, in the same turn as `accept()`. */
  listen(listener: WebSocketListener): void;
  sendText(text: string): void;
  sendBinary(data: Uint8Array): void;
  /** @param text a message to send in the same write */
  ping(text?: string): void;
  pause(): void;
  resume(): void;
  /** Sends a close frame. What was sent before is still delivered. */
  close(code: number, reason: string): void;
  /** Sends the close frame of a fault, and drops the connection soon after if the client stays. */
  fail(fault: WebSocketFault): void;
  /** Drops the connection at once. */
  abort(): void;
}

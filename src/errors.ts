/**
 * Every error that this library throws or rejects with is a `SockJSError` whose `code` never changes
 * between releases; the message says what to do and may be reworded.
 */
export type SockJSErrorCode =
  /** A setting has an unknown name or a value that it cannot take. */
  | 'ERR_SETTING'
  /** `close()` was called with a code or a reason that no WebSocket may carry. */
  | 'ERR_CLOSE_ARGUMENT'
  /** `send()` was called with something that this transport cannot carry. */
  | 'ERR_MESSAGE_TYPE'
  /** A connection was used that no router opened. */
  | 'ERR_NOT_CONNECTED'
  /** The same router was attached twice to the same server. */
  | 'ERR_ATTACHED'
  /** A request body is longer than `maxMessageBytes`. */
  | 'ERR_BODY_TOO_LARGE'
  /** The client went away before its request body was complete. */
  | 'ERR_BODY_ABORTED';

/** An error of this library. Tell errors apart by their `code`. */
export class SockJSError extends Error {
  readonly code: SockJSErrorCode;

  constructor(code: SockJSErrorCode, message: string) {
    super(message);
    this.name = 'SockJSError';
    this.code = code;
  }
}

/**
 * Codes of the errors that this library throws. A code keeps its meaning between releases. The message explains what
 * to do, and its wording may change.
 */
export type SockJSErrorCode =
  /** A setting, prefix or channel is invalid. */
  | 'ERR_SETTING'
  /** A method was called with an invalid argument. */
  | 'ERR_ARGUMENT'
  /** `close()` was called with an invalid close code, reason or timeout. */
  | 'ERR_CLOSE_ARGUMENT'
  /** `send()` or `broadcast()` was called with data that the transport cannot carry. */
  | 'ERR_MESSAGE_TYPE'
  /** A connection was used before a router opened it. */
  | 'ERR_NOT_CONNECTED'
  /** A router with the same prefix is already attached to this server. */
  | 'ERR_ATTACHED'
  /** The backplane of a cluster is not available, or was used twice. */
  | 'ERR_BACKPLANE'
  /** `attach()` or `listen()` was called after `close()` of the router. */
  | 'ERR_CLOSED'
  /** A connection joins more than `maxGroups` groups, or its presence is longer than `maxPresenceBytes`. */
  | 'ERR_GROUP_LIMIT'
  /** A request body is longer than `maxMessageBytes`. */
  | 'ERR_BODY_TOO_LARGE'
  /** The client disconnected before its request body was complete. */
  | 'ERR_BODY_ABORTED'
  /** A request body was not complete within `bodyTimeout`. */
  | 'ERR_BODY_TIMEOUT'
  /** Other code has read the request body, or a part of it. */
  | 'ERR_BODY_CONSUMED'
  /** More than `maxTotalBufferedBytes`, or `maxBufferedBytesPerAddress`, are buffered. */
  | 'ERR_NO_MEMORY';

/** Error thrown by this library. */
export class SockJSError extends Error {
  /** Identifies the cause. docs/errors.md explains each code. */
  readonly code: SockJSErrorCode;

  constructor(code: SockJSErrorCode, message: string) {
    super(message);
    this.name = 'SockJSError';
    this.code = code;
  }
}

/**
 * Close reasons of this library: code and reason of the close frame, and the cause under which stats count them.
 * docs/errors.md explains each and when a client may retry. A test compares the two.
 */

export const CLOSE_REASONS = {
  /** `router.close()`. */
  goingAway: { code: 1001, reason: 'Server is going away', cause: 'goingAway' },
  /** A receiving request was aborted. Its messages may be lost, so the session cannot continue. */
  interrupted: { code: 1002, reason: 'Connection interrupted', cause: 'interrupted' },
  /** Invalid WebSocket frame, or one that is not allowed at this point. */
  invalidFrame: { code: 1002, reason: 'Bad WebSocket frame', cause: 'invalidFrame' },
  /** Binary message on a WebSocket that carries SockJS frames. */
  textOnly: { code: 1003, reason: 'Only text is accepted here', cause: 'textOnly' },
  /** No receiver within `disconnectDelay`, or no input after a ping within `pingTimeout`. */
  timeout: { code: 1006, reason: 'Client is gone', cause: 'timeout' },
  /** Text message on a WebSocket that is not valid UTF-8. */
  invalidUtf8: { code: 1007, reason: 'Text was not UTF-8', cause: 'invalidUtf8' },
  /** Compressed WebSocket message that is invalid or incomplete. */
  invalidCompression: {
    code: 1007,
    reason: 'Bad compressed message',
    cause: 'invalidCompression',
  },
  /** WebSocket message that is neither a JSON string nor a JSON array of strings. */
  invalidJson: { code: 1007, reason: 'Broken JSON encoding.', cause: 'invalidJson' },
  /** `onOpen` returned false. */
  refused: { code: 1008, reason: 'Refused', cause: 'refused' },
  /** More than 4 MiB received while `onOpen` was pending. */
  beforeAccept: {
    code: 1008,
    reason: 'Too much sent before the connection was accepted',
    cause: 'beforeAccept',
  },
  /** More than `maxMessagesPerSecond`, with `rateLimitPolicy: 'close'`, or too much in several requests at once. */
  rateLimited: { code: 1008, reason: 'Too many messages', cause: 'rateLimited' },
  /** WebSocket message that was not complete within `bodyTimeout`. */
  messageTimeout: { code: 1008, reason: 'Message took too long', cause: 'messageTimeout' },
  /** More than `maxMessagesPerBody` in one WebSocket message. */
  tooManyMessages: { code: 1009, reason: 'Too many messages at once', cause: 'tooManyMessages' },
  /** WebSocket message over `maxMessageBytes`. */
  messageTooLarge: { code: 1009, reason: 'Message too big', cause: 'messageTooLarge' },
  /** Incomplete message or delayed input that was the largest buffer when a memory limit was exceeded. */
  memoryLimit: { code: 1013, reason: 'Server is out of buffer memory', cause: 'memoryLimit' },
  /** `onOpen` was pending for longer than `openTimeout`. */
  openTimeout: { code: 1011, reason: 'Opening took too long', cause: 'openTimeout' },
  /** The session has reached `maxSessionAge`. A new one has to pass `authorize` again. */
  sessionExpired: { code: 1012, reason: 'Session has expired', cause: 'sessionExpired' },
  /** A handler threw, or its promise rejected. */
  internalError: { code: 1011, reason: 'Internal error', cause: 'internalError' },
  /** More than `maxBufferedBytes` buffered for the client, or more than `highWaterMark` when memory was short. */
  slowConsumer: { code: 1013, reason: 'Client does not keep up', cause: 'slowConsumer' },
  /** The client read none of its buffered bytes for `writeTimeout`, or would take longer than `sendTimeLimit`. */
  writeTimeout: { code: 1013, reason: 'Client stopped reading', cause: 'writeTimeout' },
} as const satisfies Readonly<Record<string, { code: number; reason: string; cause: string }>>;

/** Returns whether a close frame may carry this code. RFC 6455, section 7.4. */
export function isCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

/**
 * Cause under which stats count a close. `application`: the application called `close()`. `client`: the client closed
 * its WebSocket, or its connection was lost. docs/errors.md explains the others.
 */
export type CloseCause = keyof typeof CLOSE_REASONS | 'application' | 'client';

/** Code and reason of a close frame. */
export interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

/** Close of a session, with the cause under which stats count it. */
export interface CloseReason extends CloseStatus {
  readonly cause: CloseCause;
  /** Code and reason for the SockJS frame as JSON, if no WebSocket can carry them. */
  readonly json?: string;
}

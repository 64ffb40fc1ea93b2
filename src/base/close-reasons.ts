/**
 * Every end that this library decides on, in one table: the code and the reason that the client is told,
 * by the cause under which `stats` counts it. docs/errors.md says who should try again; a test compares
 * the two.
 */

export const CLOSE_REASONS = {
  /** `router.close()`. */
  goingAway: { code: 1001, reason: 'Server is going away', cause: 'goingAway' },
  /** A receiving request broke off: what was under way may be lost, so the session cannot go on. */
  interrupted: { code: 1002, reason: 'Connection interrupted', cause: 'interrupted' },
  /** What came over a WebSocket was no WebSocket frame, or none that may come then. */
  invalidFrame: { code: 1002, reason: 'Bad WebSocket frame', cause: 'invalidFrame' },
  /** Bytes where only text can be carried. */
  textOnly: { code: 1003, reason: 'Only text is accepted here', cause: 'textOnly' },
  /** No receiver came back in time, or a ping was not answered. 1006 is what a WebSocket reports when nobody said goodbye. */
  timeout: { code: 1006, reason: 'Client is gone', cause: 'timeout' },
  /** Text on a WebSocket that was not UTF-8. */
  invalidUtf8: { code: 1007, reason: 'Text was not UTF-8', cause: 'invalidUtf8' },
  /** A WebSocket message that is neither a string nor an array of strings. */
  invalidJson: { code: 1007, reason: 'Broken JSON encoding.', cause: 'invalidJson' },
  /** `onOpen` answered false: the WebSocket code for a violated policy. */
  refused: { code: 1008, reason: 'Refused', cause: 'refused' },
  /** 4 MiB came in before `onOpen` had settled. */
  beforeAccept: {
    code: 1008,
    reason: 'Too much sent before the connection was accepted',
    cause: 'beforeAccept',
  },
  /** More than `maxMessagesPerSecond`, where `rateLimitPolicy` is `close`. */
  rateLimited: { code: 1008, reason: 'Too many messages', cause: 'rateLimited' },
  /** A WebSocket message was not complete within `bodyTimeout`. */
  messageTimeout: { code: 1008, reason: 'Message took too long', cause: 'messageTimeout' },
  /** More than `maxMessagesPerBody` in one WebSocket message. */
  tooManyMessages: { code: 1009, reason: 'Too many messages at once', cause: 'tooManyMessages' },
  /** A WebSocket message over `maxMessageBytes`. */
  messageTooLarge: { code: 1009, reason: 'Message too big', cause: 'messageTooLarge' },
  /** More than `maxTotalBufferedBytes` waited in the process, and a WebSocket message was not complete. */
  memoryLimit: { code: 1013, reason: 'Too much is waiting', cause: 'memoryLimit' },
  /** A handler threw or was rejected: the WebSocket code for an unexpected condition at the server. */
  internalError: { code: 1011, reason: 'Internal error', cause: 'internalError' },
  /** More than `maxBufferedBytes` waited: the WebSocket code for "try again later". */
  slowConsumer: { code: 1013, reason: 'Client does not keep up', cause: 'slowConsumer' },
  /** Nothing of what waited was taken for `writeTimeout`. */
  writeTimeout: { code: 1013, reason: 'Client takes nothing', cause: 'writeTimeout' },
} as const satisfies Readonly<Record<string, { code: number; reason: string; cause: string }>>;

/** RFC 6455, 7.4: what an endpoint may put into a close frame. */
export function isCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

/** `application`: it called `close()`. `client`: the client said goodbye, or its WebSocket was lost. */
export type CloseCause = keyof typeof CLOSE_REASONS | 'application' | 'client';

/** What `onClose` is told. */
export interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

/** How a session ended; code and reason are those of its close frame. */
export interface CloseReason extends CloseStatus {
  readonly cause: CloseCause;
}

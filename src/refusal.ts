/**
 * Every way in which this library refuses a request, in one table: status, text, and what an operator
 * may want to know of it. docs/errors.md explains each; a test compares the two.
 */
import { SockJSError } from './errors.ts';

const FORBIDDEN_IN_HEADERS = /[^\t\u0020-\u007e\u0080-\u00ff]/;
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;

function areHeaders(headers: Readonly<Record<string, string>>): boolean {
  return Object.entries(headers).every(
    ([name, value]) =>
      HEADER_NAME.test(name) && typeof value === 'string' && !FORBIDDEN_IN_HEADERS.test(value),
  );
}

/**
 * A refusal as the client sees it. `authorize` may return one of its own.
 *
 * @example
 * return new Refusal(401, 'Please log in.', { 'WWW-Authenticate': 'Bearer' });
 */
export class Refusal {
  /** An HTTP status from 400 to 599. */
  readonly status: number;
  /** The body, as plain text. */
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;

  /** @throws SockJSError `ERR_ARGUMENT` for a status that is no refusal, or headers that HTTP cannot carry */
  constructor(status: number, text = '', headers: Readonly<Record<string, string>> = {}) {
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new SockJSError(
        'ERR_ARGUMENT',
        `The status of a refusal is 400 to 599, not ${String(status)}.`,
      );
    }
    if (typeof text !== 'string' || !areHeaders(headers)) {
      throw new SockJSError(
        'ERR_ARGUMENT',
        'A refusal has a text and headers whose names and values are text without control characters.',
      );
    }
    this.status = status;
    this.text = text;
    this.headers = headers;
  }
}

const SOON = { 'Retry-After': '1' };
const LATER = { 'Retry-After': '5' };

/** By the name under which `stats` counts it. */
export const REFUSALS = {
  notFound: new Refusal(404, 'Not found.'),
  method: new Refusal(405),
  upgrade: new Refusal(400, 'Can "Upgrade" only to "WebSocket".'),
  origin: new Refusal(403, 'Origin not allowed; the setting allowedOrigins would admit it.'),
  unauthorized: new Refusal(403, 'Not authorized.'),
  draining: new Refusal(503, 'Shutting down.', SOON),
  undecided: new Refusal(503, 'Try again later.', SOON),
  sessions: new Refusal(503, 'Too many sessions.', LATER),
  sessionsOfAddress: new Refusal(503, 'Too many sessions from this address.', LATER),
  callbackMissing: new Refusal(500, '"callback" parameter required'),
  callbackInvalid: new Refusal(500, 'invalid "callback" parameter'),
  sessionUnknown: new Refusal(404, 'Session not found.'),
  sessionOpening: new Refusal(503, 'Still opening.', SOON),
  tooFast: new Refusal(429, 'Too many messages.', SOON),
  encoded: new Refusal(415, 'Content-Encoding is not supported.'),
  bodyTooLarge: new Refusal(413, 'Body too large.'),
  bodyTooSlow: new Refusal(408, 'Body took too long.', { Connection: 'close' }),
  noMemory: new Refusal(503, 'Too much is waiting.', SOON),
  bodyMissing: new Refusal(500, 'Payload expected.'),
  bodyBroken: new Refusal(500, 'Broken JSON encoding.'),
  tooManyMessages: new Refusal(413, 'Too many messages at once.'),
  failed: new Refusal(500, 'Internal error.'),
} as const satisfies Readonly<Record<string, Refusal>>;

export type RefusalReason = keyof typeof REFUSALS;

/** HTTP refusals: the class, which applications can use too, and the table of the library's refusals. */
import { SockJSError } from './errors.ts';

/** Everything but tab, printable ASCII and Latin-1. */
const INVALID_IN_HEADER_VALUE = /[^\t\u0020-\u007e\u0080-\u00ff]/;
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;

/** Headers for message framing and persistent connections, which the host sets. */
const HOST_HEADERS = new Set([
  'content-length',
  'transfer-encoding',
  'trailer',
  'keep-alive',
  'proxy-connection',
]);
/** Headers that only a refusal with 408 or 426 may set: RFC 9110, 15.5.9 and 15.5.22. */
const CONNECTION_HEADERS = new Set(['connection', 'upgrade']);
const CONNECTION_STATUSES = new Set([408, 426]);

/** Headers that a response may have more than once. */
const REPEATABLE_HEADERS = new Set(['set-cookie', 'vary']);

function areValidHeaders(headers: Readonly<Record<string, string>>): boolean {
  // Iterables such as Map and Headers have no own entries, and would count as empty.
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) return false;
  return Object.entries(headers).every(
    ([name, value]) =>
      HEADER_NAME.test(name) && typeof value === 'string' && !INVALID_IN_HEADER_VALUE.test(value),
  );
}

function isHostHeader(name: string, status: number): boolean {
  return (
    HOST_HEADERS.has(name) || (CONNECTION_HEADERS.has(name) && !CONNECTION_STATUSES.has(status))
  );
}

function checkHeaderNames(names: readonly string[], status: number): void {
  const checked = new Set<string>();
  for (const name of names) {
    const lower = name.toLowerCase();
    if (isHostHeader(lower, status)) {
      throw new SockJSError(
        'ERR_ARGUMENT',
        `A Refusal with status ${status} must not set the header ${name}. The server sets it.`,
      );
    }
    if (checked.has(lower)) {
      throw new SockJSError('ERR_ARGUMENT', `A Refusal must have the header ${name} only once.`);
    }
    checked.add(lower);
  }
}

/**
 * An HTTP response that refuses a request. `authorize` may return one. Its headers replace headers of the library with
 * the same name, such as `Content-Type`. Only `Set-Cookie` and `Vary` are added to them. A page cannot read the response:
 * sockjs-client reports that all transports failed. To show a reason, accept the client and close it in `onOpen`.
 *
 * @example
 * return new Refusal(401, 'Please log in.', { 'WWW-Authenticate': 'Bearer' });
 */
export class Refusal {
  /** An HTTP status from 400 to 599. */
  readonly status: number;
  /** Body of the response. It is plain text, unless a `Content-Type` header sets another type. */
  readonly text: string;
  /** Further headers of the response. */
  readonly headers: Readonly<Record<string, string>>;

  /**
   * @param status HTTP status from 400 to 599
   * @param text body of the response
   * @param headers further headers of the response
   * @throws SockJSError `ERR_ARGUMENT` for another status, invalid or repeated headers, or headers that the server
   * sets, such as `Content-Length`
   */
  constructor(status: number, text = '', headers: Readonly<Record<string, string>> = {}) {
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new SockJSError(
        'ERR_ARGUMENT',
        `The status of a Refusal must be a whole number from 400 to 599, not ${String(status)}.`,
      );
    }
    if (typeof text !== 'string' || !areValidHeaders(headers)) {
      throw new SockJSError(
        'ERR_ARGUMENT',
        'The text of a Refusal must be a string. Its headers must be an object whose names and values are ' +
          'strings without control characters.',
      );
    }
    checkHeaderNames(Object.keys(headers), status);
    this.status = status;
    this.text = text;
    this.headers = Object.freeze({ ...headers });
  }
}

/**
 * Merges the headers of a refusal into those of the library.
 * @param own alternating names and values of the library's headers
 */
export function refusalHeaders({ headers }: Refusal, own: readonly string[]): string[] {
  const replaced = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const all: string[] = [];
  for (let index = 0; index + 1 < own.length; index += 2) {
    const [name = '', value = ''] = own.slice(index, index + 2);
    const lower = name.toLowerCase();
    if (!replaced.has(lower) || REPEATABLE_HEADERS.has(lower)) all.push(name, value);
  }
  return [...all, ...Object.entries(headers).flat()];
}

const RETRY_AFTER_1_S = { 'Retry-After': '1' };
const RETRY_AFTER_5_S = { 'Retry-After': '5' };

/**
 * Refusals of the library, by the name under which `stats` counts them. docs/errors.md explains each. A test compares
 * the two.
 */
export const REFUSALS = {
  notFound: new Refusal(404, 'Not found.'),
  methodNotAllowed: new Refusal(405),
  invalidUpgrade: new Refusal(400, 'Can "Upgrade" only to "WebSocket".'),
  originNotAllowed: new Refusal(
    403,
    'Origin not allowed; the setting allowedOrigins would admit it.',
  ),
  hostNotAllowed: new Refusal(403, 'Host not allowed; the setting allowedHosts would admit it.'),
  unauthorized: new Refusal(403, 'Not authorized.'),
  draining: new Refusal(503, 'Shutting down.', RETRY_AFTER_1_S),
  pendingLimit: new Refusal(503, 'Try again later.', RETRY_AFTER_1_S),
  pendingTimeout: new Refusal(503, 'Decision took too long.', RETRY_AFTER_1_S),
  sessionLimit: new Refusal(503, 'Too many sessions.', RETRY_AFTER_5_S),
  addressSessionLimit: new Refusal(503, 'Too many sessions from this address.', RETRY_AFTER_5_S),
  clusterUnavailable: new Refusal(503, 'Try again later.', RETRY_AFTER_1_S),
  tooManyHeaders: new Refusal(431, 'Too many headers.'),
  headersTooLarge: new Refusal(431, 'Headers too large.'),
  streamLimit: new Refusal(503, 'Too many streams.', RETRY_AFTER_1_S),
  callbackMissing: new Refusal(500, '"callback" parameter required'),
  callbackInvalid: new Refusal(500, 'invalid "callback" parameter'),
  sessionNotFound: new Refusal(404, 'Session not found.'),
  sessionOpening: new Refusal(503, 'Still opening.', RETRY_AFTER_1_S),
  rateLimited: new Refusal(429, 'Too many messages.', RETRY_AFTER_1_S),
  contentEncoding: new Refusal(415, 'Content-Encoding is not supported.'),
  bodyTooLarge: new Refusal(413, 'Body too large.'),
  bodyTimeout: new Refusal(408, 'Body took too long.', { Connection: 'close' }),
  memoryLimit: new Refusal(503, 'Too much is waiting.', RETRY_AFTER_1_S),
  bodyConsumed: new Refusal(500, 'The body was read before it reached SockJS.'),
  bodyMissing: new Refusal(500, 'Payload expected.'),
  bodyInvalid: new Refusal(500, 'Broken JSON encoding.'),
  tooManyMessages: new Refusal(413, 'Too many messages at once.'),
  httpVersion: new Refusal(505, 'HTTP/2 is not supported.'),
  internalError: new Refusal(500, 'Internal error.'),
} as const satisfies Readonly<Record<string, Refusal>>;

/** Name under which `stats` counts a refusal. docs/errors.md explains each. */
export type RefusalReason = keyof typeof REFUSALS;

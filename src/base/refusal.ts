/**
 * Every way in which this library refuses a request, in one table: status, text, and what an operator
 * may want to know of it. docs/errors.md explains each; a test compares the two.
 */
import { SockJSError } from './errors.ts';

const FORBIDDEN_IN_HEADERS = /[^\t\u0020-\u007e\u0080-\u00ff]/;
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;

/** How an answer is framed, and what becomes of its connection: the host says so. */
const OF_HOST = new Set([
  'content-length',
  'transfer-encoding',
  'trailer',
  'keep-alive',
  'proxy-connection',
]);
/** RFC 9110, 15.5.9 and 15.5.22: with 408 and 426 these belong to the refusal. */
const OF_CONNECTION = new Set(['connection', 'upgrade']);
const ABOUT_CONNECTION = new Set([408, 426]);

/** Those of which an answer may have more than one. */
const MANIFOLD = new Set(['set-cookie', 'vary']);

function areHeaders(headers: Readonly<Record<string, string>>): boolean {
  // An array, a Map or the Headers of fetch would count as empty.
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) return false;
  return Object.entries(headers).every(
    ([name, value]) =>
      HEADER_NAME.test(name) && typeof value === 'string' && !FORBIDDEN_IN_HEADERS.test(value),
  );
}

function isOfHost(name: string, status: number): boolean {
  return OF_HOST.has(name) || (OF_CONNECTION.has(name) && !ABOUT_CONNECTION.has(status));
}

function checkNames(names: readonly string[], status: number): void {
  const seen = new Set<string>();
  for (const name of names) {
    const lower = name.toLowerCase();
    if (isOfHost(lower, status)) {
      throw new SockJSError(
        'ERR_ARGUMENT',
        `A refusal with ${status} cannot set the header ${name}: the server does.`,
      );
    }
    if (seen.has(lower)) {
      throw new SockJSError('ERR_ARGUMENT', `A refusal has the header ${name} at most once.`);
    }
    seen.add(lower);
  }
}

/**
 * A refusal as the client sees it. `authorize` may return one of its own. A header of it takes the place of
 * the one that the library would send, such as `Content-Type`; `Set-Cookie` and `Vary` come beside it.
 *
 * @example
 * return new Refusal(401, 'Please log in.', { 'WWW-Authenticate': 'Bearer' });
 */
export class Refusal {
  /** An HTTP status from 400 to 599. */
  readonly status: number;
  /** The body: plain text, unless a header `Content-Type` says what else it is. */
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;

  /**
   * @throws SockJSError `ERR_ARGUMENT` for a status that is no refusal, headers that HTTP cannot carry, or those
   * that the server sets itself, such as `Content-Length`
   */
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
    checkNames(Object.keys(headers), status);
    this.status = status;
    this.text = text;
    this.headers = Object.freeze({ ...headers });
  }
}

/** The headers of an answer: `own`, names and values in turn, and those of the refusal, which outdo them. */
export function refusalHeaders({ headers }: Refusal, own: readonly string[]): string[] {
  const given = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const all: string[] = [];
  for (let index = 0; index + 1 < own.length; index += 2) {
    const [name = '', value = ''] = own.slice(index, index + 2);
    const lower = name.toLowerCase();
    if (!given.has(lower) || MANIFOLD.has(lower)) all.push(name, value);
  }
  return [...all, ...Object.entries(headers).flat()];
}

const SOON = { 'Retry-After': '1' };
const LATER = { 'Retry-After': '5' };

/** By the name under which `stats` counts it. */
export const REFUSALS = {
  notFound: new Refusal(404, 'Not found.'),
  methodNotAllowed: new Refusal(405),
  invalidUpgrade: new Refusal(400, 'Can "Upgrade" only to "WebSocket".'),
  originNotAllowed: new Refusal(
    403,
    'Origin not allowed; the setting allowedOrigins would admit it.',
  ),
  unauthorized: new Refusal(403, 'Not authorized.'),
  draining: new Refusal(503, 'Shutting down.', SOON),
  pendingLimit: new Refusal(503, 'Try again later.', SOON),
  sessionLimit: new Refusal(503, 'Too many sessions.', LATER),
  addressSessionLimit: new Refusal(503, 'Too many sessions from this address.', LATER),
  callbackMissing: new Refusal(500, '"callback" parameter required'),
  callbackInvalid: new Refusal(500, 'invalid "callback" parameter'),
  sessionNotFound: new Refusal(404, 'Session not found.'),
  sessionOpening: new Refusal(503, 'Still opening.', SOON),
  rateLimited: new Refusal(429, 'Too many messages.', SOON),
  contentEncoding: new Refusal(415, 'Content-Encoding is not supported.'),
  bodyTooLarge: new Refusal(413, 'Body too large.'),
  bodyTimeout: new Refusal(408, 'Body took too long.', { Connection: 'close' }),
  memoryLimit: new Refusal(503, 'Too much is waiting.', SOON),
  bodyMissing: new Refusal(500, 'Payload expected.'),
  bodyInvalid: new Refusal(500, 'Broken JSON encoding.'),
  tooManyMessages: new Refusal(413, 'Too many messages at once.'),
  internalError: new Refusal(500, 'Internal error.'),
} as const satisfies Readonly<Record<string, Refusal>>;

export type RefusalReason = keyof typeof REFUSALS;

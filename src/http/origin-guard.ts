/**
 * Decides whether a page may connect. One guard serves requests, preflights and upgrades.
 *
 * Browsers identify the origin of a request by `Origin` and `Sec-Fetch-Site`. Requests for scripts and iframes have no
 * `Origin`, but a `Referer`. A request with none of these headers does not come from a page and is admitted. Over plain
 * HTTP, browsers do not send `Sec-Fetch-Site`. A page that also hides its `Referer` is then admitted on the transports
 * that use scripts and iframes.
 */
import { isThenable, toPromise } from '../base/thenable.ts';

/**
 * Pages of other origins that may connect: `'*'` for all, a list of origins, or a function that gets the origin and
 * returns whether it is allowed, possibly as a promise. Entries of a list are origins such as `https://app.example.com`.
 * `https://*.example.com` stands for all subdomains, and `http://localhost:*` for all ports.
 */
export type AllowedOrigins =
  | '*'
  | readonly string[]
  | ((origin: string) => boolean | PromiseLike<boolean>);

/** The part of a request that the guard reads. */
export interface OriginHeaders {
  /** Returns the value of a header. @param name in lower case */
  header(name: string): string | undefined;
}

/** Result of the origin check. */
export interface Verdict {
  /** Undefined if the `allowedOrigins` function has to decide. */
  readonly allowed: boolean | undefined;
  /** Origin of the page, or undefined if its browser hides it. */
  readonly origin: string | undefined;
}

const ADMITTED: Verdict = { allowed: true, origin: undefined };
const DEFAULT_PORTS = new Map([
  ['http:', '80'],
  ['https:', '443'],
]);

interface OriginParts {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
}

/** Scheme, host and port. The host is a name, an IPv4 address, or an IPv6 address in brackets. */
const ORIGIN = /^([a-z][a-z0-9+.-]*:)\/\/(\[[\da-f:.]+\]|[^\s,:/?#@[\\\]]*)(?::(\d{1,5}))?$/;

/** Parses an origin, and converts it to lower case. A missing port is the default port of the scheme. */
function parseOrigin(origin: string): OriginParts | undefined {
  const match = ORIGIN.exec(origin.toLowerCase());
  if (match === null) return undefined;
  const [, scheme = '', host = '', port = DEFAULT_PORTS.get(scheme) ?? ''] = match;
  return { scheme, host, port };
}

/**
 * Compares without the scheme, since a proxy may have terminated TLS. Pages of other schemes than `http:` and `https:`
 * come from no host.
 */
function isSameHost(from: OriginParts | undefined, host = ''): boolean {
  if (from === undefined || from.host === '') return false;
  const defaultPort = DEFAULT_PORTS.get(from.scheme);
  if (defaultPort === undefined) return false;
  const lower = host.toLowerCase();
  return (
    lower === `${from.host}:${from.port}` || (lower === from.host && from.port === defaultPort)
  );
}

const ANY_PORT = ':*';

function matchesEntry(entry: string, origin: string): boolean {
  if (entry === origin) return true;
  const hasAnyPort = entry.endsWith(ANY_PORT);
  const allowed = parseOrigin(hasAnyPort ? entry.slice(0, -ANY_PORT.length) : entry);
  const from = parseOrigin(origin);
  if (allowed === undefined || from === undefined) return false;
  if (allowed.scheme !== from.scheme) return false;
  if (!hasAnyPort && allowed.port !== from.port) return false;
  if (!allowed.host.startsWith('*.')) return allowed.host === from.host;
  const parent = allowed.host.slice(1);
  return from.host.endsWith(parent) && from.host.length > parent.length;
}

function originOfReferer(referer: string | undefined): string | undefined {
  const match = /^(https?:\/\/[^/?#@]+)(?:[/?#]|$)/i.exec(referer ?? '');
  return match?.[1];
}

/** Returns the origin of the page that sent a request, or undefined if its browser hides it. */
export function originOfPage(request: OriginHeaders): string | undefined {
  return request.header('origin') ?? originOfReferer(request.header('referer'));
}

export class OriginGuard {
  readonly #allowed: AllowedOrigins;

  constructor(allowed: AllowedOrigins) {
    this.#allowed = allowed;
  }

  /** @param host host that the client addressed, as forwarded by trusted proxies */
  judge(request: OriginHeaders, host: string | undefined): Verdict {
    if (this.#allowed === '*') return ADMITTED;
    const site = request.header('sec-fetch-site');
    const isUserNavigation = site === 'none' && request.header('origin') === undefined;
    if (site === 'same-origin' || isUserNavigation) return ADMITTED;
    const origin = originOfPage(request);
    if (origin === undefined) return site === undefined ? ADMITTED : { allowed: false, origin };
    const parts = parseOrigin(origin);
    if (isSameHost(parts, host)) return ADMITTED;
    // Browsers send one valid origin, or `null`. The function does not have to expect anything else.
    const isFromHeader = origin === request.header('origin');
    if (isFromHeader && parts === undefined && origin !== 'null') return { allowed: false, origin };
    if (typeof this.#allowed === 'function') return { allowed: undefined, origin };
    return { allowed: this.#allowed.some((entry) => matchesEntry(entry, origin)), origin };
  }

  /** Calls the `allowedOrigins` function. Only `true`, or a promise of it, allows the origin. */
  evaluate(origin: string): boolean | Promise<boolean> {
    if (typeof this.#allowed !== 'function') return false;
    const result: unknown = this.#allowed(origin);
    if (!isThenable(result)) return result === true;
    return toPromise(result).then((value) => value === true);
  }
}

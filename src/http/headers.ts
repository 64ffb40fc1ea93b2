/** Header policies of the route table: caching, CORS, the load balancer's cookie. PROTOCOL.md, "Headers". */
import type { Exchange, HeaderList } from './exchange.ts';

const YEAR_SECONDS = 31_536_000;

export const PLAIN_TEXT = 'text/plain; charset=UTF-8';
export const JAVASCRIPT = 'application/javascript; charset=UTF-8';
export const HTML = 'text/html; charset=UTF-8';
export const JSON_TYPE = 'application/json; charset=UTF-8';

export function addNoCache(headers: HeaderList): void {
  headers.push('Cache-Control', 'no-store, no-cache, no-transform, must-revalidate, max-age=0');
}

/** Lets caches keep the response, but revalidate it each time. */
export function addRevalidation(headers: HeaderList): void {
  headers.push('Cache-Control', 'no-cache');
}

export function addYearCache(headers: HeaderList): void {
  const expires = new Date(Date.now() + YEAR_SECONDS * 1000).toUTCString();
  headers.push('Cache-Control', `public, max-age=${YEAR_SECONDS}`, 'Expires', expires);
}

// RFC 9110 tokens, commas and spaces. Other values are not echoed.
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~, -]+$/;

/** Adds the CORS headers. They may echo the origin, since the origin guard has admitted it. */
export function addCors(headers: HeaderList, exchange: Exchange): void {
  const origin = exchange.header('origin');
  if (origin === undefined) {
    headers.push('Access-Control-Allow-Origin', '*');
  } else {
    headers.push('Access-Control-Allow-Origin', origin);
    headers.push('Access-Control-Allow-Credentials', 'true', 'Vary', 'Origin');
  }
  const requested = exchange.header('access-control-request-headers');
  if (requested !== undefined && HEADER_NAMES.test(requested)) {
    headers.push('Access-Control-Allow-Headers', requested);
  }
}

export function addPreflight(headers: HeaderList, methods: string): void {
  addYearCache(headers);
  headers.push('Access-Control-Max-Age', String(YEAR_SECONDS));
  headers.push('Access-Control-Allow-Methods', methods);
}

// Characters and length that load balancers write. Other values are not echoed.
const SESSION_COOKIE = /(?:^|;\s*)JSESSIONID="?([\w.:~+/=!-]{1,256})"?\s*(?:;|$)/;

/**
 * Echoes the cookie by which a load balancer finds the client's node. On an encrypted connection browsers send it in
 * cross-site requests too. That is safe, because it identifies only the node.
 */
export function addSessionCookie(headers: HeaderList, exchange: Exchange, secure: boolean): void {
  const value = SESSION_COOKIE.exec(exchange.header('cookie') ?? '')?.[1] ?? 'dummy';
  const attributes = secure ? 'path=/; Secure; SameSite=None' : 'path=/';
  headers.push('Set-Cookie', `JSESSIONID=${value}; ${attributes}`);
}

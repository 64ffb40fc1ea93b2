/**
 * The header policies that the table of routes names: caching, CORS, the load balancer's cookie.
 * PROTOCOL "Headers".
 */
import type { Exchange, HeaderList } from './exchange.ts';

const YEAR = 31_536_000;

export const PLAIN_TEXT = 'text/plain; charset=UTF-8';
export const JAVASCRIPT = 'application/javascript; charset=UTF-8';
export const HTML = 'text/html; charset=UTF-8';
export const JSON_TYPE = 'application/json; charset=UTF-8';

export function neverCached(headers: HeaderList): void {
  headers.push('Cache-Control', 'no-store, no-cache, no-transform, must-revalidate, max-age=0');
}

export function cachedForAYear(headers: HeaderList): void {
  const expires = new Date(Date.now() + YEAR * 1000).toUTCString();
  headers.push('Cache-Control', `public, max-age=${YEAR}`, 'Expires', expires);
}

// What a list of header names can hold (RFC 9110 tokens, commas, blanks); anything else is not echoed.
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~, -]+$/;

/** The guard has let the origin pass, so it may be told to the browser. */
export function crossOrigin(headers: HeaderList, exchange: Exchange): void {
  const origin = exchange.header('origin');
  if (origin === undefined) {
    headers.push('Access-Control-Allow-Origin', '*');
  } else {
    headers.push('Access-Control-Allow-Origin', origin);
    headers.push('Access-Control-Allow-Credentials', 'true', 'Vary', 'Origin');
  }
  const asked = exchange.header('access-control-request-headers');
  if (asked !== undefined && HEADER_NAMES.test(asked)) {
    headers.push('Access-Control-Allow-Headers', asked);
  }
}

export function preflight(headers: HeaderList, methods: string): void {
  cachedForAYear(headers);
  headers.push('Access-Control-Max-Age', String(YEAR), 'Access-Control-Allow-Methods', methods);
}

// RFC 6265 cookie-octets, and no longer than any balancer makes them: nothing else is sent back.
const COOKIE = /(?:^|;\s*)JSESSIONID="?([\w!#$%&'()*+./:<=>?@[\]^`{|}~-]{1,256})"?\s*(?:;|$)/;

/**
 * Sends back the cookie by which a load balancer finds the node of this client. Where the connection is
 * encrypted it may go with requests from other sites too: it says nothing but where to go.
 */
export function stickyCookie(headers: HeaderList, exchange: Exchange, secure: boolean): void {
  const value = COOKIE.exec(exchange.header('cookie') ?? '')?.[1] ?? 'dummy';
  const attributes = secure ? 'path=/; Secure; SameSite=None' : 'path=/';
  headers.push('Set-Cookie', `JSESSIONID=${value}; ${attributes}`);
}

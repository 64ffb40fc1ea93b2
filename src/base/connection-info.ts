import { parse as parseCookies } from 'cookie';
import { decodePercent, parseFields } from './url-encoded.ts';

/** Parts of a request that `ConnectionInfo` keeps. */
export interface RequestHead {
  /** Client address without port, as seen through trusted proxies. */
  readonly address: string;
  /** Path as received, without query and session id. */
  readonly path: string;
  /** Query without `?`, as received. */
  readonly query: string;
  /** Alternating names and values, as received. */
  readonly rawHeaders: readonly string[];
  /** Whether the client's connection is encrypted. */
  readonly secure: boolean;
}

/** Separates names and values in a flat text. No part of a request head contains it. */
const SEPARATOR = '\n';

type Values = Readonly<Record<string, string>>;

/** Parts of a request that a handler has read. */
interface ParsedHead {
  headers?: Values;
  cookies?: Values;
  fields?: URLSearchParams;
}

/** Copies a text, which otherwise may be a part of a longer text and keep that in memory. */
function flatten(text: string): string {
  return Buffer.from(text).toString();
}

/** @param flat alternating names and values */
function parseHeaders(flat: string): Values {
  const headers = new Map<string, string>();
  const raw = flat.split(SEPARATOR);
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]?.toLowerCase() ?? '';
    const value = raw[index + 1] ?? '';
    const previous = headers.get(name);
    const separator = name === 'cookie' ? '; ' : ', ';
    headers.set(name, previous === undefined ? value : previous + separator + value);
  }
  return Object.freeze(Object.fromEntries(headers));
}

function parseCookieHeader(header: string): Values {
  const cookies = Object.entries(parseCookies(header, { decode: decodePercent }));
  return Object.freeze(
    Object.fromEntries(
      cookies.filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  );
}

/**
 * The request that opened a session. Headers, cookies and query are parsed at the first access. Only their text is
 * kept, so that the request itself can be freed. The headers are one flat text: as separate texts, a thousand short
 * headers take four times the memory.
 */
export class ConnectionInfo {
  readonly #address: string;
  readonly #path: string;
  readonly #query: string;
  /** Alternating names and values, as received. */
  readonly #headers: string;
  readonly #secure: boolean;
  /** Weak, since the parsed head of a hostile request takes five times the memory of its text. */
  #parsed: WeakRef<ParsedHead> | undefined;

  constructor({ address, path, query, rawHeaders, secure }: RequestHead) {
    this.#address = flatten(address);
    this.#path = path;
    this.#query = query;
    this.#headers = rawHeaders.join(SEPARATOR);
    this.#secure = secure;
  }

  /** Client address without port. Behind `trustedProxies`, the address that they forward. */
  get ip(): string {
    return this.#address;
  }

  /** Path of the request up to the session id, which is secret. */
  get path(): string {
    return this.#path;
  }

  /** Whether the client's connection is encrypted. Behind `trustedProxies`, the scheme that they forward. */
  get secure(): boolean {
    return this.#secure;
  }

  /** Headers by lower-case name. Values of a repeated header are joined with a comma. */
  get headers(): Readonly<Record<string, string>> {
    return (this.#memo.headers ??= parseHeaders(this.#headers));
  }

  /** Cookies by name, decoded. */
  get cookies(): Readonly<Record<string, string>> {
    return (this.#memo.cookies ??= parseCookieHeader(this.getHeader('cookie') ?? ''));
  }

  /** Query parameters, decoded. */
  get arguments(): URLSearchParams {
    return new URLSearchParams(this.#fields);
  }

  /** Returns a query parameter, decoded, or undefined. Of a repeated parameter, the first value. */
  getArgument(name: string): string | undefined {
    return this.#fields.get(name) ?? undefined;
  }

  /** Returns the value of a cookie, decoded, or undefined. */
  getCookie(name: string): string | undefined {
    const { cookies } = this;
    return Object.hasOwn(cookies, name) ? cookies[name] : undefined;
  }

  /** Returns the value of a header, or undefined. The name is case-insensitive. */
  getHeader(name: string): string | undefined {
    const { headers } = this;
    const key = name.toLowerCase();
    return Object.hasOwn(headers, key) ? headers[key] : undefined;
  }

  get #fields(): URLSearchParams {
    return (this.#memo.fields ??= parseFields(this.#query));
  }

  get #memo(): ParsedHead {
    const known = this.#parsed?.deref();
    if (known !== undefined) return known;
    const parsed: ParsedHead = {};
    this.#parsed = new WeakRef(parsed);
    return parsed;
  }
}

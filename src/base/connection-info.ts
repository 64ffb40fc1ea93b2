/**
 * What an application may know of the request that opened its session. It is taken apart only when
 * asked, and keeps nothing of the request but text.
 */
import { parse as parseCookies } from 'cookie';

/** The parts of a request that `ConnectionInfo` is made from. */
export interface RequestHead {
  /** The client's address, without port, as seen through trusted proxies. */
  readonly address: string;
  /** The path without the query, as it came, with the session id left out. */
  readonly path: string;
  /** What follows `?`, as it came. */
  readonly query: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Whether the client's own connection is encrypted. */
  readonly secure: boolean;
}

/** The request that opened a session. */
export class ConnectionInfo {
  readonly #head: RequestHead;

  constructor(head: RequestHead) {
    this.#head = head;
  }

  /** The client's address, without port; through `trustedProxies` the one that they name. */
  get ip(): string {
    return this.#head.address;
  }

  /** The path of the request up to the session id, which stays secret. */
  get path(): string {
    return this.#head.path;
  }

  /** Whether the client's connection is encrypted, as far as server and trusted proxies can tell. */
  get secure(): boolean {
    return this.#head.secure;
  }

  /** All headers by lower-case name; values of a repeated header are joined with a comma. */
  get headers(): Readonly<Record<string, string>> {
    const headers = new Map<string, string>();
    const raw = this.#head.rawHeaders;
    for (let index = 0; index + 1 < raw.length; index += 2) {
      const name = raw[index]?.toLowerCase() ?? '';
      const value = raw[index + 1] ?? '';
      const before = headers.get(name);
      const separator = name === 'cookie' ? '; ' : ', ';
      headers.set(name, before === undefined ? value : before + separator + value);
    }
    return Object.fromEntries(headers);
  }

  /** All cookies by name. */
  get cookies(): Readonly<Record<string, string>> {
    const cookies = Object.entries(parseCookies(this.getHeader('cookie') ?? ''));
    return Object.fromEntries(
      cookies.filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
  }

  /** The query of the request, decoded. */
  get arguments(): URLSearchParams {
    return new URLSearchParams(this.#head.query);
  }

  /** One argument of the query, or undefined. */
  getArgument(name: string): string | undefined {
    return this.arguments.get(name) ?? undefined;
  }

  /** One cookie, or undefined. */
  getCookie(name: string): string | undefined {
    const { cookies } = this;
    return Object.hasOwn(cookies, name) ? cookies[name] : undefined;
  }

  /** One header, by name in any case, or undefined. */
  getHeader(name: string): string | undefined {
    const { headers } = this;
    const key = name.toLowerCase();
    return Object.hasOwn(headers, key) ? headers[key] : undefined;
  }
}

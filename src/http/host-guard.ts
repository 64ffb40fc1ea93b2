/**
 * Protects against DNS rebinding: an attacker lets the name of a page resolve to the address of this server, for example
 * 127.0.0.1. The page then has the same origin as the server, and reaches it in the network of the visitor.
 */
import { isIPv4, isIPv6 } from 'node:net';

/** Names of the server: `'*'` for all, or a list of names such as `app.example.com` and `*.example.com`. */
export type AllowedHosts = '*' | readonly string[];

const LOCAL_NAMES: readonly string[] = ['localhost', '*.localhost'];
const PORT = /:\d*$/;
const FINAL_DOT = /\.$/;

function normalize(name: string): string {
  return name.toLowerCase().replace(FINAL_DOT, '');
}

/** Returns whether a host is an IP address, which no DNS name can stand for. */
function isAddress(host: string): boolean {
  if (host.startsWith('[')) return isIPv6(host.slice(1, -1));
  return isIPv4(host) || isIPv6(host);
}

function matches(entry: string, name: string): boolean {
  if (!entry.startsWith('*.')) return entry === name;
  const parent = entry.slice(1);
  return name.endsWith(parent) && name.length > parent.length;
}

/** Decides whether clients may reach the server under a host name. */
export class HostGuard {
  /** Undefined if all names are allowed. */
  #names: readonly string[] | undefined;

  constructor(allowed: AllowedHosts = '*') {
    this.restrict(allowed);
  }

  /** Allows only these names, addresses and the names of this machine, or with `'*'` all names. */
  restrict(allowed: AllowedHosts): void {
    this.#names = allowed === '*' ? undefined : [...LOCAL_NAMES, ...allowed.map(normalize)];
  }

  /**
   * @param host host that the client addressed, with or without port. A request without it does not come from a browser,
   * and is allowed
   */
  allows(host: string | undefined): boolean {
    if (this.#names === undefined || host === undefined || host === '') return true;
    if (isIPv6(host)) return true;
    const name = normalize(host.replace(PORT, ''));
    return isAddress(name) || this.#names.some((entry) => matches(entry, name));
  }
}

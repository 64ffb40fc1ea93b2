/**
 * Finds the client's address, host and scheme behind proxies. Headers of a proxy are trusted only if `trustedProxies`
 * names it. They are read from the right, since the client may have written everything to the left of the first
 * untrusted address.
 */
import { isIPv4, isIPv6 } from 'node:net';
import proxyAddr from 'proxy-addr';
import { SockJSError } from '../base/errors.ts';

/** The last hop of a request, and the headers that describe the hops before it. */
export interface Hop {
  /** Address of the peer of the connection. */
  readonly remoteAddress: string;
  /** Whether the connection is encrypted. */
  readonly encrypted: boolean;
  /** Returns the value of a header. Values of a repeated header are joined. @param name in lower case */
  header(name: string): string | undefined;
}

export interface ClientAddress {
  /** Without port. An IPv4 address is in dotted notation even on an IPv6 socket. */
  readonly address: string;
  /** Host that the client addressed, with its port if it named one. */
  readonly host: string | undefined;
  /** Whether the client's own connection is encrypted. */
  readonly secure: boolean;
}

type IsTrusted = (address: string) => boolean;

/**
 * Headers that trusted proxies write: `X-Forwarded-For`, `-Host` and `-Proto`, or `Forwarded`. `auto` takes the first
 * ones if a request has `X-Forwarded-For`.
 */
export type ForwardedHeader = 'auto' | 'x-forwarded' | 'forwarded';

/** One element of a forwarding header: what a proxy has written about the hop before it. */
interface ForwardedElement {
  /** Undefined if the element names no address. */
  readonly address: string | undefined;
  readonly host?: string | undefined;
  readonly proto?: string | undefined;
}

/** Limit for the elements of a list that are read. More proxies in a row do not exist. */
const MAX_ELEMENTS = 32;
const MAX_ELEMENT_LENGTH = 1024;

const COMMA = 44;
const QUOTE = 34;
const BACKSLASH = 92;

const MAPPED_IPV4 = '::ffff:';
const ENCLOSING_QUOTES = /^"|"$/g;
// RFC 7239, section 4, but a value without quotes may have any characters, since some proxies omit the quotes of IPv6
// addresses.
const PAIR = /\s*([^\s=;,"]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))\s*(?:;|$)|\s*(?:;|$)/y;
const SECURE_SCHEMES: ReadonlySet<string> = new Set(['https', 'wss']);

/** Removes the zone of an IPv6 address, and converts an IPv4 address in IPv6 notation to dotted notation. */
function normalizeAddress(address: string): string {
  const zone = address.indexOf('%');
  const bare = zone < 0 ? address : address.slice(0, zone);
  const mapped = bare.toLowerCase().startsWith(MAPPED_IPV4) ? bare.slice(MAPPED_IPV4.length) : bare;
  return isIPv4(mapped) ? mapped : bare;
}

/** Parses an address with or without port, such as `1.2.3.4:80` or `"[2001:db8::1]:80"`, or returns undefined. */
function parseAddress(text: string): string | undefined {
  const bare = text.trim().replace(ENCLOSING_QUOTES, '');
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(bare)?.[1];
  const candidate = bracketed ?? (isIPv6(bare) ? bare : bare.replace(/:\d+$/, ''));
  return isIPv4(candidate) || isIPv6(candidate) ? normalizeAddress(candidate) : undefined;
}

/**
 * Returns the index of the comma before an element, outside quoted strings, or -1.
 * @returns undefined if the element is too long
 */
function commaBefore(list: string, end: number): number | undefined {
  let isQuoted = false;
  for (let at = end - 1; at >= 0; at -= 1) {
    if (end - at > MAX_ELEMENT_LENGTH) return undefined;
    const code = list.charCodeAt(at);
    if (code === COMMA && !isQuoted) return at;
    if (code === QUOTE && !(isQuoted && list.charCodeAt(at - 1) === BACKSLASH)) {
      isQuoted = !isQuoted;
    }
  }
  return -1;
}

/** Yields the elements of a list from the right, without empty ones. Ends before an element that is too long. */
function* elementsFromRight(list: string): Generator<string> {
  let end = list.length;
  for (let count = 0; count < MAX_ELEMENTS && end >= 0; count += 1) {
    const comma = commaBefore(list, end);
    if (comma === undefined) return;
    const element = list.slice(comma + 1, end).trim();
    if (element !== '') yield element;
    end = comma;
  }
}

function lastElement(list = ''): string | undefined {
  const [last] = elementsFromRight(list);
  return last;
}

/** Parses an element of RFC 7239, such as `for=1.2.3.4;host=example.com;proto=https`. */
function parseElement(element: string): ForwardedElement {
  const pairs = new Map<string, string>();
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < element.length) {
    const match = PAIR.exec(element);
    if (match === null) return { address: undefined };
    const [, name, quoted, token = ''] = match;
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? token;
    if (name !== undefined && value !== '') pairs.set(name.toLowerCase(), value);
  }
  const address = parseAddress(pairs.get('for') ?? '');
  return { address, host: pairs.get('host'), proto: pairs.get('proto') };
}

/** Parses an item of `X-Forwarded-For`. */
function parseItem(item: string): ForwardedElement {
  return { address: parseAddress(item) };
}

/**
 * Follows the hops from the peer to the first untrusted address. Host and scheme are those that the last trusted proxy
 * on the way has written.
 */
function followHops(
  peer: string,
  list: string,
  parse: (element: string) => ForwardedElement,
  isTrusted: IsTrusted,
): ForwardedElement & { readonly address: string } {
  let address = peer;
  let host: string | undefined;
  let proto: string | undefined;
  for (const text of elementsFromRight(list)) {
    const element = parse(text);
    host = element.host ?? host;
    proto = element.proto ?? proto;
    if (element.address === undefined) break;
    ({ address } = element);
    if (!isTrusted(address)) break;
  }
  return { address, host, proto };
}

/** Reads the client's address from requests, as far as `trustedProxies` allows. */
export class ClientAddressReader {
  readonly #isTrusted: IsTrusted | undefined;
  readonly #header: ForwardedHeader;

  /** @throws SockJSError `ERR_SETTING` if an entry is not an address, a subnet or a known name */
  constructor(trustedProxies: readonly string[], header: ForwardedHeader = 'auto') {
    this.#header = header;
    if (trustedProxies.length === 0) return;
    try {
      const trusts = proxyAddr.compile([...trustedProxies]);
      this.#isTrusted = (address) => trusts(address, 0);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw new SockJSError(
        'ERR_SETTING',
        `trustedProxies must be a list of addresses or subnets: ${detail}.`,
      );
    }
  }

  read(hop: Hop): ClientAddress {
    const peer = normalizeAddress(hop.remoteAddress);
    const isTrusted = this.#isTrusted;
    const host = hop.header('host');
    if (isTrusted === undefined || !isTrusted(peer)) {
      return { address: peer, host, secure: hop.encrypted };
    }
    const forwarded = this.#isStandard(hop)
      ? followHops(peer, hop.header('forwarded') ?? '', parseElement, isTrusted)
      : {
          ...followHops(peer, hop.header('x-forwarded-for') ?? '', parseItem, isTrusted),
          host: lastElement(hop.header('x-forwarded-host')),
          proto: lastElement(hop.header('x-forwarded-proto')),
        };
    const { address, proto } = forwarded;
    return {
      address,
      host: forwarded.host ?? host,
      secure: proto === undefined ? hop.encrypted : SECURE_SCHEMES.has(proto.toLowerCase()),
    };
  }

  /** A proxy that writes one header passes on the other one as the client has sent it, so only one is read. */
  #isStandard(hop: Hop): boolean {
    if (this.#header !== 'auto') return this.#header === 'forwarded';
    return (
      hop.header('forwarded') !== undefined &&
      lastElement(hop.header('x-forwarded-for')) === undefined
    );
  }
}

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

/** Content of one forwarding header. */
interface Forwarded {
  /** An item is undefined if its element names no address. */
  readonly addresses: readonly (string | undefined)[];
  readonly host: string | undefined;
  readonly proto: string | undefined;
}

const MAPPED_IPV4 = '::ffff:';
const ENCLOSING_QUOTES = /^"|"$/g;

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

function lastItem(list: string | undefined): string | undefined {
  const last = list?.split(',').at(-1)?.trim();
  return last === '' ? undefined : last;
}

function parsePair(pair: string): [name: string, value: string] {
  const equals = pair.indexOf('=');
  const name = pair.slice(0, Math.max(equals, 0)).trim().toLowerCase();
  const value = pair.slice(equals + 1).trim();
  return [name, value.replace(ENCLOSING_QUOTES, '')];
}

/** Parses RFC 7239: `for=1.2.3.4;host=example.com;proto=https, for=…` */
function parseForwarded(value: string): Forwarded {
  const elements = value.split(',').map((element) => new Map(element.split(';').map(parsePair)));
  const nearest = elements.at(-1);
  return {
    addresses: elements.map((element) => parseAddress(element.get('for') ?? '')),
    host: nearest?.get('host'),
    proto: nearest?.get('proto'),
  };
}

function parseXForwarded(hop: Hop): Forwarded {
  const list = hop.header('x-forwarded-for');
  return {
    addresses: list === undefined ? [] : list.split(',').map(parseAddress),
    host: lastItem(hop.header('x-forwarded-host')),
    proto: lastItem(hop.header('x-forwarded-proto')),
  };
}

/** Returns the first untrusted address from the right, or the last trusted one before an item without address. */
function firstUntrusted(peer: string, { addresses }: Forwarded, isTrusted: IsTrusted): string {
  let address = peer;
  for (const next of addresses.toReversed()) {
    if (next === undefined) return address;
    address = next;
    if (!isTrusted(next)) return address;
  }
  return address;
}

/** Reads the client's address from requests, as far as `trustedProxies` allows. */
export class ClientAddressReader {
  readonly #isTrusted: IsTrusted | undefined;

  /** @throws SockJSError `ERR_SETTING` if an entry is not an address, a subnet or a known name */
  constructor(trustedProxies: readonly string[]) {
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
    const host = hop.header('host');
    const direct: ClientAddress = { address: peer, host, secure: hop.encrypted };
    const isTrusted = this.#isTrusted;
    if (isTrusted === undefined || !isTrusted(peer)) return direct;
    const standard = hop.header('forwarded');
    const common = hop.header('x-forwarded-for');
    const isStandard = standard !== undefined && common === undefined;
    const claims = isStandard ? parseForwarded(standard) : parseXForwarded(hop);
    const address = firstUntrusted(peer, claims, isTrusted);
    if (standard !== undefined && common !== undefined) {
      // A proxy that writes one header may forward the other one as the client wrote it. If they differ, trust neither.
      const other = firstUntrusted(peer, parseForwarded(standard), isTrusted);
      if (other !== address) return direct;
    }
    return {
      address,
      host: claims.host ?? host,
      secure: claims.proto === undefined ? hop.encrypted : claims.proto.toLowerCase() === 'https',
    };
  }
}

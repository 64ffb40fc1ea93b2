/**
 * Who the client is and which host it meant, through proxies. What a proxy says is believed only of
 * those that `trustedProxies` names, read from the right: everything left of the first untrusted
 * address could have been written by the client itself.
 */
import { isIPv4, isIPv6 } from 'node:net';
import proxyAddr from 'proxy-addr';
import { SockJSError } from '../base/errors.ts';

/** The last leg of a request's way here, and what the headers tell of the way before. */
export interface Hop {
  /** The address at the other end of the connection. */
  readonly remoteAddress: string;
  /** Whether that connection is encrypted. */
  readonly encrypted: boolean;
  /** A request header by its lower-case name; repeated ones are joined. */
  header(name: string): string | undefined;
}

export interface ClientAddress {
  /** Without port; IPv4 in its own notation even on an IPv6 socket. */
  readonly address: string;
  /** The host that the client meant, with its port if one was written. */
  readonly host: string | undefined;
  readonly secure: boolean;
}

const MAPPED_IPV4 = '::ffff:';

function plainAddress(address: string): string {
  const zone = address.indexOf('%');
  const bare = zone < 0 ? address : address.slice(0, zone);
  const mapped = bare.toLowerCase().startsWith(MAPPED_IPV4) ? bare.slice(MAPPED_IPV4.length) : bare;
  return isIPv4(mapped) ? mapped : bare;
}

/** `1.2.3.4:80`, `"[2001:db8::1]:80"` and the like without port; undefined if it is no address. */
function withoutPort(text: string): string | undefined {
  const bare = text.trim().replace(/^"|"$/g, '');
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(bare)?.[1];
  const candidate = bracketed ?? (isIPv6(bare) ? bare : bare.replace(/:\d+$/, ''));
  return isIPv4(candidate) || isIPv6(candidate) ? plainAddress(candidate) : undefined;
}

function lastOf(list: string | undefined): string | undefined {
  const last = list?.split(',').at(-1)?.trim();
  return last === '' ? undefined : last;
}

interface Forwarded {
  readonly addresses: readonly (string | undefined)[];
  readonly host: string | undefined;
  readonly proto: string | undefined;
}

/** RFC 7239: `for=1.2.3.4;host=example.com;proto=https, for=…` */
function readForwarded(value: string): Forwarded {
  const elements = value.split(',').map((element) => {
    const pairs = element.split(';').map((pair): [string, string] => {
      const equals = pair.indexOf('=');
      const name = pair.slice(0, Math.max(equals, 0)).trim().toLowerCase();
      return [
        name,
        pair
          .slice(equals + 1)
          .trim()
          .replace(/^"|"$/g, ''),
      ];
    });
    return new Map(pairs);
  });
  const nearest = elements.at(-1);
  return {
    addresses: elements.map((element) => withoutPort(element.get('for') ?? '')),
    host: nearest?.get('host'),
    proto: nearest?.get('proto'),
  };
}

function readXForwarded(hop: Hop): Forwarded {
  const list = hop.header('x-forwarded-for');
  return {
    addresses: list === undefined ? [] : list.split(',').map(withoutPort),
    host: lastOf(hop.header('x-forwarded-host')),
    proto: lastOf(hop.header('x-forwarded-proto')),
  };
}

/**
 * Reads the client's side of a request.
 * @throws SockJSError `ERR_SETTING` at construction, for a proxy that is no address, subnet or name
 */
export class ClientAddressReader {
  readonly #trusts: ((address: string) => boolean) | undefined;

  constructor(trustedProxies: readonly string[]) {
    if (trustedProxies.length === 0) return;
    try {
      const trusts = proxyAddr.compile([...trustedProxies]);
      this.#trusts = (address) => trusts(address, 0);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw new SockJSError(
        'ERR_SETTING',
        `trustedProxies must be a list of addresses or subnets: ${detail}.`,
      );
    }
  }

  read(hop: Hop): ClientAddress {
    const near = plainAddress(hop.remoteAddress);
    const host = hop.header('host');
    const direct: ClientAddress = { address: near, host, secure: hop.encrypted };
    if (this.#trusts === undefined || !this.#trusts(near)) return direct;
    const standard = hop.header('forwarded');
    const common = hop.header('x-forwarded-for');
    const said =
      standard === undefined || common !== undefined
        ? readXForwarded(hop)
        : readForwarded(standard);
    const address = this.#clientAddress(near, said.addresses, this.#trusts);
    if (standard !== undefined && common !== undefined) {
      // A proxy that writes one of them may pass on the other as the client wrote it: if they do not
      // agree, neither is believed.
      const other = this.#clientAddress(near, readForwarded(standard).addresses, this.#trusts);
      if (other !== address) return direct;
    }
    return {
      address,
      host: said.host ?? host,
      secure: said.proto === undefined ? hop.encrypted : said.proto.toLowerCase() === 'https',
    };
  }

  /** The last trusted address that was named, or the first untrusted one. */
  #clientAddress(
    near: string,
    named: readonly (string | undefined)[],
    trusts: (address: string) => boolean,
  ): string {
    let address = near;
    for (const hop of named.toReversed()) {
      if (hop === undefined) return address;
      address = hop;
      if (!trusts(hop)) return address;
    }
    return address;
  }
}

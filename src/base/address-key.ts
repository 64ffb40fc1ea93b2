/** Groups client addresses, so that limits and session keys treat all addresses of one client alike. */
import { memoizeLast } from './memoize.ts';

const GROUPS = 8;
/** Groups of an IPv6 address that name its /64 network, within which a client may change its address. */
const CLIENT_GROUPS = 4;
/** Groups that name its /48 network, which one client may own as a whole. */
const NETWORK_GROUPS = 3;
/** Groups before the IPv4 address in an IPv4-mapped IPv6 address. */
const MAPPED_PREFIX = '0:0:0:0:0:ffff:';

function toGroups(part: string): string[] {
  return part === '' ? [] : part.split(':');
}

/** Converts an IPv4 address at the end of an IPv6 address to two groups. */
function convertIPv4Suffix(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_match, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}

/** Returns the eight groups of an IPv6 address, without leading zeros. */
function expandIPv6(address: string): string[] {
  const [left = '', right] = convertIPv4Suffix(address.toLowerCase()).split('::');
  const head = toGroups(left);
  const tail = toGroups(right ?? '');
  const gap = right === undefined ? 0 : Math.max(0, GROUPS - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: gap }, () => '0'), ...tail];
  return groups.map((group) => group.replace(/^0+(?=.)/, ''));
}

function toIPv4(groups: readonly string[]): string {
  const bytes = groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
  return bytes.join('.');
}

function computeKeys(address: string): readonly string[] {
  if (!address.includes(':')) return address === '' ? [] : [address];
  const groups = expandIPv6(address);
  const whole = groups.join(':');
  if (whole.startsWith(MAPPED_PREFIX)) return [toIPv4(groups.slice(-2))];
  const client = groups.slice(0, CLIENT_GROUPS);
  if (client.every((group) => group === '0')) return [whole];
  return [client.join(':'), `${client.slice(0, NETWORK_GROUPS).join(':')}::/48`];
}

/**
 * Returns the keys of the client and of its network, under which limits per address count.
 *
 * - IPv4, also written as IPv6: the address.
 * - IPv6: the /64 network, then the /48 network. If the /64 is all zeros, as in `::1`, the address only.
 * - '', a client without an address, as on a UNIX socket: none, since all such clients would share it.
 */
export const addressKeys: (address: string) => readonly string[] = memoizeLast(computeKeys);

/** Returns the key that two requests of one client share: the first one of `addressKeys`, or ''. */
export function addressKey(address: string): string {
  return addressKeys(address)[0] ?? '';
}

/**
 * Returns the limit for a /48 network: a quarter of the limit for all clients, but at least twice the limit for one
 * address, so that one /64 network cannot lock out the others.
 */
export function networkLimit(maxPerAddress: number, maxTotal: number): number {
  return Math.max(2 * maxPerAddress, Math.floor(maxTotal / 4));
}

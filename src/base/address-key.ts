/** Groups client addresses, so that limits and session keys treat all addresses of one client alike. */

const GROUPS = 8;
/** Groups of an IPv6 address that name its /64 network, within which a client may change its address. */
const NETWORK_GROUPS = 4;

function expandIPv6(address: string): string[] {
  const [left = '', right] = address.split('::');
  const head = left === '' ? [] : left.split(':');
  if (right === undefined) return head;
  const tail = right === '' ? [] : right.split(':');
  const gap = Math.max(0, GROUPS - head.length - tail.length);
  return [...head, ...Array.from({ length: gap }, () => '0'), ...tail];
}

/**
 * Returns the key that two requests of one client share: the IPv4 address, or the /64 network of an IPv6 address.
 * If that network is all zeros, as in IPv4 addresses written as IPv6, the key is the whole address.
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const groups = expandIPv6(address.toLowerCase()).map((group) => group.replace(/^0+(?=.)/, ''));
  const network = groups.slice(0, NETWORK_GROUPS);
  return (network.every((group) => group === '0') ? groups : network).join(':');
}

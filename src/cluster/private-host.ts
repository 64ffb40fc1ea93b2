import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { SockJSError } from '../base/errors.ts';

/** Private addresses: RFC 1918, RFC 6598 (carriers and overlay networks), and RFC 4193 (IPv6). */
const PRIVATE_IPV4 =
  /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/;
const PRIVATE_IPV6 = /^f[cd]/i;

/**
 * Returns the private address of this machine: the one of IPv4, or without one that of IPv6.
 * @throws SockJSError `ERR_SETTING` if there is none, or several
 */
export function findPrivateHost(
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces(),
): string {
  const addresses = Object.values(interfaces)
    .flatMap((infos) => infos ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address);
  const ipv4 = addresses.filter((address) => PRIVATE_IPV4.test(address));
  const found = ipv4.length > 0 ? ipv4 : addresses.filter((address) => PRIVATE_IPV6.test(address));
  const [host] = found;
  if (host !== undefined && found.length === 1) return host;
  const all = addresses.length === 0 ? 'none' : addresses.join(', ');
  throw new SockJSError(
    'ERR_SETTING',
    'Set listen.host of createCluster to the private address at which the other nodes reach this machine. ' +
      `It has the addresses: ${all}.`,
  );
}

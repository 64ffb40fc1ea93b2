/** Options of `createCluster`, their checks, and the address of the private listener. */
import { networkInterfaces } from 'node:os';
import type { NetworkInterfaceInfo } from 'node:os';
import { closestName } from '../base/closest-name.ts';
import { describeType, describeValue } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';
import type { SockJSLogger } from '../base/logging.ts';
import type { Backplane } from '../backplane/backplane.ts';

/** Options of `createCluster`. */
export interface ClusterOptions {
  /**
   * State that the nodes share: `redisBackplane(client)`, `natsBackplane(connection)`, `ipcBackplane()` or
   * `memoryBackplane(hub)`. No other node uses the same object.
   */
  readonly backplane: Backplane;
  /**
   * Address of the private listener, on which this node receives the requests that other nodes relay. Only the other
   * nodes should be able to reach it. `port`: default any free one. `host`: default the one private address of this
   * machine.
   */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /** Address under which other nodes reach the listener, if it differs: behind NAT or in a container. */
  readonly advertise?: { readonly host?: string; readonly port?: number };
  /** Prefix of all keys and topics, which separates clusters that share a backplane. Default: 'sockjs'. */
  readonly namespace?: string;
  /** Default: the console, which shows warnings and errors. */
  readonly logger?: SockJSLogger;
}

const OPTION_NAMES = ['backplane', 'listen', 'advertise', 'namespace', 'logger'] as const;
const ADDRESS_NAMES = ['host', 'port'] as const;

const MAX_PORT = 65_535;
/** Characters that the keys and topics of every engine may contain. */
const NAMESPACE = /^[\w-]{1,64}$/;

/** Addresses of all interfaces, to which no other node can connect. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::', '0:0:0:0:0:0:0:0']);

function invalid(text: string): SockJSError {
  return new SockJSError('ERR_SETTING', text);
}

function checkNames(value: object, known: readonly string[], path: string): void {
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const closest = closestName(name, known);
    const advice = closest === undefined ? `Use: ${known.join(', ')}` : `Did you mean ${closest}`;
    const mark = closest === undefined ? '.' : '?';
    throw invalid(`createCluster has no option ${path}${name}. ${advice}${mark}`);
  }
}

function checkAddress(name: 'advertise' | 'listen', address: unknown): void {
  if (address === undefined) return;
  if (typeof address !== 'object' || address === null)
    throw invalid(`${name} must be { host, port }, not ${describeValue(address)}.`);
  checkNames(address, ADDRESS_NAMES, `${name}.`);
  const [host, port] = ADDRESS_NAMES.map((part): unknown => Reflect.get(address, part));
  if (host !== undefined && (typeof host !== 'string' || !/^[^\s[\]/]+$/.test(host))) {
    throw invalid(
      `${name}.host must be an address or a host name, without port and brackets, not ${describeValue(host)}.`,
    );
  }
  const isPort = Number.isInteger(port) && Number(port) >= 0 && Number(port) <= MAX_PORT;
  if (port !== undefined && !isPort)
    throw invalid(
      `${name}.port must be a number from 0 to ${MAX_PORT}, not ${describeValue(port)}.`,
    );
}

/** @throws SockJSError `ERR_SETTING` for an unknown or invalid option */
export function checkOptions(options: ClusterOptions): void {
  if (typeof options !== 'object' || options === null)
    throw invalid(`The options of createCluster must be an object, not ${describeValue(options)}.`);
  checkNames(options, OPTION_NAMES, '');
  const { backplane, listen, advertise, namespace }: Partial<ClusterOptions> = options;
  if (typeof backplane?.join !== 'function') {
    // A value in its place, such as a URL, may contain a password.
    throw invalid(
      `backplane must be a backplane such as redisBackplane(client), not ${describeType(backplane)}.`,
    );
  }
  checkAddress('listen', listen);
  checkAddress('advertise', advertise);
  if (namespace !== undefined && !(typeof namespace === 'string' && NAMESPACE.test(namespace))) {
    throw invalid(
      `namespace must be 1 to 64 letters, digits, '_' or '-', not ${describeValue(namespace)}.`,
    );
  }
  if (listen?.host !== undefined && WILDCARDS.has(listen.host) && advertise?.host === undefined) {
    throw invalid(
      `listen.host is ${listen.host}, an address that other nodes cannot connect to. Set it to the private address ` +
        'of this machine, or set advertise.host.',
    );
  }
}

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
  throw invalid(
    'Set listen.host of createCluster to the private address at which the other nodes reach this machine. ' +
      `It has the addresses: ${all}.`,
  );
}

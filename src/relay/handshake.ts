/** Headers between the nodes of a cluster. A node removes them from the requests of clients. */
import { timingSafeEqual } from 'node:crypto';
import type { ClientAddress } from '../../http/client-address.ts';
import type { HeaderList } from '../../http/exchange.ts';

const VERSION = '1';

/** Prefix of all headers below. */
const RELAY_PREFIX = 'sockjs-relay';

/** Version of the protocol and secret of the cluster, in a request. */
export const RELAY_SECRET = RELAY_PREFIX;
/** Name of the owner, in a request. A new process may have the address of one that has ended. */
export const RELAY_OWNER = `${RELAY_PREFIX}-owner`;
/** Scheme, address and host of the client, in a request. */
export const RELAY_CLIENT = `${RELAY_PREFIX}-client`;
/** A `RelayMode`, in a receiving request of a node that shuts down. */
export const RELAY_MODE = `${RELAY_PREFIX}-mode`;
/** A `RelayResult`, in every response to a request with the secret. */
export const RELAY_RESULT = `${RELAY_PREFIX}-result`;

/**
 * `handled`: the response is that of the owner. `owner`: this node is not the owner. `session`: the owner has no such
 * session. `version`: it uses another version of the protocol.
 */
export type RelayResult = 'handled' | 'owner' | 'session' | 'version';

/**
 * `brief`: the owner sends what is queued or a heartbeat, and ends the response. `release`: it does so with the response
 * that it has begun for the session, and the request itself gets an empty response.
 */
export type RelayMode = 'brief' | 'release';

export function parseMode(value: unknown): RelayMode | undefined {
  return value === 'brief' || value === 'release' ? value : undefined;
}

export function formatSecret(secret: string): string {
  return `${VERSION} ${secret}`;
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Checks the secret of a request. A wrong version with the right secret is `version`. */
export function checkSecret(
  value: string | undefined,
  secret: string,
): 'valid' | 'version' | 'wrong' {
  const [version = '', received = ''] = (value ?? '').split(' ');
  if (!isSame(received, secret)) return 'wrong';
  return version === VERSION ? 'valid' : 'version';
}

export function formatClient({ address, host, secure }: ClientAddress): string {
  const client = `${secure ? 'https' : 'http'} ${address}`;
  return host === undefined ? client : `${client} ${host}`;
}

/** Reads the value of `formatClient`. A host may contain spaces. */
export function parseClient(value: string): ClientAddress {
  const [scheme = '', address = '', ...host] = value.split(' ');
  return {
    address,
    host: host.length === 0 ? undefined : host.join(' '),
    secure: scheme === 'https',
  };
}

/** Copies headers without those between nodes, and without the given ones, in lower case. */
export function copyHeaders(
  rawHeaders: readonly string[],
  dropped: ReadonlySet<string>,
): HeaderList {
  const copied: HeaderList = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const lower = name.toLowerCase();
    if (!dropped.has(lower) && !lower.startsWith(RELAY_PREFIX))
      copied.push(name, rawHeaders[index + 1] ?? '');
  }
  return copied;
}

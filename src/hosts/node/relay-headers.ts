/** Headers between the nodes of a cluster. A request of a client never contains them. */
import { timingSafeEqual } from 'node:crypto';

const VERSION = '1';

/** Prefix of all headers below. */
export const RELAY_PREFIX = 'sockjs-relay';

/** Version of the protocol and secret of the cluster, in a request. */
export const RELAY_SECRET = RELAY_PREFIX;
/** Scheme and address of the client, in a request. */
export const RELAY_CLIENT = `${RELAY_PREFIX}-client`;
/** Name of the node for which a request is meant. A new process may have the address of one that has ended. */
export const RELAY_OWNER = `${RELAY_PREFIX}-owner`;
/** Reason that the owner has not handled the request, in a response. */
export const RELAY_REFUSED = `${RELAY_PREFIX}-refused`;

/** Values of `RELAY_REFUSED`. */
export type RelayRefusal = 'owner' | 'session' | 'version';

export interface RelayedClient {
  readonly address: string;
  readonly secure: boolean;
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

export function formatClient({ address, secure }: RelayedClient): string {
  return `${secure ? 'https' : 'http'} ${address}`;
}

export function parseClient(value: string | undefined): RelayedClient {
  const [scheme, address = ''] = (value ?? '').split(' ');
  return { address, secure: scheme === 'https' };
}

/**
 * The upgrade request with which a node opens a link to another one. The secret of the cluster authenticates it. All
 * other requests, and those of other versions, get a response of HTTP.
 */
import { timingSafeEqual } from 'node:crypto';

const VERSION = '2';

/** Name of the protocol in the header `Upgrade`. */
export const RELAY_PROTOCOL = 'sockjs-relay';
/** Version of the protocol and secret of the cluster. */
export const RELAY_SECRET = 'sockjs-relay';
/** Name of the owner. A new process may have the address of one that has ended. */
export const RELAY_OWNER = 'sockjs-relay-owner';
/** A `RelayResult`, in every response to a request with the secret that opens no link. */
export const RELAY_RESULT = 'sockjs-relay-result';

/** `owner`: this node is not the owner. `version`: it uses another version of the protocol. */
export type RelayResult = 'owner' | 'version';

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

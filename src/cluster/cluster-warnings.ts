/** Warnings about other nodes, which are logged once. */
import type { RelayTarget } from '../hosts/node/relay-client.ts';

export const OTHER_VERSION =
  'Another node of the cluster has a version of sockjs-server that this one does not understand. ' +
  'Requests between them get 503. Update all nodes.';

/** @param error reason that the node has not responded */
export function describeUnreachable({ host, port }: RelayTarget, error: Error): string {
  return (
    `A request could not be relayed to the node at ${host}:${port}: ${error.message}. If that node is running, ` +
    'check its options listen and advertise, the firewalls between the nodes, and the namespace.'
  );
}

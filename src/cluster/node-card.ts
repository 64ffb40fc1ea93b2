/** The card of a node: everything that the other nodes read about it. */
import type { NodeId } from '../backplane/backplane.ts';
import type { RelayTarget } from '../hosts/node/relay-client.ts';

export interface NodeCard {
  /** Address of the relay listener. */
  readonly host: string;
  readonly port: number;
}

export function formatCard({ host, port }: NodeCard): string {
  return JSON.stringify({ host, port });
}

/** Reads the card of a node. Returns undefined if another version of the package has written it. */
export function parseCard(node: NodeId, card: string): RelayTarget | undefined {
  try {
    const value: unknown = JSON.parse(card);
    const [host, port] = ['host', 'port'].map((name): unknown => Reflect.get(Object(value), name));
    return typeof host === 'string' && typeof port === 'number' ? { node, host, port } : undefined;
  } catch {
    return undefined;
  }
}

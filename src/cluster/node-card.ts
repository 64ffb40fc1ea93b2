/** The card of a node: everything that the other nodes read about it. */
export interface NodeCard {
  /** Address of the relay listener. */
  readonly host: string;
  readonly port: number;
  /** True once the node opens no more sessions. */
  readonly isDraining: boolean;
  /** Prefixes of its routers. */
  readonly prefixes: readonly string[];
}

export function formatCard({ host, port, isDraining, prefixes }: NodeCard): string {
  return JSON.stringify({ host, port, draining: isDraining, prefixes });
}

function read(card: string): object {
  try {
    const value: unknown = JSON.parse(card);
    return Object(value) as object; // oxlint-disable-line typescript/no-unsafe-type-assertion -- always an object
  } catch {
    return {};
  }
}

/** Reads the card of a node. Returns undefined if another version of the package has written it. */
export function parseCard(card: string): NodeCard | undefined {
  const value = read(card);
  const [host, port, draining, prefixes] = ['host', 'port', 'draining', 'prefixes'].map(
    (name): unknown => Reflect.get(value, name),
  );
  if (typeof host !== 'string' || typeof port !== 'number') return undefined;
  const texts = Array.isArray(prefixes) ? prefixes : [];
  return {
    host,
    port,
    isDraining: draining === true,
    prefixes: texts.filter((prefix): prefix is string => typeof prefix === 'string'),
  };
}

import type { Claim, NodeId } from './backplane.ts';
import type { Engine } from './engine.ts';

/** Claims are renewed when a third of their lifetime has passed. */
const RENEWAL_INTERVAL_MS = 20 * 60 * 1000;

/** Separates the owner from its text for late requests. */
const SEPARATOR = ' ';

/** Returns the value of a record whose owner has released the key. */
export function formatClosing(owner: NodeId, closing: string): string {
  return `${owner}${SEPARATOR}${closing}`;
}

/** Reads the value of a record. */
export function parseClaim(value: string): Claim {
  const end = value.indexOf(SEPARATOR);
  if (end < 0) return { owner: value, closing: undefined };
  return { owner: value.slice(0, end), closing: value.slice(end + 1) };
}

/** Claims of this node, which are renewed until they are released. */
export class ClaimKeeper {
  readonly #engine: Engine;
  readonly #node: NodeId;
  readonly #onLost: (key: string) => void;
  /** Key to the time of its last renewal, the oldest first. */
  readonly #renewals = new Map<string, number>();

  /** @param onLost called with a key that another node has taken over */
  constructor(engine: Engine, node: NodeId, onLost: (key: string) => void) {
    this.#engine = engine;
    this.#node = node;
    this.#onLost = onLost;
  }

  get keys(): Iterable<string> {
    return this.#renewals.keys();
  }

  add(key: string, now: number): void {
    this.#renewals.delete(key);
    this.#renewals.set(key, now);
  }

  /** Returns false if this node has no claim on the key. */
  remove(key: string): boolean {
    return this.#renewals.delete(key);
  }

  /** Renews the claims whose time has come. */
  renew(now: number): Promise<void> {
    const due: string[] = [];
    for (const [key, renewed] of this.#renewals) {
      if (now - renewed < RENEWAL_INTERVAL_MS) break;
      due.push(key);
    }
    return this.#keep(due, now);
  }

  /** Stores all claims again. */
  republish(now: number): Promise<void> {
    return this.#keep([...this.#renewals.keys()], now);
  }

  async #keep(keys: readonly string[], now: number): Promise<void> {
    if (keys.length === 0) return;
    const lost = await this.#engine.keep('claim', new Map(keys.map((key) => [key, this.#node])));
    // A claim may have been released in the meantime.
    for (const key of keys) if (this.#renewals.has(key)) this.add(key, now);
    for (const key of lost) if (this.remove(key)) this.#onLost(key);
  }
}

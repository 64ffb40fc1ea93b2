import type { Claim, NodeId } from './backplane.ts';
import type { Engine } from './engine.ts';
import { inBatches } from './with-deadline.ts';

/** Claims are renewed when a third of their lifetime has passed. */
const RENEWAL_INTERVAL_MS = 20 * 60 * 1000;

/** Renewals of one heartbeat, which must not delay the next one. The others follow then. */
const MAX_RENEWALS = 1000;

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

  /** Renews claims whose time has come. */
  renew(now: number): Promise<void> {
    const due: string[] = [];
    for (const [key, renewed] of this.#renewals) {
      if (now - renewed < RENEWAL_INTERVAL_MS || due.length === MAX_RENEWALS) break;
      due.push(key);
    }
    return inBatches(due, (keys) => this.#keep(keys, now));
  }

  /** Stores all claims again. */
  republish(now: number): Promise<void> {
    return inBatches([...this.#renewals.keys()], (keys) => this.#keep(keys, now));
  }

  async #keep(batch: readonly string[], now: number): Promise<void> {
    // A claim may have been released in the meantime.
    const keys = batch.filter((key) => this.#renewals.has(key));
    const lost = await this.#engine.keep('claim', new Map(keys.map((key) => [key, this.#node])));
    for (const key of keys) if (this.#renewals.has(key)) this.add(key, now);
    for (const key of lost) if (this.remove(key)) this.#onLost(key);
  }
}

/** Requests that wait for an answer of the application, and no more of them than a process can bear. */

/** So many requests of a router may wait for `allowedOrigins`, and as many for `authorize`. */
export const MAX_PENDING_DECISIONS = 1000;

export class PendingDecisions<Asked> {
  readonly #waiting = new Set<Asked>();
  readonly #keys = new Set<string>();

  get isFull(): boolean {
    return this.#waiting.size >= MAX_PENDING_DECISIONS;
  }

  /** Whether one with this key is waiting. */
  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** All that wait. */
  get waiting(): Iterable<Asked> {
    return this.#waiting;
  }

  /** Asks, and keeps count of those that wait for the answer. */
  async wait<Answer>(asked: Asked, ask: () => Promise<Answer>, key?: string): Promise<Answer> {
    this.#waiting.add(asked);
    if (key !== undefined) this.#keys.add(key);
    try {
      return await ask();
    } finally {
      this.#waiting.delete(asked);
      if (key !== undefined) this.#keys.delete(key);
    }
  }
}

/**
 * Map of the entries that were used most recently. It has two generations, and drops the older one when the other is
 * half of the limit. Dropping single entries from the beginning of a large `Map` would be slow: V8 walks over the
 * places of the entries that were deleted before.
 */
export class RecentMap<Key, Value> {
  readonly #maxGeneration: number;
  readonly #onDrop: () => void;
  #recent = new Map<Key, Value>();
  #older = new Map<Key, Value>();

  /** @param onDrop called when entries are dropped */
  constructor(maxEntries: number, onDrop: () => void = () => {}) {
    this.#maxGeneration = Math.floor(maxEntries / 2);
    this.#onDrop = onDrop;
  }

  get(key: Key): Value | undefined {
    const recent = this.#recent.get(key);
    if (recent !== undefined) return recent;
    const value = this.#older.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: Key, value: Value): void {
    if (this.#recent.size >= this.#maxGeneration && !this.#recent.has(key)) {
      if (this.#older.size > 0) this.#onDrop();
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, value);
  }

  delete(key: Key): void {
    this.#recent.delete(key);
    this.#older.delete(key);
  }
}

import type { NodeId } from '../backplane/backplane.ts';

const MAX_ENTRIES = 100_000;

/** Owners of sessions of other nodes. The entry that was used least recently is dropped when the cache is full. */
export class OwnerCache {
  readonly #owners = new Map<string, NodeId>();

  get(key: string): NodeId | undefined {
    const owner = this.#owners.get(key);
    if (owner !== undefined) this.set(key, owner);
    return owner;
  }

  set(key: string, owner: NodeId): void {
    this.#owners.delete(key);
    this.#owners.set(key, owner);
    if (this.#owners.size <= MAX_ENTRIES) return;
    for (const oldest of this.#owners.keys()) {
      this.#owners.delete(oldest);
      return;
    }
  }

  delete(key: string): void {
    this.#owners.delete(key);
  }
}

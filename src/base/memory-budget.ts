/**
 * Bytes that wait in this process, whatever router they belong to: for clients that do not keep up, and in
 * request bodies that are still coming in. What keeps up is not counted, and costs nothing here.
 */
export class MemoryBudget {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(change: number): void {
    this.#bytes += change;
  }
}

export const PROCESS_MEMORY_BUDGET: MemoryBudget = new MemoryBudget();

/** Counts buffered bytes. Data that is sent without waiting is not counted. */
export class MemoryBudget {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** @param change in bytes, negative when a buffer shrinks */
  add(change: number): void {
    this.#bytes += change;
  }
}

/** Buffered bytes of all routers in this process: data for slow clients, incomplete request bodies and messages. */
export const PROCESS_MEMORY_BUDGET: MemoryBudget = new MemoryBudget();

import { type WaitOptions, within } from './until.ts';

interface Taker<T> {
  resolve(item: T): void;
  reject(error: Error): void;
}

/** A queue of events, in order. `next` waits for an event that has not happened yet. */
export class AsyncQueue<T> {
  readonly #itemName: string;
  readonly #items: T[] = [];
  readonly #takers = new Set<Taker<T>>();
  #ending: Error | undefined;

  /** @param itemName names one item in the error message, such as `a message` */
  constructor(itemName: string) {
    this.#itemName = itemName;
  }

  /** Items that have not been taken. */
  get size(): number {
    return this.#items.length;
  }

  push(item: T): void {
    for (const taker of this.#takers) {
      this.#takers.delete(taker);
      taker.resolve(item);
      return;
    }
    this.#items.push(item);
  }

  /** Ends the queue: `next` throws `error` once all items have been taken. */
  end(error: Error): void {
    this.#ending = error;
    for (const taker of this.#takers) taker.reject(error);
    this.#takers.clear();
  }

  /**
   * Takes the next item.
   * @throws TimeoutError, after which the next call gets an item that is pushed later
   */
  async next(options?: WaitOptions): Promise<T> {
    for (const item of this.#items.splice(0, 1)) return item;
    if (this.#ending !== undefined) throw this.#ending;
    let taker: Taker<T> | undefined;
    const item = new Promise<T>((resolve, reject) => {
      taker = { resolve, reject };
      this.#takers.add(taker);
    });
    try {
      return await within(item, this.#itemName, options);
    } finally {
      if (taker !== undefined) this.#takers.delete(taker);
    }
  }

  /** Takes the next `count` items. */
  async take(count: number, options?: WaitOptions): Promise<T[]> {
    return Promise.all(Array.from({ length: count }, () => this.next(options)));
  }

  /** Takes all queued items, without waiting. */
  drain(): T[] {
    return this.#items.splice(0);
  }
}

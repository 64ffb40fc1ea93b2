import { type WaitOptions, within } from './until.ts';

interface Taker<T> {
  resolve(item: T): void;
  reject(error: Error): void;
}

/** Events in the order in which they happened; `next` waits for one that has not happened yet. */
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

  /** No item follows: `next` throws `error` once the items that are there have been taken. */
  end(error: Error): void {
    this.#ending = error;
    for (const taker of this.#takers) taker.reject(error);
    this.#takers.clear();
  }

  /** @throws TimeoutError, after which an item that is pushed later is left for the next call */
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

  /** The next `count` items. */
  async take(count: number, options?: WaitOptions): Promise<T[]> {
    return Promise.all(Array.from({ length: count }, () => this.next(options)));
  }

  /** Takes all items that are there, without waiting. */
  drain(): T[] {
    return this.#items.splice(0);
  }
}

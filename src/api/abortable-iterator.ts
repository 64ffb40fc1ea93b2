/** What `sendAll` sends, item by item for as long as somebody is there to get it. */

export type MessageSource<T> = AsyncIterable<T> | Iterable<T>;

const DONE = { done: true, value: undefined } as const;

function ignore(): void {}

/** All that a source gives until `end` is called: then also a source that is silent is let go, and told to stop. */
export class AbortableIterator<T> implements AsyncIterableIterator<T, void> {
  readonly #source: MessageSource<T>;
  readonly #iterator: AsyncIterator<T> | Iterator<T>;
  #isOver = false;
  #letGo: () => void = ignore;

  constructor(source: MessageSource<T>) {
    this.#source = source;
    this.#iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T, void>> {
    if (this.#isOver) return DONE;
    return new Promise((resolve, reject) => {
      this.#letGo = () => resolve(DONE);
      Promise.resolve(this.#iterator.next()).then(resolve, reject);
    });
  }

  async return(): Promise<IteratorResult<T, void>> {
    await this.#iterator.return?.();
    return DONE;
  }

  end(): void {
    this.#isOver = true;
    this.#letGo();
    this.return().catch(ignore);
    // A stream that waits for something hears of nothing else.
    const destroy: unknown = Reflect.get(this.#source, 'destroy');
    if (typeof destroy === 'function') Reflect.apply(destroy, this.#source, []);
  }
}

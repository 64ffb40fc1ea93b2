/** A source of messages for `sendAll`. */
export type MessageSource<T> = AsyncIterable<T> | Iterable<T>;

const DONE = { done: true, value: undefined } as const;

function ignore(): void {}

/**
 * Returns whether a source is a stream of Node or of the package `readable-stream`. Other objects with a method
 * `destroy`, such as a pool or a store, belong to the application.
 */
function isStream(source: object): source is { destroy(): void } {
  return ['destroy', 'on', 'pipe'].every((name) => typeof Reflect.get(source, name) === 'function');
}

/** Iterates over a source until it ends or `abort` is called, even while the source has no next message. */
export class AbortableIterator<T> implements AsyncIterable<T>, AsyncIterator<T, void> {
  readonly #source: MessageSource<T>;
  readonly #iterator: AsyncIterator<T> | Iterator<T>;
  #isAborted = false;
  #resolvePending: () => void = ignore;

  constructor(source: MessageSource<T>) {
    this.#source = source;
    this.#iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T, void>> {
    if (this.#isAborted) return DONE;
    return new Promise((resolve, reject) => {
      this.#resolvePending = () => resolve(DONE);
      Promise.resolve(this.#iterator.next()).then(resolve, reject);
    });
  }

  async return(): Promise<IteratorResult<T, void>> {
    await this.#iterator.return?.();
    return DONE;
  }

  /** Ends the iteration, also of a pending `next()`, and releases the source. */
  abort(): void {
    this.#isAborted = true;
    this.#resolvePending();
    this.return().catch(ignore);
    // A stream that waits for data ignores `return()`.
    if (isStream(this.#source)) this.#source.destroy();
  }
}

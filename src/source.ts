/** What `sendAll` sends, taken one by one for as long as somebody is there to get it. */

export type Source<T> = AsyncIterable<T> | Iterable<T>;

type Results<T> = AsyncIterator<T> | Iterator<T>;

function iteratorOf<T>(source: Source<T>): Results<T> {
  return Symbol.asyncIterator in source
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]();
}

/** A stream that waits hears of nothing else. */
function destroy(source: object): void {
  const method: unknown = Reflect.get(source, 'destroy');
  if (typeof method === 'function') Reflect.apply(method, source, []);
}

function ignore(): void {}

/**
 * All that a source gives until the end comes: also a source that is silent is let go then, and told to stop.
 * @param watchEnd takes who is to be called, and answers how to take that back
 */
export async function* upTo<T>(
  watchEnd: (watcher: () => void) => () => void,
  source: Source<T>,
): AsyncGenerator<T, void, undefined> {
  const iterator = iteratorOf(source);
  let isOver = false;
  let letGo = ignore;
  const unwatch = watchEnd(() => {
    isOver = true;
    letGo();
  });
  try {
    while (!isOver) {
      const result = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
        letGo = () => resolve(undefined);
        Promise.resolve(iterator.next()).then(resolve, reject);
      });
      if (result === undefined) break;
      if (result.done === true) return;
      yield result.value;
    }
    destroy(source);
  } finally {
    unwatch();
    // Not awaited: a generator that waits for something goes only once it has come.
    void Promise.resolve(iterator.return?.()).catch(ignore);
  }
}

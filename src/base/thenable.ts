/**
 * Returns whether a value is a promise, or an object of another realm or library with a `then` method. A value whose
 * `then` throws when it is read counts too, so that the error becomes a rejection.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
  try {
    return typeof Reflect.get(value, 'then') === 'function';
  } catch {
    return true;
  }
}

/**
 * Adopts a thenable. Unlike `Promise.resolve`, it never throws: an error of `then`, or of a `constructor` that cannot
 * be read, rejects the promise.
 */
export function toPromise<Value>(thenable: PromiseLike<Value>): Promise<Value> {
  return new Promise((resolve) => resolve(thenable));
}

function ignore(): void {}

/** Handles the rejection of a promise that nothing awaits: it would end the process. */
export function ignoreRejection(value: unknown): void {
  if (isThenable(value)) toPromise(value).catch(ignore);
}

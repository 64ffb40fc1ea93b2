/**
 * Returns whether a value is a promise or behaves like one: also a promise of another realm or library. A value
 * whose `then` cannot be read counts, so that awaiting it rejects instead of throwing here.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
  try {
    return typeof Reflect.get(value, 'then') === 'function';
  } catch {
    return true;
  }
}

/** Waits with a timeout, after which they throw an error that names the awaited event. */

/** Default timeout of every wait in this kit, in milliseconds. Far longer than any response takes. */
export const DEFAULT_TIMEOUT_MS = 10_000;

/** Interval between two checks of a condition, in milliseconds. */
const CHECK_INTERVAL_MS = 2;

// The real timers, in case a test mocks them later: timeouts apply in virtual time too.
const { setTimeout: setRealTimeout, clearTimeout: clearRealTimeout } = globalThis;

export interface WaitOptions {
  /** In milliseconds. `Infinity` waits without a limit. */
  readonly timeout?: number;
}

/** Thrown by every wait of this kit that reaches its timeout. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';

  constructor(awaited: string, timeout: number) {
    super(`Timed out after ${timeout} ms waiting for ${awaited}.`);
  }
}

/**
 * Waits for a promise.
 * @param awaited completes the sentence "Timed out waiting for …"
 * @throws TimeoutError
 */
export async function within<T>(
  promise: PromiseLike<T>,
  awaited: string,
  { timeout = DEFAULT_TIMEOUT_MS }: WaitOptions = {},
): Promise<T> {
  if (timeout === Infinity) return promise;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setRealTimeout(() => reject(new TimeoutError(awaited, timeout)), timeout);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearRealTimeout(timer);
  }
}

type Falsy = false | 0 | '' | null | undefined;

export interface UntilOptions extends WaitOptions {
  /** Describes the latest state, for the error message. */
  readonly state?: () => unknown;
}

/**
 * Waits for a condition without an event, and checks it every 2 ms.
 * @param awaited completes the sentence "Timed out waiting for …"
 * @returns the first truthy value of `condition`
 * @throws TimeoutError, or what `condition` throws
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  awaited: string,
  { timeout = DEFAULT_TIMEOUT_MS, state }: UntilOptions = {},
): Promise<Exclude<T, Falsy>> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<T, Falsy>;
    if (performance.now() > deadline) {
      const suffix = state === undefined ? '' : ` (last state: ${JSON.stringify(state())})`;
      throw new TimeoutError(awaited + suffix, timeout);
    }
    await new Promise<void>((resolve) => {
      setRealTimeout(resolve, CHECK_INTERVAL_MS);
    });
  }
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** Creates a promise that the test settles. */
export function deferred<T = void>(): Deferred<T> {
  let settle: Pick<Deferred<T>, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return {
    promise,
    resolve: (value) => settle?.resolve(value),
    reject: (error) => settle?.reject(error),
  };
}

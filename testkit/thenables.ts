/** Results of application code that are thenables of an unusual kind, each with a failure. */
import { runInNewContext } from 'node:vm';

export const FAILURE = 'a fault of the application';

type Callback = (value: unknown) => void;

/** Creates thenables that fail, one for each way of failing. */
export const FAILING_THENABLES: Readonly<Record<string, () => PromiseLike<never>>> = {
  'a then that throws': () => thenable(() => fail()),
  'a then that cannot be read': () => withGetter('then', fail),
  'a then that can be read once': () => {
    let reads = 0;
    return withGetter('then', () => ((reads += 1) === 1 ? () => {} : fail()));
  },
  'a then that rejects twice, and throws': () =>
    thenable((_resolve, reject) => {
      reject(new Error(FAILURE));
      reject(new Error('twice'));
      throw new Error('later');
    }),
  'a then that rejects later': () =>
    thenable((_resolve, reject) => {
      setImmediate(() => reject(new Error(FAILURE)));
    }),
  'a promise of a thenable whose then throws': () =>
    Promise.resolve().then<never>(() => thenable(() => fail())),
  'a promise whose constructor cannot be read': () =>
    Object.defineProperty(Promise.resolve<never>(NEVER), 'constructor', { get: fail }),
  'a promise of another realm': () =>
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- code of the test itself
    runInNewContext('Promise.reject(new Error(text))', { text: FAILURE }) as Promise<never>,
};

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the value of a promise that counts as rejected
const NEVER = undefined as never;

function fail(): never {
  throw new Error(FAILURE);
}

function thenable(then: (resolve: Callback, reject: Callback) => void): PromiseLike<never> {
  // oxlint-disable-next-line unicorn/no-thenable, typescript/no-unsafe-type-assertion -- the subject of the tests
  return { then } as PromiseLike<never>;
}

function withGetter(name: string, get: () => unknown): PromiseLike<never> {
  return Object.defineProperty(
    thenable(() => {}),
    name,
    { get },
  );
}

/** Tests of `node:test` over a table and over seeds. The only file of the kit that depends on this runner. */
import { type TestContext, test } from 'node:test';
import { SeededRandom } from './random.ts';

/** Defines one test per item. The name of the item precedes the title. */
export function testEach<T extends string | { readonly name: string }>(
  items: readonly T[],
  title: string,
  run: (t: TestContext, item: T) => void | Promise<void>,
): void {
  for (const item of items) {
    test(`${typeof item === 'string' ? item : item.name}: ${title}`, async (t) => run(t, item));
  }
}

/**
 * Defines a test that runs with several seeds. The environment variable `TEST_SEED` sets the first seed, which is 1 by
 * default, and `TEST_ROUNDS` the number of seeds. A failure names the seed that reproduces it.
 */
export function testWithSeeds(
  title: string,
  rounds: number,
  run: (random: SeededRandom, t: TestContext) => Promise<void>,
): void {
  test(title, async (t) => {
    const first = Number(process.env['TEST_SEED'] ?? 1);
    const count = Number(process.env['TEST_ROUNDS'] ?? rounds);
    for (let seed = first; seed < first + count; seed += 1) {
      try {
        await run(new SeededRandom(`${seed} ${title}`), t);
      } catch (error) {
        throw new Error(`TEST_SEED=${seed} reproduces this failure`, { cause: error });
      }
    }
  });
}

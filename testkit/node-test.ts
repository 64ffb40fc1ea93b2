/** Tests of `node:test` over a table and over seeds. The only file of the kit that needs this runner. */
import { type TestContext, test } from 'node:test';
import { SeededRandom } from './random.ts';

/** One test per item, with its name in front of the title. */
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
 * A test that repeats with several seeds. In the environment `TEST_SEED` sets the first seed instead of 1,
 * and `TEST_ROUNDS` the number of seeds; a failure names the seed that reproduces it.
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

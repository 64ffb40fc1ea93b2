/**
 * Tests that throw dice. FAULTS_SEED=n begins with that seed instead of 1, and FAULTS_ROUNDS=n runs every
 * test with so many seeds from there on; a failure names the seed with which it can be had again.
 */
import { test } from 'node:test';
import { Dice } from './dice.ts';

const FIRST = Number(process.env['FAULTS_SEED'] ?? 1);
const ROUNDS = process.env['FAULTS_ROUNDS'];

/** @param rounds with so many seeds, unless the environment says otherwise */
export function testRounds(name: string, rounds: number, run: (dice: Dice) => Promise<void>): void {
  test(name, async () => {
    const seeds = Array.from({ length: Number(ROUNDS ?? rounds) }, (_, round) => FIRST + round);
    for (const seed of seeds) {
      try {
        await run(new Dice(`${seed} ${name}`));
      } catch (error) {
        throw new Error(`FAULTS_SEED=${seed} had this fault`, { cause: error });
      }
    }
  });
}

/** Pseudo-random numbers that are reproducible with their seed. */
import { hash } from 'node:crypto';

export class SeededRandom {
  readonly #seed: string;
  #count = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** Returns an independent sequence for one part of a test, whatever the order of the parts. */
  fork(part: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${part}`);
  }

  /** Returns an integer from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    this.#count += 1;
    const digest = hash('sha1', `${this.#seed}#${this.#count}`, 'buffer');
    return min + (digest.readUInt32BE(0) % (max - min + 1));
  }

  /** Returns true in one of `cases` cases. */
  oneIn(cases: number): boolean {
    return this.integer(1, cases) === 1;
  }

  pick<T>(items: readonly [T, ...(readonly T[])]): T {
    return items[this.integer(0, items.length - 1)] ?? items[0];
  }
}

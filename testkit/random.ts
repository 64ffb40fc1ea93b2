/** Pseudo-random numbers that repeat with their seed. */
import { createHash } from 'node:crypto';

export class SeededRandom {
  readonly #seed: string;
  #count = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** An independent sequence for one part of a test, whichever order the parts run in. */
  fork(part: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${part}`);
  }

  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    this.#count += 1;
    const digest = createHash('sha1').update(`${this.#seed}#${this.#count}`).digest();
    return min + (digest.readUInt32BE(0) % (max - min + 1));
  }

  /** True in one of `cases` cases. */
  oneIn(cases: number): boolean {
    return this.integer(1, cases) === 1;
  }

  pick<T>(items: readonly [T, ...(readonly T[])]): T {
    return items[this.integer(0, items.length - 1)] ?? items[0];
  }
}

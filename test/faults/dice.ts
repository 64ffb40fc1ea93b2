/** Random numbers that come again when the seed does. */
import { createHash } from 'node:crypto';

export class Dice {
  readonly #seed: string;
  #count = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** Dice of their own for a part of the whole, whenever and in whatever order the parts are reached. */
  of(part: string): Dice {
    return new Dice(`${this.#seed}/${part}`);
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    this.#count += 1;
    const digest = createHash('sha1').update(`${this.#seed}#${this.#count}`).digest();
    return least + (digest.readUInt32BE(0) % (most - least + 1));
  }

  oneIn(cases: number): boolean {
    return this.between(1, cases) === 1;
  }

  pick<T>(items: readonly [T, ...(readonly T[])]): T {
    return items[this.between(0, items.length - 1)] ?? items[0];
  }
}

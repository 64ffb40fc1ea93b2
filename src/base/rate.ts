const WINDOW_SECONDS = 10;
const MS_PER_SECOND = 1000;

/** Counts events: in total, and per second as a mean over the last 10 complete seconds. */
export class Rate {
  total = 0;
  /** One bucket for each second of the window and one for the current second. */
  readonly #buckets = new Float64Array(WINDOW_SECONDS + 1);
  #second = 0;

  /** @param now in milliseconds */
  add(count: number, now: number): void {
    this.total += count;
    const second = this.#advance(now);
    this.#buckets[second % this.#buckets.length] =
      (this.#buckets[second % this.#buckets.length] ?? 0) + count;
  }

  /**
   * Returns events per second.
   * @param now in milliseconds
   */
  mean(now: number): number {
    const current = this.#advance(now) % this.#buckets.length;
    let sum = 0;
    for (const [index, count] of this.#buckets.entries()) if (index !== current) sum += count;
    return sum / WINDOW_SECONDS;
  }

  /** Clears the buckets of the seconds since the last call, and returns the current second. */
  #advance(now: number): number {
    const second = Math.floor(now / MS_PER_SECOND);
    const stale = Math.min(second - this.#second, this.#buckets.length);
    for (let past = 0; past < stale; past += 1)
      this.#buckets[(second - past) % this.#buckets.length] = 0;
    if (second > this.#second) this.#second = second;
    return second;
  }
}

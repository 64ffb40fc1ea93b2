import { Ticker } from './ticker.ts';

const TICKS_PER_DEADLINE = 4;

/**
 * Calls back once after a time limit, unless it is cleared. Time that the process has lost does not count, see
 * `Ticker`.
 */
export class Deadline {
  readonly #ticker: Ticker;
  readonly #timeout: number;
  #remaining: number;

  /**
   * Starts the time limit.
   * @param timeout in milliseconds
   * @param clock returns the time in milliseconds
   */
  constructor(timeout: number, onPassed: () => void, clock?: () => number) {
    this.#timeout = timeout;
    this.#remaining = timeout;
    const onTick = (counted: number): void => {
      this.#remaining -= counted;
      if (this.#remaining > 0) return;
      this.#ticker.stop();
      onPassed();
    };
    this.#ticker = new Ticker(timeout / TICKS_PER_DEADLINE, onTick, clock);
    this.#ticker.start();
  }

  /** Starts the time limit again. */
  restart(): void {
    this.#remaining = this.#timeout;
    this.#ticker.stop();
    this.#ticker.start();
  }

  clear(): void {
    this.#ticker.stop();
  }
}

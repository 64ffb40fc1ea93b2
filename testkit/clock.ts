type TimerApi = 'setTimeout' | 'setInterval' | 'setImmediate' | 'Date';

/** The part of `t.mock.timers` of `node:test` that the clock uses. */
export interface MockTimers {
  enable(options: { apis: TimerApi[] }): void;
  tick(milliseconds: number): void;
}

export interface ClockOptions {
  readonly apis?: readonly TimerApi[];
  /** Step in which time advances, in milliseconds, so that a timer reads a time close to its due time. */
  readonly step?: number;
}

/** Virtual time: code under test gets `clock.now`, and timers fire when the test advances the clock. */
export class VirtualClock {
  readonly #timers: MockTimers;
  readonly #step: number;
  #now = 0;

  /** @param timers `t.mock.timers`, which restores the real timers at the end of the test */
  constructor(
    timers: MockTimers,
    { apis = ['setInterval', 'setTimeout'], step = 50 }: ClockOptions = {},
  ) {
    this.#timers = timers;
    this.#step = step;
    timers.enable({ apis: [...apis] });
  }

  /** Returns the milliseconds since the clock was created. Bound, so that it can be passed as a function. */
  readonly now = (): number => this.#now;

  /** Advances the time, and fires the timers that become due. */
  advance(milliseconds: number): void {
    for (let left = milliseconds; left > 0; left -= this.#step) {
      const step = Math.min(left, this.#step);
      this.#now += step;
      this.#timers.tick(step);
    }
  }
}

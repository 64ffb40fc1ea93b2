import { nextTurn } from './real-time.ts';

/** Step in which time advances, in milliseconds. A timer that is later than 50 ms counts as one of a blocked process. */
const STEP_MS = 25;
/** Turns of the event loop after each step, so that deadlines act and promises settle. */
const TURNS_PER_STEP = 3;

/** The part of `mock` of `node:test`, and of `t.mock`, that virtual time uses. */
export interface NodeTestMock {
  readonly timers: {
    enable(options: { apis: ('setTimeout' | 'setInterval' | 'Date')[]; now: number }): void;
    tick(milliseconds: number): void;
  };
  method(object: object, name: string, implementation: () => number): unknown;
}

/** Time that passes only when the test lets it. */
export interface VirtualTime {
  /** Lets time pass. Timers fire when they are due. @param milliseconds time to pass, rounded up to 1 ms */
  advance(milliseconds: number): Promise<void>;
}

/**
 * Fakes `setTimeout`, `setInterval`, `Date` and `performance.now` for a test of `node:test`. Call it before the client
 * opens, instead of `mock.timers.enable`. For Vitest and Jest, use their fake timers.
 * @param mock `t.mock`, which restores the timers at the end of the test, or `mock` of `node:test`, whose `reset()` does
 *
 * @example
 * const time = virtualTime(t.mock);
 * const client = await openClient(router);
 * await time.advance(25_000); // heartbeatDelay
 * assert.equal(client.heartbeats, 1);
 */
export function virtualTime(mock: NodeTestMock): VirtualTime {
  const start = performance.now();
  // A sum of whole numbers has no rounding errors.
  let elapsed = 0;
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: Date.now() });
  mock.method(performance, 'now', () => start + elapsed);
  return {
    async advance(milliseconds) {
      for (let left = Math.ceil(milliseconds); left > 0; left -= STEP_MS) {
        const step = Math.min(left, STEP_MS);
        elapsed += step;
        mock.timers.tick(step);
        // oxlint-disable-next-line no-await-in-loop -- one turn after the other
        for (let turn = 0; turn < TURNS_PER_STEP; turn += 1) await nextTurn();
      }
    },
  };
}

/**
 * Timers of the machine, also while a test fakes those of the program. `node:timers` has them even if the test runner
 * has replaced the global functions before this module is loaded, as Jest does.
 */
import {
  clearTimeout as clearRealTimeout,
  setImmediate as setRealImmediate,
  setTimeout as setRealTimeout,
} from 'node:timers';

// Copies, since fake timers may replace the functions of the module.
const startTimer = setRealTimeout;
const stopTimer = clearRealTimeout;
const afterTurn = setRealImmediate;

/** Calls back after a time in milliseconds. Returns a function that prevents it. */
export function startRealTimer(milliseconds: number, onPassed: () => void): () => void {
  const timer = startTimer(onPassed, milliseconds);
  return () => stopTimer(timer);
}

/** Time for which the process is kept for a promise, in milliseconds. */
const MAX_WAIT_MS = 10_000;

/** Keeps the process for a while, since sessions in memory do not. Returns a function that releases it. */
export function keepProcess(): () => void {
  return startRealTimer(MAX_WAIT_MS, () => {});
}

/** Resolves after a turn of the event loop, in which promises have settled and messages have been flushed. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    afterTurn(resolve);
  });
}

/** Calls back in a microtask, which fake timers do not replace. */
export function later(run: () => void): void {
  void Promise.resolve().then(run);
}

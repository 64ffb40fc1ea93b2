/** What is left in this process. */
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** In milliseconds: longer than any delay of the servers. */
const PATIENCE = 15_000;

export function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** Handles, but for that of the watch itself. */
export function resources(): string {
  const all = process.getActiveResourcesInfo().filter((name) => name !== 'IntervalHistogram');
  return all.toSorted().join(' ');
}

/** @returns whether it has come true in time */
export async function waitFor(holds: () => boolean): Promise<boolean> {
  const end = performance.now() + PATIENCE;
  while (!holds()) {
    if (performance.now() > end) return false;
    await delay(20);
  }
  return true;
}

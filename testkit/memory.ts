/** Forced garbage collection, so that only live memory is measured. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  assert.ok(typeof collect === 'function');
  // Buffers are freed on another thread. The second collection waits until the first one has freed them.
  for (const _ of [1, 2]) {
    await nextTurn();
    Reflect.apply(collect, undefined, []);
  }
}

/** Returns the bytes of heap in use after a collection. */
export async function heapUsed(): Promise<number> {
  await collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Counts the handles and requests that keep this process alive, by kind. */
export function activeResources(except: readonly string[] = []): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    if (!except.includes(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** A forced collection, so that what is left in memory is what is held. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

export async function collectGarbage(): Promise<void> {
  assert.ok(typeof collect === 'function');
  // Buffers are freed beside the program: the second collection waits for the first to be through with them.
  for (const _ of [1, 2]) {
    await nextTurn();
    Reflect.apply(collect, undefined, []);
  }
}

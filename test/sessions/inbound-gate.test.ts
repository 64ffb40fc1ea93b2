import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InboundGate } from '../../src/sessions/inbound-gate.ts';
import { deferred } from '../../testkit/until.ts';

const never = new Promise<void>(() => undefined);

/** Runs all microtasks that are due. */
async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Records the results of `pass`. */
function watch(pass: Promise<boolean>): boolean[] {
  const results: boolean[] = [];
  void pass.then((result) => results.push(result));
  return results;
}

test('without a delay input passes at once', async () => {
  const gate = new InboundGate();
  assert.equal(await gate.pass(undefined, () => 0), true);
  assert.equal(gate.isAwaited, false);
});

/** @returns a function that returns these delays one after the other, and then 0 */
function delays(...milliseconds: number[]): () => number {
  return () => milliseconds.shift() ?? 0;
}

test('input waits for onOpen, and then for the rate limit', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const opening = deferred();
  const gate = new InboundGate();
  const results = watch(gate.pass(opening.promise, delays(500)));
  t.mock.timers.tick(1000);
  await settled();
  assert.deepEqual(results, []);
  assert.ok(gate.isAwaited);
  opening.resolve();
  await settled();
  t.mock.timers.tick(499);
  await settled();
  assert.deepEqual(results, []);
  t.mock.timers.tick(1);
  await settled();
  assert.deepEqual(results, [true]);
  assert.equal(gate.isAwaited, false);
});

test('input waits on if the delay of the rate limit has grown meanwhile', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const results = watch(new InboundGate().pass(undefined, delays(5, 500)));
  t.mock.timers.tick(5);
  await settled();
  t.mock.timers.tick(499);
  await settled();
  assert.deepEqual(results, []);
  t.mock.timers.tick(1);
  await settled();
  assert.deepEqual(results, [true]);
});

test('a second call is refused at once while another one waits', async () => {
  const opening = deferred();
  const gate = new InboundGate();
  const first = gate.pass(opening.promise, () => 0);
  assert.equal(await gate.pass(opening.promise, () => 0), false);
  opening.resolve();
  assert.equal(await first, true);
  assert.equal(await gate.pass(undefined, () => 0), true);
});

test('release ends the wait for an onOpen that never settles', async () => {
  const gate = new InboundGate();
  const results = watch(gate.pass(never, () => 60_000));
  await settled();
  assert.deepEqual(results, []);
  gate.release();
  await settled();
  assert.deepEqual(results, [true]);
});

test('release ends the wait for the rate limit, and its timer', async (t) => {
  const cleared: unknown[] = [];
  t.mock.method(globalThis, 'clearTimeout', (timer: unknown) => cleared.push(timer));
  t.mock.method(globalThis, 'setTimeout', () => 'timer');
  const gate = new InboundGate();
  const results = watch(gate.pass(undefined, () => 60_000));
  await settled();
  assert.deepEqual(results, []);
  gate.release();
  await settled();
  assert.deepEqual(results, [true]);
  assert.deepEqual(cleared, ['timer']);
});

test('nothing waits after release', async () => {
  const gate = new InboundGate();
  gate.release();
  assert.equal(await gate.pass(never, () => 60_000), true);
});

test('a delay beyond the range of timers is shortened to it', async (t) => {
  const timeouts: unknown[] = [];
  t.mock.method(globalThis, 'setTimeout', (resolve: () => void, milliseconds: number) => {
    timeouts.push(milliseconds);
    resolve();
  });
  await new InboundGate().pass(undefined, delays(Infinity));
  assert.deepEqual(timeouts, [2 ** 31 - 1]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlushQueue, type Flushable } from '../../src/sessions/flush-queue.ts';

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Sessions that record their flushes. */
function create(immediate: boolean, checksEach = false) {
  const flushes: string[] = [];
  const errors: unknown[] = [];
  let now = 0;
  const queue = new FlushQueue(
    immediate,
    (error) => errors.push(error),
    checksEach,
    () => now,
  );
  const session = (name: string, then: () => void = () => undefined): Flushable => ({
    hasLongQueue: false,
    postpone: () => undefined,
    flush() {
      flushes.push(name);
      then();
    },
  });
  /** A session whose flush takes a time in milliseconds. */
  const slow = (name: string, milliseconds: number): Flushable => ({
    ...session(name, () => {
      now += milliseconds;
    }),
    hasLongQueue: true,
  });
  return { flushes, errors, queue, session, slow };
}

test('sessions are flushed in order after the running callback', async () => {
  const { flushes, queue, session } = create(true);
  queue.add(session('a'));
  queue.add(session('b'));
  assert.deepEqual(flushes, []);
  await Promise.resolve();
  assert.deepEqual(flushes, ['a', 'b']);
});

test('without immediate flush they are flushed after all callbacks of the turn', async () => {
  const { flushes, queue, session } = create(false);
  queue.add(session('a'));
  await Promise.resolve();
  assert.deepEqual(flushes, []);
  await nextTurn();
  assert.deepEqual(flushes, ['a']);
});

test('a session that throws is reported, and the others are flushed', async () => {
  const { flushes, errors, queue, session } = create(true);
  const broken = new Error('broken');
  queue.add(
    session('a', () => {
      throw broken;
    }),
  );
  queue.add(session('b'));
  await Promise.resolve();
  assert.deepEqual(flushes, ['a', 'b']);
  assert.deepEqual(errors, [broken]);
});

test('a session that is added during a flush is flushed next', async () => {
  const { flushes, queue, session } = create(true);
  queue.add(session('a', () => queue.add(session('again'))));
  queue.add(session('b'));
  await Promise.resolve();
  assert.deepEqual(flushes, ['a', 'b']);
  await Promise.resolve();
  assert.deepEqual(flushes, ['a', 'b', 'again']);
});

test('flushes that take longer than a slice yield to the event loop, and continue in order', async () => {
  const { flushes, queue, slow } = create(true);
  for (const name of ['a', 'b', 'c', 'd', 'e']) queue.add(slow(name, 6));
  await Promise.resolve();
  assert.deepEqual(flushes, ['a', 'b']);
  await nextTurn();
  assert.deepEqual(flushes, ['a', 'b', 'c', 'd']);
  await nextTurn();
  assert.deepEqual(flushes, ['a', 'b', 'c', 'd', 'e']);
  await nextTurn();
  assert.equal(flushes.length, 5);
});

test('callbacks of one turn share a slice', async () => {
  const { flushes, queue, slow } = create(true);
  for (const name of ['a', 'b', 'c']) {
    queue.add(slow(name, 6));
    await Promise.resolve();
  }
  assert.deepEqual(flushes, ['a', 'b']);
  await nextTurn();
  assert.deepEqual(flushes, ['a', 'b', 'c']);
});

test('a short flush does not wait for long ones that were postponed', async () => {
  const { flushes, queue, session, slow } = create(true);
  for (const name of ['a', 'b', 'c']) queue.add(slow(name, 10));
  await Promise.resolve();
  queue.add(session('short'));
  await Promise.resolve();
  assert.deepEqual(flushes, ['a', 'short']);
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  assert.deepEqual(flushes, ['a', 'short', 'b', 'c']);
});

test('sessions with little to send come before those with much, in one batch and later', async () => {
  const { flushes, queue, session, slow } = create(true);
  for (const name of ['a', 'b']) queue.add(slow(name, 10));
  queue.add(session('short'));
  await Promise.resolve();
  for (const name of ['short 2', 'short 3']) queue.add(session(name));
  await Promise.resolve();
  assert.deepEqual(flushes, ['short', 'a']);
  await nextTurn();
  assert.deepEqual(flushes, ['short', 'a', 'short 2', 'short 3', 'b']);
});

test('sessions with little to send do not keep others waiting for ever', async () => {
  const { flushes, queue, slow } = create(true);
  queue.add(slow('long', 10));
  for (let turn = 0; turn < 3; turn += 1) {
    for (const name of ['x', 'y']) queue.add({ ...slow(name, 20), hasLongQueue: false });
    await nextTurn();
  }
  assert.ok(flushes.includes('long'));
});

test('a long flush waits behind those that were postponed before', async () => {
  const { flushes, queue, slow } = create(true);
  for (const name of ['a', 'b', 'c']) queue.add(slow(name, 10));
  await Promise.resolve();
  queue.add(slow('d', 1));
  for (let turn = 0; turn < 4; turn += 1) await nextTurn();
  assert.deepEqual(flushes, ['a', 'b', 'c', 'd']);
});

test('a postponed session that throws is reported, and the others are flushed', async () => {
  const { flushes, errors, queue, session, slow } = create(true);
  const broken = new Error('broken');
  const throwing = session('b', () => {
    throw broken;
  });
  for (const next of [slow('a', 10), { ...throwing, hasLongQueue: true }, slow('c', 1)]) {
    queue.add(next);
  }
  for (let turn = 0; turn < 2; turn += 1) await nextTurn();
  assert.deepEqual(flushes, ['a', 'b', 'c']);
  assert.deepEqual(errors, [broken]);
});

test('the clock is read after each flush of a queue whose short flushes may take long', async () => {
  for (const [checksEach, first] of [
    [false, ['a', 'b', 'c', 'd']],
    [true, ['a', 'b']],
  ] as const) {
    const { flushes, queue, slow } = create(true, checksEach);
    for (const name of ['a', 'b', 'c', 'd']) queue.add({ ...slow(name, 6), hasLongQueue: false });
    await Promise.resolve();
    assert.deepEqual(flushes, first);
    await nextTurn();
    assert.deepEqual(flushes, ['a', 'b', 'c', 'd']);
  }
});

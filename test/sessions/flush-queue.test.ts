import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlushQueue, type Flushable } from '../../src/sessions/flush-queue.ts';

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Sessions that record their flushes. */
function create(immediate: boolean) {
  const flushes: string[] = [];
  const errors: unknown[] = [];
  const queue = new FlushQueue(immediate, (error) => errors.push(error));
  const session = (name: string, then: () => void = () => undefined): Flushable => ({
    flush() {
      flushes.push(name);
      then();
    },
  });
  return { flushes, errors, queue, session };
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

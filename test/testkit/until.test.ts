import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { TimeoutError, deferred, until, within } from '../../testkit/until.ts';

const SHORT = { timeout: 20 };

test('until returns the first truthy value', async () => {
  let checks = 0;
  assert.equal(await until(() => (checks += 1) > 2 && `after ${checks}`, 'the third'), 'after 3');
});

test('until awaits an asynchronous condition', async () => {
  let checks = 0;
  assert.ok(await until(async () => (checks += 1) > 1, 'the second'));
});

test('until throws an error with what was awaited and the last state', async () => {
  await assert.rejects(
    until(() => false, 'two sessions', { ...SHORT, state: () => ({ sessions: 1 }) }),
    { name: 'TimeoutError', message: /20 ms waiting for two sessions .*\{"sessions":1\}/ },
  );
});

test('until passes on an error of its condition', async () => {
  const fail = (): never => {
    throw new Error('broken');
  };
  await assert.rejects(until(fail, 'anything'), /broken/);
});

test('within throws an error with what was awaited', async () => {
  await assert.rejects(within(new Promise(() => {}), 'the end', SHORT), /waiting for the end/);
  assert.equal(await within(Promise.resolve(1), 'a number', SHORT), 1);
  await assert.rejects(within(Promise.reject(new Error('no')), 'a number', SHORT), /^Error: no$/);
});

test('waits end in virtual time too', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await assert.rejects(
    until(() => false, 'never', SHORT),
    TimeoutError,
  );
  await assert.rejects(within(new Promise(() => {}), 'never', SHORT), TimeoutError);
});

test('a deferred promise settles when the test says so', async () => {
  const first = deferred<string>();
  first.resolve('done');
  assert.equal(await first.promise, 'done');
  const second = deferred();
  second.reject(new Error('no'));
  await assert.rejects(second.promise, /^Error: no$/);
});

test('a queue gives items in order, whether they come before or after next', async () => {
  const queue = new AsyncQueue<number>('a number');
  queue.push(1);
  queue.push(2);
  const three = queue.take(3);
  queue.push(3);
  assert.deepEqual(await three, [1, 2, 3]);
  assert.equal(queue.size, 0);
});

test('undefined is an item too', async () => {
  const queue = new AsyncQueue<undefined>('anything');
  queue.push(undefined);
  assert.equal(queue.size, 1);
  assert.equal(await queue.next(), undefined);
});

test('after a timeout the next item is left for the next call', async () => {
  const queue = new AsyncQueue<number>('a number');
  await assert.rejects(queue.next(SHORT), /waiting for a number/);
  queue.push(1);
  assert.equal(await queue.next(SHORT), 1);
});

test('a queue that has ended throws its error after the last item', async () => {
  const queue = new AsyncQueue<number>('a number');
  const waiting = queue.take(2);
  queue.push(1);
  queue.end(new Error('closed'));
  await assert.rejects(waiting, /closed/);
  queue.push(2);
  assert.equal(await queue.next(), 2);
  await assert.rejects(queue.next(), /closed/);
});

test('drain takes what is there', () => {
  const queue = new AsyncQueue<number>('a number');
  queue.push(1);
  queue.push(2);
  assert.deepEqual(queue.drain(), [1, 2]);
  assert.equal(queue.size, 0);
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Deadline } from '../../src/base/deadline.ts';
import { VirtualProcess } from '../../testkit/virtual-process.ts';

function startDeadline(t: TestContext, timeout: number) {
  const process = new VirtualProcess(t.mock);
  const passed: number[] = [];
  const deadline = new Deadline(timeout, () => passed.push(process.now()));
  return { process, passed, deadline };
}

test('a deadline passes once, after its timeout', async (t) => {
  const { process, passed } = startDeadline(t, 1000);
  await process.run(999);
  assert.deepEqual(passed, []);
  await process.run(5000);
  assert.deepEqual(passed, [1000]);
  assert.equal(process.timers, 0);
});

test('a deadline that is cleared does not pass', async (t) => {
  const { process, passed, deadline } = startDeadline(t, 1000);
  await process.run(999);
  deadline.clear();
  await process.run(5000);
  assert.deepEqual(passed, []);
  assert.equal(process.timers, 0);
});

test('a deadline that is cleared while sockets are read does not pass', async (t) => {
  const { process, passed, deadline } = startDeadline(t, 1);
  process.stall(1);
  process.fireTimers();
  deadline.clear();
  await process.run(1000);
  assert.deepEqual(passed, []);
});

test('restart gives the whole timeout again', async (t) => {
  const { process, passed, deadline } = startDeadline(t, 1000);
  await process.run(999);
  deadline.restart();
  await process.run(5000);
  assert.deepEqual(passed, [1999]);
});

for (const at of [0, 300, 999]) {
  test(`a stall after ${at} ms does not count`, async (t) => {
    const { process, passed } = startDeadline(t, 1000);
    await process.run(at);
    process.stall(60_000);
    await process.run(999 - at);
    assert.deepEqual(passed, [], 'no earlier than without the stall');
    await process.run(500);
    assert.equal(passed.length, 1, 'and it does pass');
  });
}

test('a deadline passes in a process that is always late', async (t) => {
  const { process, passed } = startDeadline(t, 1000);
  for (let count = 0; count < 10; count += 1) {
    process.stall(5000);
    await process.run(1);
  }
  assert.equal(passed.length, 1);
});

test('a timeout that is not a multiple of the interval does not pass early', async (t) => {
  const { process, passed } = startDeadline(t, 50);
  await process.run(49);
  assert.deepEqual(passed, []);
  await process.run(30);
  assert.equal(passed.length, 1);
});

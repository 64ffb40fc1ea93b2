/** Ticks in virtual time. A test stalls the process by moving the clock without running timers. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Ticker } from '../../src/base/ticker.ts';
import { VirtualProcess } from '../../testkit/virtual-process.ts';

/** A ticker with an interval of 100 ms. `ticks` are pairs of counted and lost milliseconds. */
function startTicker(t: TestContext) {
  const process = new VirtualProcess(t.mock);
  const ticks: (readonly [counted: number, lost: number])[] = [];
  const ticker = new Ticker(100, (counted, lost) => ticks.push([counted, lost]));
  ticker.start();
  return { process, ticks, ticker };
}

test('ticks on time count, and nothing is lost', async (t) => {
  const { process, ticks } = startTicker(t);
  await process.run(300);
  assert.deepEqual(ticks, [
    [100, 0],
    [100, 0],
    [100, 0],
  ]);
});

test('a late tick counts nothing, and all time since the last one is lost', async (t) => {
  const { process, ticks } = startTicker(t);
  await process.run(150);
  process.stall(5000);
  await process.run(100);
  assert.deepEqual(ticks, [
    [100, 0],
    [0, 5050],
    [100, 0],
  ]);
});

test('after a late tick a second one counts one interval', async (t) => {
  const { process, ticks } = startTicker(t);
  for (let count = 0; count < 3; count += 1) {
    process.stall(1000);
    await process.run(1);
  }
  assert.deepEqual(ticks, [
    [0, 1000],
    [100, 901],
    [100, 901],
  ]);
});

test('a tick that is less than 50 ms late counts', async (t) => {
  const { process, ticks } = startTicker(t);
  process.stall(140);
  await process.run(1);
  assert.deepEqual(ticks, [[100, 0]]);
});

test('a tick waits until sockets are read', (t) => {
  const { process, ticks } = startTicker(t);
  process.stall(100);
  process.fireTimers();
  assert.deepEqual(ticks, []);
  process.runImmediates();
  assert.deepEqual(ticks, [], 'a connection may have been accepted, and its request not read');
  process.runImmediates();
  assert.deepEqual(ticks, [[100, 0]]);
});

test('no tick follows stop, also if its timer has fired', async (t) => {
  const { process, ticks, ticker } = startTicker(t);
  process.stall(100);
  process.fireTimers();
  ticker.stop();
  assert.equal(ticker.isRunning, false);
  await process.run(1000);
  assert.deepEqual(ticks, []);
  ticker.start();
  await process.run(100);
  assert.deepEqual(ticks, [[100, 0]]);
});

test('a ticker that does not keep the process has timers without a reference', (t) => {
  const started: NodeJS.Timeout[] = [];
  const { setInterval: setRealInterval } = globalThis;
  t.mock.method(globalThis, 'setInterval', (run: () => void, interval: number) => {
    const timer = setRealInterval(run, interval);
    started.push(timer);
    return timer;
  });
  const ticker = new Ticker(100, () => {});
  ticker.start();
  assert.equal(started[0]?.hasRef(), true);
  ticker.unref();
  assert.equal(started[0]?.hasRef(), false);
  ticker.stop();
  ticker.start();
  assert.equal(started[1]?.hasRef(), false);
  ticker.stop();
});

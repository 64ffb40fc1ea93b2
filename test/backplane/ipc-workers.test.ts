/** The IPC backplane in workers of `node:cluster`. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { NO_ENGINE_LISTENER } from '../../src/backplane/engine.ts';
import { IpcEngine } from '../../src/backplane/ipc-engine.ts';
import { ipcBackplane } from '../../src/extras/ipc.ts';
import { SockJSError } from '../../src/index.ts';
import { type Program, cleanEnvironment, startNode } from '../../testkit/process.ts';
import { until, within } from '../../testkit/until.ts';
import type { Command, Report } from './ipc-workers.ts';

const MEBIBYTE = 1024 * 1024;

/** The primary process, with everything that its workers have reported. */
class Primary {
  readonly reports: Report[] = [];
  readonly #program: Program;

  constructor(t: TestContext, ...args: readonly string[]) {
    this.#program = startNode(t, 'test/backplane/ipc-workers.ts', args, { ipc: true });
  }

  /** Waits for a report that has not been taken. */
  async take<Key extends keyof Report>(
    key: Key,
    worker: number,
  ): Promise<NonNullable<Report[Key]>> {
    for (;;) {
      const index = this.reports.findIndex((each) => each.worker === worker && key in each);
      const value = this.reports.splice(index, index < 0 ? 0 : 1)[0]?.[key];
      if (value !== undefined) return value;
      await this.#receive();
    }
  }

  async members(worker: number, expected: number): Promise<void> {
    while ((await this.take('members', worker)) !== expected);
  }

  send(worker: number, command: Command): void {
    this.#program.send({ worker, ...command });
  }

  async status(): Promise<{ readonly dropped: number; readonly rss: number }> {
    this.#program.send({ worker: 0 });
    for (;;) {
      const message = await this.#program.nextMessage();
      if (typeof message === 'object' && message !== null && 'dropped' in message)
        return message as { dropped: number; rss: number };
      this.reports.push(message as Report);
    }
  }

  async #receive(): Promise<void> {
    this.reports.push((await this.#program.nextMessage()) as Report);
  }
}

test('the member and the facts of a killed worker are removed at once, and its claims stay', async (t) => {
  const primary = new Primary(t);
  const pid = await primary.take('pid', 2);
  await primary.members(1, 2);
  primary.send(2, { do: 'setFact' });
  await primary.take('done', 2);
  primary.send(1, { do: 'readFacts' });
  assert.equal(await primary.take('facts', 1), 1);
  primary.send(2, { do: 'claim', key: 'key' });
  const owner = await primary.take('owner', 2);
  process.kill(pid, 'SIGKILL');
  await primary.members(1, 1);
  primary.send(1, { do: 'readFacts' });
  assert.equal(await primary.take('facts', 1), 0);
  primary.send(1, { do: 'owner', key: 'key' });
  assert.equal(await primary.take('owner', 1), owner);
});

test('a worker that does not read costs the primary process little memory, and misses messages', async (t) => {
  const primary = new Primary(t);
  const pid = await primary.take('pid', 2);
  await primary.members(1, 2);
  primary.send(2, { do: 'subscribe' });
  await primary.take('done', 2);
  const before = await primary.status();
  process.kill(pid, 'SIGSTOP');
  try {
    for (let round = 0; round < 20; round += 1) {
      primary.send(1, { do: 'publish', count: 10, length: MEBIBYTE / 2 });
      await primary.take('done', 1);
    }
    await until(async () => (await primary.status()).dropped > 100, 'dropped messages');
    const { rss } = await primary.status();
    assert.ok(rss - before.rss < 100 * MEBIBYTE, `${(rss - before.rss) / MEBIBYTE} MiB`);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  assert.equal(await primary.take('missed', 2), true);
});

test('a worker whose primary process has no hub cannot join', async (t) => {
  const primary = new Primary(t, 'no-hub');
  const text = await primary.take('failed', 1);
  assert.match(text, /The primary process does not respond\. Call startIpcHub\(\)/);
});

test('ipcBackplane throws outside of a worker', () => {
  assert.throws(ipcBackplane, (error: Error) => {
    assert.ok(error instanceof SockJSError);
    assert.equal(error.code, 'ERR_BACKPLANE');
    assert.match(error.message, /Call startIpcHub\(\) in the primary process/);
    return true;
  });
});

test('the end of the hub process is an outage', async () => {
  const hub = fork('test/backplane/ipc-hub-process.ts', { env: cleanEnvironment() });
  await once(hub, 'message');
  const engine = new IpcEngine(hub);
  let downs = 0;
  const listener = { ...NO_ENGINE_LISTENER, onDown: () => void (downs += 1) };
  await engine.connect('test', listener);
  hub.kill('SIGSTOP');
  const pending = assert.rejects(engine.read('claim', 'key'), /The primary process is gone/);
  hub.kill('SIGKILL');
  await within(pending, 'the rejection');
  assert.equal(downs, 1);
  await assert.rejects(engine.read('claim', 'key'));
  await assert.rejects(engine.publish('topic', 'text'));
  await engine.close();
});

test('the calls of a worker that wait for a stopped hub are limited', async () => {
  const hub = fork('test/backplane/ipc-hub-process.ts', { env: cleanEnvironment() });
  await once(hub, 'message');
  const engine = new IpcEngine(hub);
  await engine.connect('test', NO_ENGINE_LISTENER);
  hub.kill('SIGSTOP');
  const attempts = Array.from({ length: 10_100 }, (_, index) => engine.read('claim', `${index}`));
  const settled = Promise.allSettled(attempts);
  // The oldest one may have no result any more.
  await assert.rejects(async () => attempts[0], /calls are pending/);
  const texts = Array.from({ length: 40 }, () => engine.publish('topic', 'x'.repeat(MEBIBYTE)));
  const published = Promise.allSettled(texts);
  await assert.rejects(engine.publish('topic', 'x'.repeat(MEBIBYTE)), /The IPC channel is full/);
  hub.kill('SIGCONT');
  const failed = (await settled).filter(({ status }) => status === 'rejected');
  assert.equal(failed.length, 100);
  const lost = (await published).filter(({ status }) => status === 'rejected');
  assert.ok(lost.length > 20, `${lost.length} lost`);
  await engine.close();
  hub.kill('SIGKILL');
});

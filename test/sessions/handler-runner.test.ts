/** Order of handler calls, and the effect of handlers that throw or reject. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CloseReason, CloseStatus } from '../../src/base/close-reasons.ts';
import {
  type ConnectionHandlers,
  HandlerRunner,
  type HandlerOwner,
} from '../../src/sessions/handler-runner.ts';
import { deferred } from '../../testkit/until.ts';
import { VirtualProcess } from '../../testkit/virtual-process.ts';
import { SockJSStats } from '../../src/base/stats.ts';
import { MemoryBudget } from '../../src/base/memory-budget.ts';
import { type MemoryInput, clientMemory } from '../base/client-memory.ts';
import { INFO } from './fake-receiver.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

const END: CloseReason = { code: 3000, reason: 'Go away!', cause: 'application' };

type Handlers = Partial<ConnectionHandlers>;

/** @returns a runner whose handlers record their calls, and then do what the test wants */
function begin(handlers: Handlers = {}, memorySettings: MemoryInput = {}) {
  const calls: string[] = [];
  const budget = new MemoryBudget();
  const logger = new RecordingLogger();
  const owner: HandlerOwner & { closeReason: CloseStatus | undefined } = {
    info: INFO,
    memory: clientMemory(memorySettings, budget),
    context: {
      settings: { openTimeout: 30_000, maxConcurrentHandlers: 2, rateLimitPolicy: 'wait' },
      logger,
      stats: new SockJSStats('/echo', () => 0),
      clock: () => 0,
    },
    closeReason: undefined,
    close(reason): void {
      calls.push(`close ${reason.code} ${reason.reason}`);
      owner.closeReason ??= reason;
    },
  };
  /** Decides the end, as the owner does, and calls `HandlerRunner.close`. */
  const close = (): void => {
    owner.closeReason ??= END;
    runner.close();
  };
  const recording: ConnectionHandlers = {
    onOpen(info) {
      calls.push('open');
      return handlers.onOpen?.(info);
    },
    onMessage(message) {
      calls.push(message);
      return handlers.onMessage?.(message);
    },
    onBinary(data) {
      calls.push(`bytes ${data.length}`);
      return handlers.onBinary?.(data);
    },
    onDrain() {
      calls.push('drain');
      return handlers.onDrain?.();
    },
    onClose(code, reason) {
      calls.push(`closed ${code} ${reason}`);
      return handlers.onClose?.(code, reason);
    },
  };
  const runner = new HandlerRunner(recording, owner);
  return { calls, logger, owner, runner, budget, close };
}

test('onOpen comes first, then messages in order, then onClose', () => {
  const { calls, runner, close } = begin();
  runner.open();
  for (const data of ['a', 'b', new Uint8Array(3)]) runner.input.push([data], 0);
  close();
  assert.deepEqual(calls, ['open', 'a', 'b', 'bytes 3', 'closed 3000 Go away!']);
});

test('onOpen and onClose are called once, and no handler after onClose', () => {
  const { calls, runner, close } = begin();
  runner.open();
  runner.open();
  close();
  close();
  runner.input.push(['late'], 0);
  runner.open();
  assert.deepEqual(calls, ['open', 'closed 3000 Go away!']);
});

test('no handler is called for a connection that is closed before it opens', () => {
  const { calls, runner, close } = begin();
  close();
  runner.open();
  runner.input.push(['x'], 0);
  assert.deepEqual(calls, []);
});

test('no message is handled after an end is decided', () => {
  const { calls, runner, owner } = begin({
    onMessage: () => owner.close({ code: 4000, reason: 'enough', cause: 'application' }),
  });
  runner.open();
  runner.input.push(['a'], 0);
  runner.input.push(['b'], 0);
  assert.deepEqual(calls, ['open', 'a', 'close 4000 enough']);
});

test('messages wait while onOpen is pending', async () => {
  const { promise, resolve } = deferred();
  const { calls, runner } = begin({ onOpen: () => promise });
  runner.open();
  runner.input.push(['a'], 0);
  runner.input.push(['b'], 0);
  assert.deepEqual(calls, ['open']);
  resolve();
  await nextTurn();
  assert.deepEqual(calls, ['open', 'a', 'b']);
  assert.equal(runner.isOpening, false);
});

test('onClose follows a pending onOpen, and messages that waited are dropped', async () => {
  const { promise, resolve } = deferred();
  const { calls, runner, close } = begin({ onOpen: () => promise });
  runner.open();
  runner.input.push(['a'], 0);
  close();
  close();
  assert.deepEqual(calls, ['open']);
  resolve();
  await nextTurn();
  assert.deepEqual(calls, ['open', 'closed 3000 Go away!']);
});

for (const [how, onOpen] of [
  ['false', () => false],
  ['a promise of false', () => Promise.resolve(false)],
] as const) {
  test(`onOpen that returns ${how} closes with 1008`, async () => {
    const { calls, runner } = begin({ onOpen });
    runner.open();
    await nextTurn();
    assert.deepEqual(calls, ['open', 'close 1008 Refused']);
  });
}

test('an onOpen that is pending for 5 s is logged, and a quicker one is not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { promise, resolve } = deferred();
  const slow = begin({ onOpen: () => promise });
  const quick = begin({ onOpen: () => Promise.resolve() });
  slow.runner.open();
  quick.runner.open();
  await nextTurn();
  t.mock.timers.tick(4999);
  assert.deepEqual(slow.logger.take(), []);
  t.mock.timers.tick(1);
  const [entry] = slow.logger.take();
  assert.equal(entry?.level, 'warn');
  assert.match(entry.line, /onOpen has been pending for 5 s/);
  assert.deepEqual(quick.logger.take(), []);
  resolve();
  await nextTurn();
});

for (const [how, onOpen] of [
  ['throws', () => assert.fail('no')],
  ['rejects', () => Promise.reject(new Error('no'))],
] as const) {
  test(`an onOpen that ${how} closes its connection with 1011 and logs it`, async () => {
    const { calls, runner, logger } = begin({ onOpen });
    runner.open();
    await nextTurn();
    assert.deepEqual(calls, ['open', 'close 1011 Internal error']);
    const [line] = logger.take();
    assert.equal(line?.level, 'error');
    assert.match(line?.line ?? '', /onOpen failed; its connection is closed with 1011: .*no/);
  });
}

for (const [how, onMessage] of [
  ['throws', () => assert.fail('broken')],
  ['rejects', () => Promise.reject(new Error('broken'))],
  [
    'throws a string',
    () => {
      // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- that is what is tested
      throw 'broken';
    },
  ],
] as const) {
  test(`an onMessage that ${how} closes its connection with 1011 and logs it`, async () => {
    const { calls, runner, logger } = begin({ onMessage });
    runner.open();
    runner.input.push(['a'], 0);
    await nextTurn();
    runner.input.push(['b'], 0);
    assert.deepEqual(calls, ['open', 'a', 'close 1011 Internal error']);
    assert.match(logger.take()[0]?.line ?? '', /onMessage failed.*broken/);
  });
}

test('an onClose that rejects is logged', async () => {
  const { runner, logger, close } = begin({ onClose: () => Promise.reject(new Error('broken')) });
  runner.open();
  close();
  await nextTurn();
  assert.match(logger.take()[0]?.line ?? '', /onClose failed/);
});

test('onDrain is called between onOpen and onClose only, and closes with 1011 if it throws', () => {
  const { calls, runner, logger, close } = begin({ onDrain: () => assert.fail('broken') });
  runner.drain();
  runner.open();
  runner.drain();
  close();
  runner.drain();
  assert.deepEqual(calls, [
    'open',
    'drain',
    'close 1011 Internal error',
    'closed 1011 Internal error',
  ]);
  assert.match(logger.take()[0]?.line ?? '', /onDrain failed/);
});

test('messages count in the memory budget while onOpen is pending', async () => {
  const opening = deferred();
  const { runner, budget } = begin({ onOpen: () => opening.promise });
  runner.open();
  runner.input.push(['ab'], 0);
  runner.input.push(['c'], 0);
  assert.equal(budget.bytes, 203);
  opening.resolve();
  await nextTurn();
  assert.equal(budget.bytes, 0);
});

test('messages that wait for onOpen are released when the connection closes', () => {
  const opening = deferred();
  const { runner, budget, close } = begin({ onOpen: () => opening.promise });
  runner.open();
  runner.input.push(['ab'], 0);
  close();
  assert.equal(budget.bytes, 0);
  opening.resolve();
});

test('messages over the memory limit while onOpen is pending close with 1013', () => {
  const limits = { highWaterMark: 300, maxBufferedBytesPerAddress: 300 };
  const opening = deferred();
  const { runner, calls } = begin({ onOpen: () => opening.promise }, limits);
  runner.open();
  for (const text of ['a', 'b', 'c']) runner.input.push([text], 0);
  assert.deepEqual(calls, ['open', 'close 1013 Server is out of buffer memory']);
  opening.resolve();
});

test('messages over 4 MiB while onOpen is pending close with 1008', async () => {
  const { promise, resolve } = deferred();
  const { calls, runner } = begin({ onOpen: () => promise });
  runner.open();
  const half = 'x'.repeat(2 * 1024 * 1024 - 1);
  for (let count = 0; count < 4; count += 1) runner.input.push([half], 0);
  assert.deepEqual(calls, ['open', 'close 1008 Too much sent before the connection was accepted']);
  resolve();
  await nextTurn();
  assert.equal(calls.length, 2);
});

test('watchers are called once when the connection closes, unless they were removed', () => {
  const { runner, close } = begin();
  const seen: string[] = [];
  runner.open();
  runner.watchClose(() => seen.push('kept'));
  const remove = runner.watchClose(() => seen.push('removed'));
  remove();
  close();
  close();
  assert.deepEqual(seen, ['kept']);
});

test('a watcher is called at once after the close, also while onOpen is still pending', () => {
  const opening = deferred();
  for (const onOpen of [() => undefined, () => opening.promise]) {
    const { runner, close } = begin({ onOpen });
    const seen: string[] = [];
    runner.open();
    close();
    runner.watchClose(() => seen.push('called'));
    assert.deepEqual(seen, ['called']);
  }
  opening.resolve();
});

for (const before of [0, 29_000]) {
  test(`an onOpen that is pending for openTimeout closes with 1011, and a stall after ${before} ms does not count`, async (t) => {
    const process = new VirtualProcess(t.mock);
    const { promise, resolve } = deferred();
    const { calls, logger, runner, close } = begin({ onOpen: () => promise });
    runner.open();
    runner.input.push(['early'], 0);
    await process.run(before);
    if (before > 0) process.stall(60_000);
    await process.run(29_000 - before);
    assert.deepEqual(calls, ['open']);
    await process.run(10_000);
    assert.deepEqual(calls, ['open', 'close 1011 Opening took too long']);
    const lines = logger.take().filter(({ level }) => level === 'error');
    assert.equal(lines.length, 1);
    assert.match(lines[0]?.line ?? '', /onOpen has been pending for 30000 ms.*1011.*openTimeout/);
    close();
    assert.equal(runner.input.delay, undefined);
    resolve();
    await nextTurn();
    assert.deepEqual(calls.slice(2), ['closed 1011 Opening took too long']);
    assert.equal(process.timers, 0);
  });
}

test('no timer is left after onOpen has settled', async (t) => {
  const process = new VirtualProcess(t.mock);
  const { runner } = begin({ onOpen: () => Promise.resolve() });
  runner.open();
  await nextTurn();
  assert.equal(process.timers, 0);
});

for (const [how, result] of [
  ['resolves', () => Promise.resolve()],
  ['rejects', () => Promise.reject(new Error('broken'))],
] as const) {
  test(`a handler whose promise ${how} is no longer pending`, async () => {
    const { calls, runner } = begin({ onMessage: result });
    runner.open();
    runner.input.push(['a', 'b', 'c'], 0);
    assert.equal(runner.input.delay, 'handlers');
    assert.deepEqual(calls, ['open', 'a', 'b']);
    await nextTurn();
    assert.equal(runner.input.delay, undefined);
    assert.equal(calls.includes('c'), how === 'resolves');
  });
}

test('onDrain and onClose do not count as pending handlers', async () => {
  const { calls, runner } = begin({ onDrain: () => new Promise<never>(() => undefined) });
  runner.open();
  for (let count = 0; count < 5; count += 1) runner.drain();
  runner.input.push(['a'], 0);
  assert.equal(calls.at(-1), 'a');
});

test('the watcher gets each call of a handler, and a promise of its end', async () => {
  const message = deferred();
  const { runner, close, logger } = begin({
    onOpen: () => Promise.resolve(true),
    onMessage: (text) => {
      if (text === 'throws') throw new Error('Oops');
      return text === 'pending' ? message.promise : undefined;
    },
    onClose: () => Promise.reject(new Error('Oops')),
  });
  const watched: string[] = [];
  runner.watcher = (name, pending) => {
    watched.push(name);
    void pending?.then(() => watched.push(`${name} settled`));
  };
  runner.open();
  await nextTurn();
  runner.input.push(['sync', 'pending', 'throws'], 0);
  await nextTurn();
  assert.deepEqual(watched.splice(0), [
    'onOpen',
    'onOpen settled',
    'onMessage',
    'onMessage',
    'onMessage',
  ]);
  message.resolve();
  await nextTurn();
  runner.drain();
  close();
  await nextTurn();
  assert.deepEqual(watched, ['onMessage settled', 'onDrain', 'onClose', 'onClose settled']);
  assert.equal(logger.take().length, 2);
});

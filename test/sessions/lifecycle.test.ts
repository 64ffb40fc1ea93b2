/** The promises to an application: which handler is called when, and what its faults do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ConnectionHandlers,
  HandlerRunner,
  type HandlerOwner,
} from '../../src/sessions/handler-runner.ts';
import { INFO, deferred } from '../support/fakes.ts';
import { Logs } from '../support/service.ts';

type Handlers = Partial<ConnectionHandlers>;

/** A life whose handlers note that they were called, and then do what the test wants. */
function begin(handlers: Handlers = {}) {
  const calls: string[] = [];
  const logs = new Logs();
  const living: HandlerOwner & { isOpen: boolean } = {
    info: INFO,
    isOpen: true,
    end({ code, reason }): void {
      calls.push(`close ${code} ${reason}`);
      living.isOpen = false;
    },
  };
  const application: ConnectionHandlers = {
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
  return { calls, logs, living, lifecycle: new HandlerRunner(application, living, logs) };
}

const END = { code: 3000, reason: 'Go away!' };

test('open, messages in order, close', () => {
  const { calls, lifecycle } = begin();
  lifecycle.open();
  for (const data of ['a', 'b', new Uint8Array(3)]) lifecycle.deliver(data);
  lifecycle.close(END);
  assert.deepEqual(calls, ['open', 'a', 'b', 'bytes 3', 'closed 3000 Go away!']);
});

test('each comes once, and nothing after the end', () => {
  const { calls, lifecycle } = begin();
  lifecycle.open();
  lifecycle.open();
  lifecycle.close(END);
  lifecycle.close(END);
  lifecycle.deliver('late');
  lifecycle.open();
  assert.deepEqual(calls, ['open', 'closed 3000 Go away!']);
});

test('what ends before it opened produces no events', () => {
  const { calls, lifecycle } = begin();
  lifecycle.close(END);
  lifecycle.open();
  lifecycle.deliver('x');
  assert.deepEqual(calls, []);
});

test('after an end is decided no message is handled', () => {
  const { calls, lifecycle, living } = begin({
    onMessage: () => living.end({ code: 4000, reason: 'enough', cause: 'application' }),
  });
  lifecycle.open();
  lifecycle.deliver('a');
  lifecycle.deliver('b');
  assert.deepEqual(calls, ['open', 'a', 'close 4000 enough']);
});

test('messages wait for an asynchronous onOpen', async () => {
  const { promise, resolve } = deferred();
  const { calls, lifecycle } = begin({ onOpen: () => promise });
  lifecycle.open();
  lifecycle.deliver('a');
  lifecycle.deliver('b');
  assert.deepEqual(calls, ['open']);
  resolve();
  await lifecycle.opening;
  assert.deepEqual(calls, ['open', 'a', 'b']);
  assert.equal(lifecycle.opening, undefined);
});

test('a close during onOpen is told after it, and last', async () => {
  const { promise, resolve } = deferred();
  const { calls, lifecycle, living } = begin({ onOpen: () => promise });
  lifecycle.open();
  lifecycle.deliver('a');
  living.isOpen = false;
  lifecycle.close(END);
  lifecycle.close({ code: 1006, reason: 'second' });
  assert.deepEqual(calls, ['open']);
  resolve();
  await lifecycle.opening;
  assert.deepEqual(calls, ['open', 'closed 3000 Go away!']);
});

for (const [how, onOpen] of [
  ['false', () => false],
  ['a promise of false', () => Promise.resolve(false)],
] as const) {
  test(`onOpen refuses by ${how}`, async () => {
    const { calls, lifecycle } = begin({ onOpen });
    lifecycle.open();
    await lifecycle.opening;
    assert.deepEqual(calls, ['open', 'close 1008 Refused']);
  });
}

for (const [how, onOpen] of [
  ['throws', () => assert.fail('no')],
  ['rejects', () => Promise.reject(new Error('no'))],
] as const) {
  test(`an onOpen that ${how} ends its connection with 1011 and a log line`, async () => {
    const { calls, lifecycle, logs } = begin({ onOpen });
    lifecycle.open();
    await lifecycle.opening;
    assert.deepEqual(calls, ['open', 'close 1011 Internal error']);
    const [line] = logs.take();
    assert.equal(line?.level, 'error');
    assert.match(line?.line ?? '', /onOpen failed; its connection is closed with 1011: .*no/);
  });
}

for (const [how, onMessage] of [
  ['throws', () => assert.fail('broken')],
  ['rejects', () => Promise.reject(new Error('broken'))],
  [
    'throws what is no error',
    () => {
      // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- that is what is tested
      throw 'broken';
    },
  ],
] as const) {
  test(`an onMessage that ${how} ends its connection with 1011 and a log line`, async () => {
    const { calls, lifecycle, logs } = begin({ onMessage });
    lifecycle.open();
    lifecycle.deliver('a');
    await Promise.resolve().then(() => undefined);
    lifecycle.deliver('b');
    assert.deepEqual(calls, ['open', 'a', 'close 1011 Internal error']);
    assert.match(logs.take()[0]?.line ?? '', /onMessage failed.*broken/);
  });
}

test('an onClose that throws is logged, and that is all', async () => {
  const { lifecycle, logs } = begin({ onClose: () => Promise.reject(new Error('broken')) });
  lifecycle.open();
  lifecycle.close(END);
  await Promise.resolve().then(() => undefined);
  assert.match(logs.take()[0]?.line ?? '', /onClose failed/);
});

test("onDrain comes between open and close only, and its faults are the connection's", () => {
  const { calls, lifecycle, logs } = begin({ onDrain: () => assert.fail('broken') });
  lifecycle.drained();
  lifecycle.open();
  lifecycle.drained();
  lifecycle.close(END);
  lifecycle.drained();
  assert.deepEqual(calls, ['open', 'drain', 'close 1011 Internal error', 'closed 3000 Go away!']);
  assert.match(logs.take()[0]?.line ?? '', /onDrain failed/);
});

test('what waits for onOpen is bounded', async () => {
  const { promise, resolve } = deferred();
  const { calls, lifecycle } = begin({ onOpen: () => promise });
  lifecycle.open();
  const half = 'x'.repeat(2 * 1024 * 1024 - 1);
  for (let count = 0; count < 4; count += 1) lifecycle.deliver(half);
  assert.deepEqual(calls, ['open', 'close 1008 Too much sent before the connection was accepted']);
  resolve();
  await lifecycle.opening;
  assert.equal(calls.length, 2);
});

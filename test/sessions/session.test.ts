/** Sessions in virtual time: what receivers get, when handlers are called, and how sessions end. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CLOSE_REASONS } from '../../src/base/close-reasons.ts';
import { createMessage } from '../../src/sessions/create-message.ts';
import { deferred } from '../../testkit/until.ts';
import { FakeReceiver } from './fake-receiver.ts';
import { BYE, createRegistry, flushed } from './registry-fixture.ts';

/** Stands for the request with which messages come. */
const CLIENT = {};

test('attaching the first receiver writes o and calls onOpen', (t) => {
  const { open } = createRegistry(t);
  const { session, connection } = open('key');
  const receiver = new FakeReceiver(1);
  session.attach(receiver);
  assert.deepEqual(receiver.texts, ['o']);
  assert.ok(receiver.ended);
  assert.deepEqual(connection.calls, ['open']);
});

test('all sends of one turn leave as one frame', async (t) => {
  const { open } = createRegistry(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  for (let count = 0; count < 16; count += 1) connection.send('x');
  assert.deepEqual(receiver.texts, ['o']);
  await flushed();
  assert.deepEqual(receiver.texts, ['o', `a[${Array(16).fill('"x"').join(',')}]`]);
});

test('without immediateFlush, sends are flushed once per turn of the event loop', async (t) => {
  const { open, process } = createRegistry(t, { immediateFlush: false });
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  connection.send('a');
  await flushed();
  connection.send('b');
  assert.deepEqual(receiver.texts, ['o']);
  process.runImmediates();
  assert.deepEqual(receiver.texts, ['o', 'a["a","b"]']);
});

test('messages are handled in order, and the session is found by its key', async (t) => {
  const { registry, open } = createRegistry(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  assert.equal(registry.find('key'), session);
  assert.ok(session.receive(CLIENT, ['a', 'echo', 'b'], 1));
  const poll = new FakeReceiver(1);
  session.attach(poll);
  assert.deepEqual(connection.calls, ['open', 'a', 'echo', 'b']);
  assert.deepEqual(poll.texts, ['a["echoed"]']);
  await flushed();
});

test('close() inside onMessage ends input, calls onClose later and once, and gives every poll the close frame', async (t) => {
  const { registry, open, pass } = createRegistry(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  session.receive(CLIENT, ['close', 'never'], 1);
  assert.ok(connection.isClosed);
  assert.deepEqual(connection.calls, ['open', 'close']);
  await flushed();
  assert.deepEqual(connection.calls, ['open', 'close', 'closed 3000 Go away!']);
  for (let count = 0; count < 2; count += 1) {
    const poll = new FakeReceiver(1);
    session.attach(poll);
    assert.deepEqual(poll.texts, ['c[3000,"Go away!"]']);
    assert.ok(poll.ended);
  }
  assert.ok(session.receive(CLIENT, ['late'], 1), 'its client may not know yet');
  pass(5000);
  assert.equal(registry.find('key'), undefined);
  assert.equal(connection.calls.length, 3);
});

test('a second receiver is refused with 2010 and ended', (t) => {
  const { open } = createRegistry(t);
  const { session } = open('key');
  session.attach(new FakeReceiver(Infinity, true));
  const second = new FakeReceiver();
  assert.equal(session.attach(second), false);
  assert.deepEqual(second.texts, ['c[2010,"Another connection still open"]']);
  assert.ok(second.ended);
  assert.equal(session.closeReason, undefined);
});

test('a receiver that breaks off ends the session with 1002', (t) => {
  const { open } = createRegistry(t);
  const { session, connection } = open('key');
  const receiver = new FakeReceiver(Infinity, true);
  session.attach(receiver);
  session.onClosed(receiver);
  assert.deepEqual(connection.calls, ['open', 'closed 1002 Connection interrupted']);
  const poll = new FakeReceiver(1);
  session.attach(poll);
  assert.deepEqual(poll.texts, ['c[1002,"Connection interrupted"]']);
});

test('a poll that is lost after its response was written ends the session with 1002, also for the next receiver', (t) => {
  const { open } = createRegistry(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  connection.send('lost');
  const answered = new FakeReceiver(1);
  session.attach(answered);
  assert.deepEqual(answered.texts, ['a["lost"]']);
  const next = new FakeReceiver(1);
  session.attach(next);
  session.onClosed(answered);
  assert.deepEqual(next.texts, ['c[1002,"Connection interrupted"]']);
  assert.deepEqual(connection.calls, ['open', 'closed 1002 Connection interrupted']);
});

test('disconnectDelay starts when the last response has been delivered', (t) => {
  const { open, pass } = createRegistry(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  const slow = new FakeReceiver(1);
  slow.bufferedBytes = 1000;
  connection.send('long');
  session.attach(slow);
  pass(20_000);
  assert.deepEqual(connection.calls, ['open']);
  session.onDelivered(slow);
  pass(4000);
  assert.deepEqual(connection.calls, ['open']);
  pass(2500);
  assert.deepEqual(connection.calls, ['open', 'closed 1006 Client is gone']);
});

test('a session without a receiver for disconnectDelay ends with 1006', (t) => {
  const { open, pass } = createRegistry(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  pass(4750);
  assert.deepEqual(connection.calls, ['open']);
  pass(1250);
  assert.deepEqual(connection.calls, ['open', 'closed 1006 Client is gone']);
});

test('h is written after 25 s of idle time', (t) => {
  const { open, pass } = createRegistry(t);
  const { session } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  pass(24_000);
  assert.deepEqual(receiver.texts, ['o']);
  pass(2000);
  assert.deepEqual(receiver.texts, ['o', 'h']);
});

test('nothing is written to a receiver that is not writable until it drains', async (t) => {
  const { open } = createRegistry(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  receiver.writable = false;
  connection.send('a');
  await flushed();
  connection.send('b');
  await flushed();
  assert.deepEqual(receiver.texts, ['o']);
  assert.equal(connection.bufferedBytes, 2 * createMessage('a').size);
  receiver.writable = true;
  session.onDrain();
  assert.deepEqual(receiver.texts, ['o', 'a["a","b"]']);
  assert.equal(connection.bufferedBytes, 0);
});

test('send returns false while the receiver is not writable, and onDrain follows', async (t) => {
  const { open } = createRegistry(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  assert.equal(connection.send('a'), true);
  receiver.writable = false;
  assert.equal(connection.send('b'), false);
  await flushed();
  assert.deepEqual(connection.calls, ['open']);
  receiver.writable = true;
  session.onDrain();
  assert.deepEqual(connection.calls, ['open', 'drain']);
  session.onDrain();
  assert.deepEqual(connection.calls, ['open', 'drain']);
});

test('send returns false from highWaterMark on between polls, and onDrain follows with the next poll', async (t) => {
  const { open } = createRegistry(t, { highWaterMark: 2 * createMessage('1').size });
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  assert.equal(connection.send('1'), true);
  assert.equal(connection.send('2'), false);
  assert.equal(connection.send('3'), false);
  await flushed();
  assert.deepEqual(connection.calls, ['open']);
  session.attach(new FakeReceiver(1));
  assert.deepEqual(connection.calls, ['open', 'drain']);
});

test('messages that onDrain sends are flushed too', async (t) => {
  const { open } = createRegistry(t, { highWaterMark: 1 });
  const { session, connection } = open();
  connection.sendsOnDrain = 3;
  const receiver = new FakeReceiver();
  session.attach(receiver);
  connection.send('first');
  for (let count = 0; count < 10; count += 1) await flushed();
  assert.deepEqual(receiver.texts, ['o', 'a["first"]', 'a["again"]', 'a["again"]', 'a["again"]']);
});

for (const key of [undefined, 'key']) {
  const name = key === undefined ? 'WebSocket' : 'stream';

  test(`a ${name} over maxBufferedBytes is closed with 1013, which it gets once it has read`, async (t) => {
    const { open, logger, registry } = createRegistry(t, { maxBufferedBytes: 10 });
    const { session, connection } = open(key);
    const receiver = new FakeReceiver(Infinity, key !== undefined);
    session.attach(receiver);
    receiver.writable = false;
    connection.send('1234567');
    await flushed();
    assert.equal(connection.isClosed, false);
    receiver.bufferedBytes = 1000;
    connection.send('8901');
    assert.ok(connection.isClosed);
    await flushed();
    assert.deepEqual(connection.calls, ['open', 'closed 1013 Client does not keep up']);
    assert.match(logger.take()[0]?.line ?? '', /over 10 bytes buffered; see maxBufferedBytes/);
    assert.equal(registry.stats.dump().bufferedBytes, 1000, 'what it has to read still counts');
    assert.equal(receiver.aborted, false);
    receiver.writable = true;
    receiver.bufferedBytes = 0;
    session.onDrain();
    assert.deepEqual(receiver.texts, ['o', 'c[1013,"Client does not keep up"]']);
    assert.equal(registry.stats.dump().bufferedBytes, 0);
  });

  test(`a ${name} over maxBufferedBytes that does not read is aborted after disconnectDelay`, async (t) => {
    const { open, registry, pass } = createRegistry(t, { maxBufferedBytes: 10 });
    const { session, connection } = open(key);
    const receiver = new FakeReceiver(Infinity, key !== undefined);
    session.attach(receiver);
    receiver.writable = false;
    receiver.bufferedBytes = 1000;
    for (const text of ['1234567', '8901']) {
      connection.send(text);
      await flushed();
    }
    pass(6000);
    assert.ok(receiver.aborted);
    assert.equal(registry.size, 0);
    assert.equal(registry.stats.dump().bufferedBytes, 0);
  });
}

test('while the process is over maxTotalBufferedBytes, a client over highWaterMark is aborted at once', async (t) => {
  const { open, registry } = createRegistry(t, { highWaterMark: 10, maxTotalBufferedBytes: 100 });
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  receiver.writable = false;
  for (const text of ['1234567', '8901']) {
    connection.send(text);
    await flushed();
  }
  assert.ok(receiver.aborted);
  assert.equal(registry.stats.dump().bufferedBytes, 0);
  assert.deepEqual(connection.calls, ['open', 'closed 1013 Client does not keep up']);
});

test('a burst of one handler may exceed maxBufferedBytes, and is one frame', async (t) => {
  const { open } = createRegistry(t, { maxBufferedBytes: 10 });
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  for (const text of ['x'.repeat(100), 'y', 'z']) connection.send(text);
  await flushed();
  assert.deepEqual(receiver.texts, ['o', `a["${'x'.repeat(100)}","y","z"]`]);
  assert.equal(connection.isClosed, false);
});

test('a burst of one handler is limited by maxTotalBufferedBytes', async (t) => {
  const { open } = createRegistry(t, { maxTotalBufferedBytes: 1000, highWaterMark: 100 });
  const { session, connection } = open();
  session.attach(new FakeReceiver());
  let count = 0;
  while (!connection.isClosed && count < 1000) {
    connection.send('x'.repeat(100));
    count += 1;
  }
  await flushed();
  assert.ok(count < 10, `${count} messages`);
  assert.deepEqual(connection.calls, ['open', 'closed 1013 Client does not keep up']);
});

test('maxBufferedBytes holds between polls too, and the next poll gets 1013', async (t) => {
  const { open } = createRegistry(t, { maxBufferedBytes: 200, highWaterMark: 50 });
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  for (let count = 0; count < 4; count += 1) {
    connection.send('x');
    await flushed();
  }
  const poll = new FakeReceiver(1);
  session.attach(poll);
  assert.deepEqual(poll.texts, ['c[1013,"Client does not keep up"]']);
});

test('messages that drop-oldest has dropped are not counted as buffered', async (t) => {
  const { registry, open } = createRegistry(t, {
    maxBufferedBytes: 250,
    highWaterMark: 100,
    slowConsumer: 'drop-oldest',
  });
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  for (let count = 0; count < 4; count += 1) {
    connection.send('x');
    await flushed();
  }
  assert.equal(connection.bufferedBytes, 202);
  assert.equal(registry.stats.dump().bufferedBytes, 202);
});

test('one message alone may exceed maxBufferedBytes', async (t) => {
  const { open } = createRegistry(t, { maxBufferedBytes: 10 });
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  connection.send('x'.repeat(100));
  await flushed();
  assert.equal(receiver.texts.length, 2);
});

test('a WebSocket that does not close after the close frame is aborted', async (t) => {
  const { registry, open, pass } = createRegistry(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  connection.close(4000, 'bye');
  await flushed();
  assert.deepEqual(receiver.texts, ['o', 'c[4000,"bye"]']);
  assert.ok(receiver.ended);
  assert.equal(registry.size, 1);
  pass(6000);
  assert.ok(receiver.aborted);
  assert.equal(registry.size, 0);
});

test('messages and input wait while onOpen is pending', async (t) => {
  const { open } = createRegistry(t);
  const { session, connection } = open('key');
  const opening = deferred();
  connection.opening = opening.promise;
  session.attach(new FakeReceiver(1));
  assert.equal(session.inputDelay, 'opening');
  const allowed = session.inputAllowed();
  assert.equal(await session.inputAllowed(), false, 'one call waits, and no more');
  session.receive(CLIENT, ['early'], 1);
  assert.deepEqual(connection.calls, ['open']);
  assert.equal(session.isAccepted, false);
  opening.resolve();
  assert.equal(await allowed, true);
  assert.equal(session.inputDelay, undefined);
  assert.ok(session.isAccepted);
  assert.deepEqual(connection.calls, ['open', 'early']);
});

/** Opens a session whose `onOpen` never settles, and waits for its input. */
function openPending(t: TestContext) {
  const { registry, open, pass } = createRegistry(t);
  const { session, connection } = open('key');
  connection.opening = new Promise<never>(() => undefined);
  session.attach(new FakeReceiver(1));
  const results: boolean[] = [];
  void session.inputAllowed().then((allowed) => results.push(allowed));
  return { registry, pass, session, connection, results };
}

/** Waits until promises that are settled have called back. */
async function settled(): Promise<void> {
  await nextTurn();
}

test('waiting for an onOpen that never settles ends when the application closes the session', async (t) => {
  const { session, connection, results } = openPending(t);
  await settled();
  assert.deepEqual(results, []);
  connection.close();
  await settled();
  assert.deepEqual(results, [true]);
  assert.equal(session.inputDelay, undefined);
  assert.ok(session.receive(CLIENT, ['late'], 1), 'its client may not know yet');
});

test('waiting for an onOpen that never settles ends when the session times out', async (t) => {
  const { session, pass, results } = openPending(t);
  pass(6000);
  await settled();
  assert.deepEqual(results, [true]);
  assert.equal(session.receive(CLIENT, ['late'], 1), false);
});

test('waiting for an onOpen that never settles ends when the registry drains', async (t) => {
  const { registry, pass, results } = openPending(t);
  const drained = registry.drain(BYE, 2000);
  await settled();
  assert.deepEqual(results, [true]);
  pass(2000);
  await drained;
});

test('a client over maxMessagesPerSecond delays its input until it is within the limit', async (t) => {
  const { registry, open, pass } = createRegistry(t, { maxMessagesPerSecond: 2 });
  const { session } = open('key');
  session.attach(new FakeReceiver(1));
  session.receive(CLIENT, ['a', 'b'], 2);
  assert.equal(session.inputDelay, undefined);
  session.receive(CLIENT, ['c'], 1);
  assert.equal(session.inputDelay, 'rateLimit');
  const allowed = session.inputAllowed();
  await settled();
  pass(500);
  assert.equal(await allowed, true);
  assert.equal(session.inputDelay, undefined);
  assert.equal(registry.stats.dump().throttledTotal, 1);
});

test('a receiver that takes nothing for writeTimeout is aborted, and its session ends with 1013', (t) => {
  const { open } = createRegistry(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  session.onWriteTimeout(receiver);
  assert.ok(receiver.aborted);
  assert.deepEqual(connection.calls, ['open', `closed 1013 ${CLOSE_REASONS.writeTimeout.reason}`]);
});

test('disconnectDelay does not end a session whose response is still being delivered', (t) => {
  const { open, pass } = createRegistry(t);
  const { session } = open('key');
  const slow = new FakeReceiver(1);
  slow.bufferedBytes = 1000;
  session.attach(slow);
  pass(60_000);
  assert.ok(session.isAccepted);
  session.onDelivered(slow);
  pass(6000);
  assert.equal(session.closeReason?.cause, 'timeout');
});

/** Deadlines of sessions when the process was stopped: a client that did its part stays, one that is gone does not. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { BYE, createRegistry } from './registry-fixture.ts';
import { FakeReceiver } from './fake-receiver.ts';

const GONE = 'closed 1006 Client is gone';

/** An HTTP session between two polls. */
function openDetached(t: TestContext) {
  const fixture = createRegistry(t);
  const { session, connection } = fixture.open('key');
  session.attach(new FakeReceiver(1));
  return { ...fixture, session, connection };
}

/** A WebSocket to which a ping was just sent. */
function openPinged(t: TestContext) {
  const fixture = createRegistry(t);
  const { session, connection } = fixture.open();
  const receiver = new FakeReceiver();
  receiver.bytesReceived = 0;
  session.attach(receiver);
  fixture.pass(25_000);
  assert.deepEqual(receiver.texts, ['o', 'h']);
  return { ...fixture, session, connection, receiver };
}

for (const before of [0, 2500, 4900]) {
  test(`a poll that is read after a stall, ${before} ms into disconnectDelay, continues its session`, (t) => {
    const { process, session, connection, pass } = openDetached(t);
    pass(before);
    process.stall(60_000);
    process.fireTimers();
    process.runImmediates();
    assert.ok(session.attach(new FakeReceiver(1)));
    pass(4000);
    assert.deepEqual(connection.calls, ['open']);
  });

  test(`a client that is gone ends after a stall, ${before} ms into disconnectDelay`, (t) => {
    const { process, connection, pass } = openDetached(t);
    pass(before);
    process.stall(60_000);
    pass(7000);
    assert.deepEqual(connection.calls, ['open', GONE]);
  });

  test(`a WebSocket whose pong is read after a stall, ${before} ms into pingTimeout, stays open`, (t) => {
    const { process, connection, receiver, pass } = openPinged(t);
    pass(before * 4);
    process.stall(60_000);
    process.fireTimers();
    receiver.bytesReceived = 6;
    pass(2000);
    assert.deepEqual(connection.calls, ['open']);
  });

  test(`a silent WebSocket ends after a stall, ${before} ms into pingTimeout`, (t) => {
    const { process, connection, pass } = openPinged(t);
    pass(before * 4);
    process.stall(60_000);
    pass(23_000);
    assert.deepEqual(connection.calls, ['open', GONE]);
  });
}

test('a poll on a new connection has at least one more interval after a stall', (t) => {
  const { process, session, connection, pass } = openDetached(t);
  pass(4900);
  process.stall(60_000);
  pass(900); // For example the TLS handshake.
  assert.ok(session.attach(new FakeReceiver(1)));
  assert.deepEqual(connection.calls, ['open']);
});

test('a client that is gone ends in a process that is always late', (t) => {
  const { process, connection, pass } = openDetached(t);
  for (let count = 0; count < 10; count += 1) {
    process.stall(3000);
    pass(1);
  }
  assert.deepEqual(connection.calls, ['open', GONE]);
});

test('a tick that is slightly late waits for a poll that has arrived', (t) => {
  const { process, session, connection, pass } = openDetached(t);
  pass(4001);
  process.stall(1030);
  process.fireTimers();
  process.runImmediates();
  assert.ok(session.attach(new FakeReceiver(1)));
  pass(2000);
  assert.deepEqual(connection.calls, ['open']);
});

test('a heartbeat is sent at the first tick after a stall', (t) => {
  const { process, open, pass } = createRegistry(t);
  const { session } = open('key');
  const receiver = new FakeReceiver(10, true);
  session.attach(receiver);
  pass(1000);
  process.stall(60_000);
  pass(1);
  assert.deepEqual(receiver.texts, ['o', 'h']);
});

test('a late poll gets the close frame after a stall', (t) => {
  const { process, session, pass } = openDetached(t);
  session.close(BYE);
  pass(4500);
  process.stall(60_000);
  process.fireTimers();
  process.runImmediates();
  const poll = new FakeReceiver(1);
  assert.ok(session.attach(poll));
  assert.deepEqual(poll.texts, ['c[1001,"bye"]']);
});

test('a WebSocket whose close frame is read after a stall is not aborted', (t) => {
  const { process, registry, open, pass } = createRegistry(t);
  const { session } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  session.close(BYE);
  pass(4500);
  process.stall(60_000);
  process.fireTimers();
  session.onClosed(receiver, BYE);
  pass(10_000);
  assert.equal(receiver.aborted, false);
  assert.equal(registry.size, 0);
});

test('a client that fetches its close frame after a stall is not aborted by close()', async (t) => {
  const { process, registry, open, pass } = createRegistry(t);
  const { session } = open('key');
  session.attach(new FakeReceiver(1));
  const drained = registry.drain(BYE, 5000);
  pass(4900);
  process.stall(60_000);
  process.fireTimers();
  process.runImmediates();
  const poll = new FakeReceiver(1);
  assert.ok(session.attach(poll));
  assert.deepEqual(poll.texts, ['c[1001,"bye"]']);
  await drained;
  assert.equal(poll.aborted, false);
});

/** The registry in virtual time: deadlines, counting, and draining. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeReceiver, INFO } from './fake-receiver.ts';
import { BYE, createRegistry, flushed } from './registry-fixture.ts';

/** Stands for the request with which messages come. */
const CLIENT = {};

test('a long sessionCheckInterval does not make short delays late', (t) => {
  const { open, pass } = createRegistry(t, { heartbeatDelay: 1000, sessionCheckInterval: 60_000 });
  const { session } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  pass(1250);
  assert.deepEqual(receiver.texts, ['o', 'h']);
});

test('nothing is scheduled without sessions', (t) => {
  const { registry, open, pass } = createRegistry(t);
  const { session } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  session.onClosed(receiver, BYE);
  assert.equal(registry.size, 0);
  const before = receiver.texts.length;
  pass(60_000);
  assert.equal(receiver.texts.length, before);
});

test('drain waits until every client has its close frame', async (t) => {
  const { registry, open } = createRegistry(t);
  const polling = open('key');
  polling.session.attach(new FakeReceiver(1));
  const socket = open();
  const receiver = new FakeReceiver();
  socket.session.attach(receiver);
  let done = false;
  const drained = registry.drain(BYE, 60_000).then(() => {
    done = true;
  });
  await flushed();
  assert.deepEqual(receiver.texts, ['o', 'c[1001,"bye"]']);
  socket.session.onClosed(receiver, BYE);
  await flushed();
  assert.equal(done, false);
  const poll = new FakeReceiver(1);
  polling.session.attach(poll);
  assert.deepEqual(poll.texts, ['c[1001,"bye"]']);
  await drained;
  assert.equal(registry.size, 0);
  assert.deepEqual(polling.connection.calls, ['open', 'closed 1001 bye']);
});

test('drain waits until a close frame that was written is delivered', async (t) => {
  const { registry, open } = createRegistry(t);
  const { session } = open('key');
  session.attach(new FakeReceiver(1));
  const poll = new FakeReceiver(1);
  poll.bufferedBytes = 1;
  session.attach(poll);
  let done = false;
  const drained = registry.drain(BYE, 60_000).then(() => {
    done = true;
  });
  await flushed();
  assert.deepEqual(poll.texts, ['c[1001,"bye"]']);
  await flushed();
  assert.equal(done, false);
  poll.bufferedBytes = 0;
  session.onDelivered(poll);
  await drained;
  assert.equal(registry.size, 0);
});

test('drain aborts the sessions that are left after its timeout', async (t) => {
  const { registry, open, pass } = createRegistry(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  receiver.writable = false;
  const drained = registry.drain(BYE, 2000);
  await flushed();
  pass(2000);
  await drained;
  assert.ok(receiver.aborted);
  assert.deepEqual(connection.calls, ['open', 'closed 1001 bye']);
  assert.equal(registry.size, 0);
});

test('drain without sessions resolves at once', async (t) => {
  const { registry } = createRegistry(t);
  await registry.drain(BYE, 60_000);
  assert.ok(registry.isDraining);
});

test('a session that never has a receiver is forgotten, and no handler is called', (t) => {
  const { registry, open, pass } = createRegistry(t);
  const { connection } = open('key');
  pass(6000);
  assert.equal(registry.size, 0);
  assert.deepEqual(connection.calls, []);
});

test('stats follow the sessions, with rates as means over 10 s', async (t) => {
  const { registry, open, pass } = createRegistry(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  open('key').session.attach(new FakeReceiver(1));
  session.receive(CLIENT, ['a', 'b', 'c'], 1);
  for (let count = 0; count < 5; count += 1) connection.send('x');
  await flushed();
  pass(1000);
  const dump = registry.stats.dump();
  assert.equal(dump.sessionsActive, 2);
  assert.equal(dump.transpWebsocket, 1);
  assert.equal(dump.transpXhr, 1);
  assert.equal(dump.connectionsActive, 1);
  assert.equal(dump.packetsRecvPs, 0.3);
  assert.equal(dump.packetsSentPs, 0.5);
  pass(11_000);
  const later = registry.stats.dump();
  assert.equal(later.packetsRecvPs, 0);
  assert.equal(later.packetsSentPs, 0);
  assert.equal(later.sessionsActive, 1);
  assert.equal(later.transpXhr, 0);
});

test('applications() iterates over those of accepted sessions', (t) => {
  const { registry, open } = createRegistry(t);
  const { session, connection } = open();
  assert.deepEqual([...registry.applications()], []);
  session.attach(new FakeReceiver());
  assert.deepEqual([...registry.applications()], [connection]);
  connection.close();
  assert.deepEqual([...registry.applications()], []);
});

test('sessions are counted by address until they are forgotten', (t) => {
  const { registry, open } = createRegistry(t);
  const { session } = open();
  open('key');
  assert.equal(registry.addresses.of(INFO.ip), 2);
  const receiver = new FakeReceiver();
  session.attach(receiver);
  session.onClosed(receiver, BYE);
  assert.equal(registry.addresses.of(INFO.ip), 1);
  assert.equal(registry.size, 1);
});

test('a session over a WebSocket is not found by a key, and is closed with its WebSocket', (t) => {
  const { registry, open } = createRegistry(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  session.onClosed(receiver, BYE);
  assert.equal(registry.size, 0);
  assert.deepEqual(connection.calls, ['open', 'closed 1001 bye']);
});

test('drain resolves at once when the only sessions left keep a close frame that was delivered', async (t) => {
  const { registry, open } = createRegistry(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  connection.close();
  await flushed();
  session.attach(new FakeReceiver(1));
  assert.equal(registry.size, 1);
  await registry.drain(BYE, 60_000);
  assert.equal(registry.size, 0);
  assert.deepEqual(connection.calls, ['open', 'closed 3000 Go away!']);
});

test('onAttached is called for each receiver with its session, before onOpen', (t) => {
  const { registry, open } = createRegistry(t);
  const { session, connection } = open('key');
  const calls: unknown[] = [];
  registry.onAttached = (attached, exchange) => {
    calls.push([attached === session, exchange, [...connection.calls]]);
    assert.equal(registry.applicationOf(session), connection);
  };
  const [first, second] = [new FakeReceiver(1), new FakeReceiver()];
  session.attach(first);
  assert.equal(session.receiver, undefined);
  const exchange = {};
  session.attach(second, exchange);
  assert.equal(session.receiver, second);
  assert.ok(!session.attach(new FakeReceiver()), 'a second receiver is refused');
  assert.deepEqual(calls, [
    [true, first, []],
    [true, exchange, ['open']],
  ]);
});

/** Messages to a session whose flush is postponed, because others use the slice of this turn of the event loop. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { broadcast } from '../../src/api/connection.ts';
import { FakeReceiver } from './fake-receiver.ts';
import { createRegistry, flushed } from './registry-fixture.ts';

const LONG = 'x'.repeat(70_000);

/** Opens a session to which a long message was sent, and whose flush is postponed. */
function openPostponed(t: TestContext, settings: Parameters<typeof createRegistry>[1] = {}) {
  const { open, registry } = createRegistry(t, settings);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  broadcast([connection], LONG);
  session.postpone();
  return { session, connection, receiver, registry };
}

test('a message to one client writes what is postponed at once, so that the queue stays short', async (t) => {
  const { connection, receiver } = openPostponed(t);
  connection.send('y');
  assert.deepEqual(receiver.texts, ['o', `a["${LONG}"]`]);
  await flushed();
  assert.deepEqual(receiver.texts.slice(2), ['a["y"]']);
});

test('a broadcast waits with what is postponed', async (t) => {
  const { connection, receiver } = openPostponed(t);
  broadcast([connection], 'y');
  assert.deepEqual(receiver.texts, ['o']);
  await flushed();
  assert.deepEqual(receiver.texts.slice(1), [`a["${LONG}","y"]`]);
});

test('broadcasts over maxBufferedBytes do not wait', (t) => {
  const { connection, receiver } = openPostponed(t, { maxBufferedBytes: 60_000 });
  broadcast([connection], 'y');
  assert.equal(receiver.texts.length, 2);
  assert.equal(connection.isClosed, false);
});

test('what is postponed for a client that does not read counts against its limit', (t) => {
  const { connection, receiver, registry } = openPostponed(t, { maxBufferedBytes: 60_000 });
  receiver.writable = false;
  broadcast([connection], 'y');
  assert.ok(registry.stats.dump().bufferedBytes > 70_000);
  assert.ok(connection.isClosed);
});

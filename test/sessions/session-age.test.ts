/** `maxSessionAge`: a session is closed with 1012, whatever its transport and its state. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { testEach } from '../../testkit/node-test.ts';
import { openOfficial } from '../../testkit/official-client.ts';
import { startRouter } from '../../testkit/server.ts';
import { Receiver } from '../../testkit/sockjs-http.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { HTTP_TRANSPORTS, WS_TRANSPORTS, newSession, wsPath } from '../../testkit/transports.ts';
import { FakeReceiver } from './fake-receiver.ts';
import { createRegistry, flushed } from './registry-fixture.ts';

const HOUR_MS = 3_600_000;
const EXPIRED = 'closed 1012 Session has expired';
const CLOSE_FRAME = 'c[1012,"Session has expired"]';

for (const [random, age] of [
  [0, 0.9 * HOUR_MS],
  [0.5, HOUR_MS],
  [1, 1.1 * HOUR_MS],
] as const) {
  test(`with the random number ${random}, a session is closed after ${age} ms`, async (t) => {
    const settings = { maxSessionAge: HOUR_MS, heartbeatDelay: 86_400_000 };
    const { open, pass, registry } = createRegistry(t, settings, () => random);
    const { session, connection } = open();
    const receiver = new FakeReceiver();
    session.attach(receiver);
    pass(age - 1000);
    assert.deepEqual(receiver.texts, ['o']);
    pass(2000);
    await flushed();
    assert.deepEqual(receiver.texts, ['o', CLOSE_FRAME]);
    assert.deepEqual(connection.calls, ['open', EXPIRED]);
    assert.equal(registry.stats.dump().closed.sessionExpired, 1);
  });
}

test('sessions have different ages', (t) => {
  const settings = { maxSessionAge: HOUR_MS, heartbeatDelay: 86_400_000 };
  const { open, pass, registry } = createRegistry(t, settings);
  for (let count = 0; count < 100; count += 1) open().session.attach(new FakeReceiver());
  pass(HOUR_MS);
  const { sessionExpired } = registry.stats.dump().closed;
  assert.ok(sessionExpired > 10 && sessionExpired < 90, `${sessionExpired} of 100`);
});

test('a session between two polls is closed, and its next poll gets the close frame', async (t) => {
  const settings = { maxSessionAge: 2000 };
  const { open, pass } = createRegistry(t, settings, () => 0.5);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  pass(2500);
  await flushed();
  assert.deepEqual(connection.calls, ['open', EXPIRED]);
  const next = new FakeReceiver(1);
  assert.ok(session.attach(next));
  assert.deepEqual(next.texts, [CLOSE_FRAME]);
});

test('messages that were sent before are delivered', async (t) => {
  const { open, pass } = createRegistry(t, { maxSessionAge: 2000 }, () => 0.5);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  connection.send('last');
  pass(2500);
  await flushed();
  const next = new FakeReceiver(10, true);
  session.attach(next);
  assert.deepEqual(next.texts, ['a["last"]', CLOSE_FRAME]);
});

test('a session whose onOpen is pending is closed', async (t) => {
  const { open, pass } = createRegistry(t, { maxSessionAge: 2000 }, () => 0.5);
  const { session, connection } = open();
  connection.opening = new Promise(() => undefined);
  const receiver = new FakeReceiver();
  session.attach(receiver);
  pass(2500);
  await flushed();
  assert.deepEqual(receiver.texts, ['o', CLOSE_FRAME]);
});

test('without maxSessionAge a session is not closed', (t) => {
  const { open, pass } = createRegistry(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  for (let count = 0; count < 100; count += 1) {
    receiver.bytesReceived = count;
    pass(25_000);
  }
  assert.deepEqual(connection.calls, ['open']);
});

testEach(HTTP_TRANSPORTS, 'a client gets the close frame with 1012', async (t, transport) => {
  const { port } = await startRouter(t, { maxSessionAge: 300 });
  const session = newSession();
  const frames: string[] = [];
  while (!frames.includes(CLOSE_FRAME)) {
    const receiver = new Receiver(port, session, transport);
    frames.push(...(await receiver.frames()));
    receiver.close();
  }
  assert.deepEqual(frames, ['o', CLOSE_FRAME]);
});

testEach(WS_TRANSPORTS, 'a client is closed with 1012', async (t, transport) => {
  const { port } = await startRouter(t, { maxSessionAge: 300 });
  const client = await openWebSocket(t, port, wsPath(transport, newSession()));
  assert.deepEqual(await client.closed(), { code: 1012, reason: 'Session has expired' });
});

test('a client that connects again passes authorize again', async (t) => {
  let calls = 0;
  const settings = { maxSessionAge: 300, authorize: () => (calls += 1) };
  class Account extends SockJSConnection<number> {
    override onMessage(): void {}
  }
  const { url } = await startRouter(t, settings, Account);
  for (let count = 1; count <= 2; count += 1) {
    const client = await openOfficial(t, url, { transports: 'xhr-polling' });
    const { code, reason } = await client.closings.next();
    assert.deepEqual([code, reason, calls], [1012, 'Session has expired', count]);
  }
});

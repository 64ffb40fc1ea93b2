/** The pump and the directory in virtual time: no socket, no waiting. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SockJSConnection, connect } from '../../src/api/connection.ts';
import { createMessage } from '../../src/sessions/create-message.ts';
import { SessionRegistry } from '../../src/sessions/session-registry.ts';
import type { Session } from '../../src/sessions/session.ts';
import { type SockJSSettings, resolveSettings } from '../../src/api/settings.ts';
import { FakeReceiver, INFO } from '../support/fakes.ts';
import { Logs } from '../support/service.ts';

const BYE = { code: 1001, reason: 'bye', cause: 'goingAway' } as const;

class Noting extends SockJSConnection {
  readonly calls: string[] = [];
  /** How often `onDrain` sends one more. */
  again = 0;

  override onOpen(): void {
    this.calls.push('open');
  }

  override onMessage(message: string): void {
    this.calls.push(message);
    if (message === 'close') this.close();
    if (message === 'echo') this.send('echoed');
  }

  override onDrain(): void {
    this.calls.push('drain');
    this.again -= 1;
    if (this.again >= 0) this.send('again');
  }

  override onClose(code: number, reason: string): void {
    this.calls.push(`closed ${code} ${reason}`);
  }
}

/** A directory whose clock and interval are moved by `pass`. */
function create(t: TestContext, input: SockJSSettings = {}) {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  let now = 0;
  const created: Noting[] = [];
  const logs = new Logs();
  const make = (session: Session): Noting => {
    const connection = new Noting();
    connect(connection, session);
    created.push(connection);
    return connection;
  };
  const directory = new SessionRegistry('/echo', resolveSettings(input), logs, make, () => now);
  const pass = (milliseconds: number): void => {
    for (let step = 0; step < milliseconds; step += 250) {
      now += 250;
      t.mock.timers.tick(250);
    }
  };
  const open = (key?: string): { session: Session; connection: Noting } => {
    const session = directory.open({
      transport: key === undefined ? 'websocket' : 'xhr',
      info: INFO,
      user: undefined,
      key,
    });
    const connection = created.at(-1);
    assert.ok(connection);
    return { session, connection };
  };
  return { directory, logs, pass, open };
}

/** Until everything that was asked for in this turn is flushed. */
async function flushed(): Promise<void> {
  await Promise.resolve();
}

test('a receiver gets o, and the application is told', (t) => {
  const { open } = create(t);
  const { session, connection } = open('key');
  const receiver = new FakeReceiver(1);
  session.attach(receiver);
  assert.deepEqual(receiver.texts, ['o']);
  assert.ok(receiver.ended);
  assert.deepEqual(connection.calls, ['open']);
});

test('sixteen sends in a turn are one frame', async (t) => {
  const { open } = create(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  for (let count = 0; count < 16; count += 1) connection.send('x');
  assert.deepEqual(receiver.texts, ['o']);
  await flushed();
  assert.deepEqual(receiver.texts, ['o', `a[${Array(16).fill('"x"').join(',')}]`]);
});

test('with immediateFlush off, sends wait for the end of the turn of the event loop', async (t) => {
  const { open } = create(t, { immediateFlush: false });
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  connection.send('a');
  await flushed();
  connection.send('b');
  assert.deepEqual(receiver.texts, ['o']);
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  assert.deepEqual(receiver.texts, ['o', 'a["a","b"]']);
});

test('messages are answered in their order, and the session found by its key', async (t) => {
  const { directory, open } = create(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  assert.equal(directory.find('key'), session);
  assert.ok(session.receive(['a', 'echo', 'b'], 1));
  const poll = new FakeReceiver(1);
  session.attach(poll);
  assert.deepEqual(connection.calls, ['open', 'a', 'echo', 'b']);
  assert.deepEqual(poll.texts, ['a["echoed"]']);
  await flushed();
});

test('close() inside onMessage: no further message, onClose later and once, the close frame for every poll', async (t) => {
  const { directory, open, pass } = create(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  session.receive(['close', 'never'], 1);
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
  assert.ok(session.receive(['late'], 1), 'its client may not know yet');
  pass(5000);
  assert.equal(directory.find('key'), undefined);
  assert.equal(connection.calls.length, 3);
});

test('a second receiver is told so and ended', (t) => {
  const { open } = create(t);
  const { session } = open('key');
  session.attach(new FakeReceiver());
  const second = new FakeReceiver();
  assert.equal(session.attach(second), false);
  assert.deepEqual(second.texts, ['c[2010,"Another connection still open"]']);
  assert.ok(second.ended);
  assert.ok(session.isOpen);
});

test('a receiver that breaks off ends the session with 1002', (t) => {
  const { open } = create(t);
  const { session, connection } = open('key');
  const receiver = new FakeReceiver();
  session.attach(receiver);
  session.interrupted(receiver);
  assert.deepEqual(connection.calls, ['open', 'closed 1002 Connection interrupted']);
  const poll = new FakeReceiver(1);
  session.attach(poll);
  assert.deepEqual(poll.texts, ['c[1002,"Connection interrupted"]']);
});

test('a poll that is lost after it was answered ends the session, and the next receiver is told', (t) => {
  const { open } = create(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  connection.send('lost');
  const answered = new FakeReceiver(1);
  session.attach(answered);
  assert.deepEqual(answered.texts, ['a["lost"]']);
  const next = new FakeReceiver(1);
  session.attach(next);
  session.interrupted(answered);
  assert.deepEqual(next.texts, ['c[1002,"Connection interrupted"]']);
  assert.deepEqual(connection.calls, ['open', 'closed 1002 Connection interrupted']);
});

test('a client that is still taking its last answer is not gone', (t) => {
  const { open, pass } = create(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  const slow = new FakeReceiver(1);
  slow.bufferedBytes = 1000;
  connection.send('long');
  session.attach(slow);
  pass(20_000);
  assert.deepEqual(connection.calls, ['open']);
  session.sent(slow);
  pass(4000);
  assert.deepEqual(connection.calls, ['open']);
  pass(2500);
  assert.deepEqual(connection.calls, ['open', 'closed 1006 Client is gone']);
});

test('a client that does not come back ends the session with 1006', (t) => {
  const { open, pass } = create(t);
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  pass(4750);
  assert.deepEqual(connection.calls, ['open']);
  pass(1250);
  assert.deepEqual(connection.calls, ['open', 'closed 1006 Client is gone']);
});

test('h comes after 25 s of silence', (t) => {
  const { open, pass } = create(t);
  const { session } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  pass(24_000);
  assert.deepEqual(receiver.texts, ['o']);
  pass(2000);
  assert.deepEqual(receiver.texts, ['o', 'h']);
});

test('short delays are kept although sessionCheckInterval is long', (t) => {
  const { open, pass } = create(t, { heartbeatDelay: 1000, sessionCheckInterval: 60_000 });
  const { session } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  pass(1250);
  assert.deepEqual(receiver.texts, ['o', 'h']);
});

test('a receiver that does not keep up is left alone until it drains', async (t) => {
  const { open } = create(t);
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
  session.drained();
  assert.deepEqual(receiver.texts, ['o', 'a["a","b"]']);
  assert.equal(connection.bufferedBytes, 0);
});

test('send asks to wait when the receiver takes no more, and onDrain follows when it does', async (t) => {
  const { open } = create(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  assert.equal(connection.send('a'), true);
  receiver.writable = false;
  assert.equal(connection.send('b'), false);
  await flushed();
  assert.deepEqual(connection.calls, ['open']);
  receiver.writable = true;
  session.drained();
  assert.deepEqual(connection.calls, ['open', 'drain']);
  session.drained();
  assert.deepEqual(connection.calls, ['open', 'drain']);
});

test('between polls send asks to wait from highWaterMark on, and onDrain follows the next poll', async (t) => {
  const { open } = create(t, { highWaterMark: 2 * createMessage('1').size });
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

test('whoever sends again in onDrain is flushed again', async (t) => {
  const { open } = create(t, { highWaterMark: 1 });
  const { session, connection } = open();
  connection.again = 3;
  const receiver = new FakeReceiver();
  session.attach(receiver);
  connection.send('first');
  for (let count = 0; count < 10; count += 1) await flushed();
  assert.deepEqual(receiver.texts, ['o', 'a["first"]', 'a["again"]', 'a["again"]', 'a["again"]']);
});

test('beyond maxBufferedBytes the client is cut off with 1013', async (t) => {
  const { open, logs } = create(t, { maxBufferedBytes: 10 });
  const { session, connection } = open('key');
  const receiver = new FakeReceiver();
  session.attach(receiver);
  receiver.writable = false;
  connection.send('1234567');
  assert.equal(connection.isClosed, false);
  connection.send('8901');
  assert.ok(connection.isClosed);
  assert.ok(receiver.aborted);
  assert.equal(connection.bufferedBytes, 0);
  await flushed();
  assert.deepEqual(connection.calls, ['open', 'closed 1013 Client does not keep up']);
  assert.match(logs.take()[0]?.line ?? '', /over 10 bytes waited; see maxBufferedBytes/);
});

test('between polls the limit is the same, and the next poll learns of it', async (t) => {
  const { open } = create(t, { maxBufferedBytes: 10 });
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  for (let count = 0; count < 11; count += 1) connection.send('x');
  await flushed();
  const poll = new FakeReceiver(1);
  session.attach(poll);
  assert.deepEqual(poll.texts, ['c[1013,"Client does not keep up"]']);
});

test('what drop-oldest has dropped counts as waiting no longer', (t) => {
  const { directory, open } = create(t, { maxBufferedBytes: 250, slowConsumer: 'drop-oldest' });
  const { session, connection } = open('key');
  session.attach(new FakeReceiver(1));
  for (let count = 0; count < 5; count += 1) connection.send('x');
  assert.equal(connection.bufferedBytes, 202);
  assert.equal(directory.stats.dump().bufferedBytes, 202);
});

test('one message may be longer than maxBufferedBytes', async (t) => {
  const { open } = create(t, { maxBufferedBytes: 10 });
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  connection.send('x'.repeat(100));
  await flushed();
  assert.equal(receiver.texts.length, 2);
});

test('a WebSocket that does not close after its close frame is cut off', async (t) => {
  const { directory, open, pass } = create(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  connection.close(4000, 'bye');
  await flushed();
  assert.deepEqual(receiver.texts, ['o', 'c[4000,"bye"]']);
  assert.ok(receiver.ended);
  assert.equal(directory.size, 1);
  pass(6000);
  assert.ok(receiver.aborted);
  assert.equal(directory.size, 0);
});

test('nothing is scheduled while there are no sessions', (t) => {
  const { directory, open, pass } = create(t);
  const { session } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  session.interrupted(receiver, BYE);
  assert.equal(directory.size, 0);
  const before = receiver.texts.length;
  pass(60_000);
  assert.equal(receiver.texts.length, before);
});

test('drain waits until every client was told', async (t) => {
  const { directory, open } = create(t);
  const polling = open('key');
  polling.session.attach(new FakeReceiver(1));
  const socket = open();
  const receiver = new FakeReceiver();
  socket.session.attach(receiver);
  let done = false;
  const drained = directory.drain(BYE, 60_000).then(() => {
    done = true;
  });
  await flushed();
  assert.deepEqual(receiver.texts, ['o', 'c[1001,"bye"]']);
  socket.session.interrupted(receiver, BYE);
  await flushed();
  assert.equal(done, false);
  const poll = new FakeReceiver(1);
  polling.session.attach(poll);
  assert.deepEqual(poll.texts, ['c[1001,"bye"]']);
  await drained;
  assert.equal(directory.size, 0);
  assert.deepEqual(polling.connection.calls, ['open', 'closed 1001 bye']);
});

test('drain cuts off those who do not listen', async (t) => {
  const { directory, open } = create(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  receiver.writable = false;
  const drained = directory.drain(BYE, 2000);
  await flushed();
  t.mock.timers.tick(2000);
  await drained;
  assert.ok(receiver.aborted);
  assert.deepEqual(connection.calls, ['open', 'closed 1001 bye']);
  assert.equal(directory.size, 0);
});

test('drain with nobody there is over at once', async (t) => {
  const { directory } = create(t);
  await directory.drain(BYE, 60_000);
  assert.ok(directory.isDraining);
});

test('a session that never got a receiver goes without any event', (t) => {
  const { directory, open, pass } = create(t);
  const { connection } = open('key');
  pass(6000);
  assert.equal(directory.size, 0);
  assert.deepEqual(connection.calls, []);
});

test('the figures follow the sessions, and rates are means over ten seconds', async (t) => {
  const { directory, open, pass } = create(t);
  const { session, connection } = open();
  const receiver = new FakeReceiver();
  session.attach(receiver);
  open('key').session.attach(new FakeReceiver(1));
  session.receive(['a', 'b', 'c'], 1);
  for (let count = 0; count < 5; count += 1) connection.send('x');
  await flushed();
  pass(1000);
  const dump = directory.stats.dump();
  assert.equal(dump.sessionsActive, 2);
  assert.equal(dump.transpWebsocket, 1);
  assert.equal(dump.transpXhr, 1);
  assert.equal(dump.connectionsActive, 1);
  assert.equal(dump.packetsRecvPs, 0.3);
  assert.equal(dump.packetsSentPs, 0.5);
  pass(11_000);
  const later = directory.stats.dump();
  assert.equal(later.packetsRecvPs, 0);
  assert.equal(later.packetsSentPs, 0);
  assert.equal(later.sessionsActive, 1);
  assert.equal(later.transpXhr, 0);
});

test('the applications of open sessions can be iterated over', (t) => {
  const { directory, open } = create(t);
  const { session, connection } = open();
  assert.deepEqual([...directory.applications()], []);
  session.attach(new FakeReceiver());
  assert.deepEqual([...directory.applications()], [connection]);
  connection.close();
  assert.deepEqual([...directory.applications()], []);
});

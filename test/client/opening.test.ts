/** Opening of connections by sockjs-client: choice of transport, `onOpen`, and the request. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConnectionInfo, SockJSConnection, type TransportName } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import {
  CLIENT_TRANSPORTS,
  type ClientTransportName,
  connectOfficial,
  openOfficial,
} from '../../testkit/official-client.ts';
import { Echo, startRouter } from '../../testkit/server.ts';
import { testEach } from '../../testkit/node-test.ts';
import { until } from '../../testkit/until.ts';

/** Names of transports in sockjs-client and here. */
const OURS: Readonly<Record<ClientTransportName, TransportName>> = {
  websocket: 'websocket',
  'xhr-streaming': 'xhr_streaming',
  eventsource: 'eventsource',
  'xhr-polling': 'xhr',
};

testEach(CLIENT_TRANSPORTS, 'messages wait while onOpen is pending', async (t, transports) => {
  const heard = new AsyncQueue<string>('a message');
  let admit: (() => void) | undefined;
  class Thorough extends SockJSConnection {
    override onOpen(): Promise<void> {
      return new Promise((resolve) => {
        admit = resolve;
      });
    }
    override onMessage(message: string): void {
      heard.push(message);
    }
  }
  const { url, router } = await startRouter(t, {}, Thorough);
  const elsewhere = await startRouter(t);
  const client = await openOfficial(t, url, { transports });
  client.send('one', 'two', 'three');
  // The round trips of another client give the earlier messages time to arrive.
  const other = await openOfficial(t, elsewhere.url, { transports });
  for (const word of ['a', 'b', 'c']) {
    other.send(word);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await other.messages.next();
  }
  assert.equal(heard.size, 0);
  assert.equal([...router.connections].length, 0);
  client.send('four');
  admit?.();
  assert.deepEqual(await heard.take(4), ['one', 'two', 'three', 'four']);
  assert.equal([...router.connections].length, 1);
});

testEach(
  CLIENT_TRANSPORTS,
  'messages that a pending onOpen sends are delivered',
  async (t, transports) => {
    class Talkative extends SockJSConnection {
      override async onOpen(): Promise<void> {
        this.send('first');
        await new Promise(setImmediate);
        this.send('second');
      }
    }
    const { url } = await startRouter(t, {}, Talkative);
    const client = await openOfficial(t, url, { transports });
    assert.deepEqual(await client.messages.take(2), ['first', 'second']);
  },
);

testEach(CLIENT_TRANSPORTS, 'heartbeats keep an idle client', async (t, transports) => {
  const { url } = await startRouter(t, {
    heartbeatDelay: 20,
    pingTimeout: 20,
    disconnectDelay: 1000,
  });
  const client = await openOfficial(t, url, { transports });
  await client.heartbeats.take(3);
  client.send('still there');
  assert.equal(await client.messages.next(), 'still there');
  await client.heartbeats.take(2);
  assert.equal(client.closings.size, 0);
});

// Outside a browser sockjs-client treats a refused eventsource as interrupted, and times out on the next transport too.
// So no case goes past a refused eventsource.
const FALLBACKS: readonly {
  disabled: TransportName[];
  next: ClientTransportName;
  transports?: ClientTransportName[];
}[] = [
  { disabled: [], next: 'websocket' },
  { disabled: ['websocket'], next: 'xhr-streaming' },
  { disabled: ['websocket', 'xhr_streaming'], next: 'eventsource' },
  {
    disabled: ['websocket', 'xhr_streaming'],
    next: 'xhr-polling',
    transports: ['websocket', 'xhr-streaming', 'xhr-polling'],
  },
];

for (const { disabled, next, ...options } of FALLBACKS) {
  test(`without [${disabled.join(', ')}] the client falls back to ${next}`, async (t) => {
    const { url, router } = await startRouter(t, { disabledTransports: disabled });
    const client = await openOfficial(t, url, options);
    assert.equal(client.transport, next);
    assert.deepEqual(
      [...router.connections].map(({ transport }) => transport),
      [OURS[next]],
    );
    client.send('hello');
    assert.equal(await client.messages.next(), 'hello');
  });
}

test('with every transport disabled the client closes with 2000', async (t) => {
  const disabledTransports = Object.values(OURS);
  const { url } = await startRouter(t, { disabledTransports });
  const { code, reason } = await connectOfficial(t, url).closings.next();
  assert.deepEqual({ code, reason }, { code: 2000, reason: 'All transports failed' });
});

testEach(CLIENT_TRANSPORTS, 'the client goes where base_url sends it', async (t, transports) => {
  const target = await startRouter(t);
  const { url, router } = await startRouter(t, { baseUrl: target.url });
  const client = await openOfficial(t, url, { transports });
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
  assert.deepEqual([...router.connections], []);
  assert.equal([...target.router.connections].length, 1);
});

test('a page of another origin is refused, and the log names the setting', async (t) => {
  const { url, logger, router } = await startRouter(t);
  const headers = { Origin: 'https://elsewhere.example' };
  const client = connectOfficial(t, url, { transports: 'websocket', headers });
  assert.equal((await client.closings.next()).code, 2000);
  assert.equal(router.stats.dump().sessionsActive, 0);
  const [refusal, ...more] = logger.take();
  assert.equal(refusal?.level, 'warn');
  assert.match(refusal?.line ?? '', /allowedOrigins: \["https:\/\/elsewhere\.example"\]/);
  assert.deepEqual(more, []);
});

test('a page of the same origin is admitted', async (t) => {
  const { url, port } = await startRouter(t);
  const headers = { Origin: `http://127.0.0.1:${port}` };
  const client = await openOfficial(t, url, { transports: 'websocket', headers });
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
});

test('a page of an origin that is named is admitted', async (t) => {
  const { url } = await startRouter(t, { allowedOrigins: ['https://*.example.com'] });
  const headers = { Origin: 'https://app.example.com' };
  const client = await openOfficial(t, url, { transports: 'websocket', headers });
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
});

class Curious extends SockJSConnection {
  static readonly opened = new AsyncQueue<{ connection: Curious; info: ConnectionInfo }>('onOpen');

  override onOpen(info: ConnectionInfo): void {
    Curious.opened.push({ connection: this, info });
  }
}

testEach(
  CLIENT_TRANSPORTS,
  'info has the request of the client without its session id',
  async (t, transports) => {
    const { url, port } = await startRouter(t, {}, Curious);
    const SECRET = 'a-session-id';
    await openOfficial(t, `${url}?token=t%20k&twice=1&twice=2`, {
      transports,
      server: 'node-7',
      sessionId: () => SECRET,
      headers: { Cookie: 'a=1; b=%C3%A9', 'X-Custom': 'yes' },
    });
    const { connection, info } = await Curious.opened.next();
    assert.equal(connection.info, info);
    assert.equal(info.ip, '127.0.0.1');
    assert.equal(info.path, '/echo/node-7');
    assert.equal(info.secure, false);
    assert.equal(info.getArgument('token'), 't k');
    assert.deepEqual(info.arguments.getAll('twice'), ['1', '2']);
    assert.equal(info.getArgument('absent'), undefined);
    assert.equal(info.getHeader('Host'), `127.0.0.1:${port}`);
    assert.equal(info.headers['host'], `127.0.0.1:${port}`);
    assert.equal(info.getHeader('absent'), undefined);
    assert.equal(connection.transport, OURS[transports]);
    assert.doesNotMatch(JSON.stringify([info.headers, info.path, connection.id]), /a-session-id/);
    if (transports !== 'websocket') return;
    assert.deepEqual(info.cookies, { a: '1', b: 'é' });
    assert.equal(info.getCookie('b'), 'é');
    assert.equal(info.getCookie('c'), undefined);
    assert.equal(info.getHeader('x-custom'), 'yes');
  },
);

test('every connection has an id of its own', async (t) => {
  const { url, router } = await startRouter(t);
  // All use one session id, and each WebSocket is a separate session.
  const options = { transports: 'websocket', sessionId: () => 'same' } as const;
  await Promise.all([
    openOfficial(t, url, options),
    openOfficial(t, url, options),
    openOfficial(t, url, options),
  ]);
  const ids = Array.from(router.connections, ({ id }) => id);
  assert.equal(new Set(ids).size, 3);
  const again = Array.from(router.connections, ({ id }) => id);
  assert.deepEqual(again, ids, 'and keeps it');
});

test('broadcast reaches the clients of all transports', async (t) => {
  class Shouting extends SockJSConnection {
    override onMessage(message: string): void {
      this.broadcast(router.connections, message);
    }
  }
  const { url, router } = await startRouter(t, {}, Shouting);
  const clients = await Promise.all(
    CLIENT_TRANSPORTS.map((transports) => openOfficial(t, url, { transports })),
  );
  clients[0]?.send('to all', 'once more');
  const heard = await Promise.all(clients.map((client) => client.messages.take(2)));
  assert.deepEqual(
    heard,
    CLIENT_TRANSPORTS.map(() => ['to all', 'once more']),
  );
});

test('broadcast takes any iterable, of several routers, and skips closed connections', async (t) => {
  const [here, there] = [await startRouter(t), await startRouter(t)];
  const near = await openOfficial(t, here.url, { transports: 'websocket' });
  const far = await openOfficial(t, there.url, { transports: 'xhr-streaming' });
  const gone = await openOfficial(t, there.url, { transports: 'websocket' });
  const all = new Set([...here.router.connections, ...there.router.connections]);
  gone.close();
  await until(() => [...there.router.connections].length === 1, 'it is gone');
  here.router.broadcast(all, 'hello');
  assert.deepEqual([await near.messages.next(), await far.messages.next()], ['hello', 'hello']);
});

testEach(CLIENT_TRANSPORTS, 'connections holds those that are open', async (t, transports) => {
  const { url, router } = await startRouter(t);
  assert.deepEqual([...router.connections], []);
  await openOfficial(t, url, { transports });
  const client = await openOfficial(t, url, { transports });
  const [first, second, ...more] = router.connections;
  assert.ok(first instanceof Echo && second instanceof Echo);
  assert.deepEqual(more, []);
  assert.equal(first.isClosed, false);
  first.close(4000);
  assert.equal(first.isClosed, true, 'at once');
  assert.equal(first.send('too late'), false);
  assert.deepEqual([...router.connections], [second]);
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
  await until(() => second.bufferedBytes === 0, 'all is sent');
});

test('a connection that no router opened throws ERR_NOT_CONNECTED', () => {
  assert.throws(() => new Echo().send('hello'), { code: 'ERR_NOT_CONNECTED' });
});

const COUNTERS = {
  websocket: 'transpWebsocket',
  'xhr-streaming': 'transpXhrStreaming',
  eventsource: 'transpEventsource',
  'xhr-polling': 'transpXhr',
} as const;

testEach(CLIENT_TRANSPORTS, 'stats counts the sessions that are open', async (t, transports) => {
  const { url, router } = await startRouter(t, { disconnectDelay: 1000 });
  const client = await openOfficial(t, url, { transports });
  await openOfficial(t, url, { transports });
  const counter = COUNTERS[transports];
  const receivers = (): number => router.stats.dump().connectionsActive;
  await until(() => receivers() === 2, 'both wait for frames');
  const { sessionsActive, [counter]: ofTransport, ...rest } = router.stats.dump();
  assert.deepEqual([sessionsActive, ofTransport], [2, 2]);
  const others = Object.values(COUNTERS).filter((name) => name !== counter);
  assert.ok(others.every((name) => Reflect.get(rest, name) === 0));

  client.close();
  await until(() => router.stats.dump().sessionsActive === 1, 'one has ended');
  await router.close();
  const end = router.stats.dump();
  assert.deepEqual([end.sessionsActive, end.connectionsActive, end[counter]], [0, 0, 0]);
});

/** Clients that send faster than asynchronous handlers settle, or than their rate allows. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { multiplex } from '../../src/extras/multiplex.ts';
import { webSocketHandler } from '../../src/extras/ws-compat.ts';
import { SockJSConnection, type SockJSSettings } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { type Deferred, deferred, until } from '../../testkit/until.ts';

/** Messages whose handlers have begun, and the handlers that are pending. */
class Handlers {
  readonly messages = new AsyncQueue<string>('a message');
  readonly pending: Deferred<void>[] = [];
  maxPending = 0;

  async handle(message: string): Promise<void> {
    this.messages.push(message);
    const result = deferred();
    this.pending.push(result);
    this.maxPending = Math.max(this.maxPending, this.pending.length);
    await result.promise;
  }

  /** Settles handlers until `count` messages have been handled. @returns the messages */
  async settleAll(count: number): Promise<string[]> {
    const taken: string[] = [];
    while (taken.length < count) {
      taken.push(await this.messages.next());
      this.pending.shift()?.resolve();
    }
    return taken;
  }
}

function connectionClass(handlers: Handlers): new () => SockJSConnection {
  return class Slow extends SockJSConnection {
    override async onMessage(message: string): Promise<void> {
      await handlers.handle(message);
    }

    override async onBinary(data: Uint8Array): Promise<void> {
      await handlers.handle(String(data.length));
    }
  };
}

const numbers = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => String(index));

const COUNT = 500;
const KINDS: readonly (readonly [
  name: string,
  create: (handlers: Handlers) => new () => SockJSConnection,
  prefix: string,
])[] = [
  ['a connection', connectionClass, ''],
  ['a channel', (handlers) => multiplex({ room: connectionClass(handlers) }), 'msg,room,'],
  [
    'a listener of ws-compat',
    (handlers) =>
      webSocketHandler((socket) =>
        socket.on('message', (data): unknown => handlers.handle(String(data))),
      ),
    '',
  ],
];

async function serve(
  t: TestContext,
  settings: SockJSSettings,
  create: (handlers: Handlers) => new () => SockJSConnection = connectionClass,
) {
  const handlers = new Handlers();
  return { ...(await startRouter(t, settings, create(handlers))), handlers };
}

for (const [name, create, prefix] of KINDS) {
  for (const max of [1, 10, undefined]) {
    test(`one fast client of ${name} whose handlers are slow has ${max ?? 'at most 100'} pending, and loses nothing`, async (t) => {
      const settings = max === undefined ? {} : { maxConcurrentHandlers: max };
      const { port, handlers } = await serve(t, settings, create);
      const client = await openWebSocket(t, port, '/echo/websocket');
      if (prefix !== '') client.send('sub,room');
      for (const number of numbers(COUNT)) client.send(prefix + number);
      await until(() => handlers.pending.length === (max ?? 100), 'pending handlers');
      assert.deepEqual(await handlers.settleAll(COUNT), numbers(COUNT));
      assert.equal(handlers.maxPending, max ?? 100);
    });
  }
}

test('one fast client that sends bytes has maxConcurrentHandlers pending', async (t) => {
  const { port, handlers } = await serve(t, { maxConcurrentHandlers: 3 });
  const client = await openWebSocket(t, port, '/echo/websocket');
  for (let count = 0; count < 20; count += 1) client.send(Buffer.alloc(count));
  assert.deepEqual(await handlers.settleAll(20), numbers(20));
  assert.equal(handlers.maxPending, 3);
});

test('a WebSocket whose handlers are pending is not read', async (t) => {
  const { port, handlers, router } = await serve(t, { maxConcurrentHandlers: 1 });
  const client = await openWebSocket(t, port, '/echo/websocket');
  const message = 'x'.repeat(100_000);
  for (let count = 0; count < 100; count += 1) client.send(message);
  await until(() => handlers.pending.length === 1, 'a pending handler');
  let received = -1;
  await until(() => {
    const before = received;
    received = router.stats.dump().packetsRecvTotal;
    return received === before;
  }, 'the server to stop reading');
  assert.ok(received <= 10, `${received} messages were read`);
  assert.equal((await handlers.settleAll(100)).length, 100);
});

for (const [endpoint, status] of [
  ['xhr_send', 204],
  ['jsonp_send', 200],
] as const) {
  test(`${endpoint}: the messages of one body are handled as handlers settle, and the next body waits`, async (t) => {
    const { port, handlers, router } = await serve(t, { maxConcurrentHandlers: 2 });
    const options = { endpoint, headers: [['Content-Type', 'text/plain']] } as const;
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    const first = await postBody(port, session, JSON.stringify(numbers(5)), options);
    assert.equal(first.status, status);
    assert.equal(handlers.pending.length, 2);
    let isAnswered = false;
    const second = postBody(port, session, '["5"]', options).then((response) => {
      isAnswered = true;
      return response;
    });
    await until(() => router.stats.dump().connectionsTotal === 3, 'the second body');
    assert.equal((await postBody(port, session, '["x"]', options)).status, 429);
    assert.equal(isAnswered, false);
    assert.deepEqual(await handlers.settleAll(6), numbers(6));
    assert.equal((await second).status, status);
    assert.equal(handlers.maxPending, 2);
  });
}

test('a body that waits for handlers which never settle gets its response when the router closes', async (t) => {
  const { port, handlers, router } = await serve(t, { maxConcurrentHandlers: 1 });
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await postBody(port, session, '["a","b"]');
  const waiting = postBody(port, session, '["c"]');
  await until(() => router.stats.dump().connectionsTotal === 3, 'the second body');
  const closed = router.close({ timeout: 5000 });
  assert.equal((await waiting).status, 204);
  assert.equal(await poll(port, session), 'c[1001,"Server is going away"]');
  await closed;
  assert.deepEqual(await handlers.settleAll(1), ['a']);
  assert.equal(handlers.messages.size, 0, 'messages that wait are dropped');
});

test('a message of one channel waits for a busy one, and follows when its handler settles', async (t) => {
  const handlers = new Handlers();
  const other = new Handlers();
  const channels = { busy: connectionClass(handlers), other: connectionClass(other) };
  const { port } = await startRouter(t, { maxConcurrentHandlers: 1 }, multiplex(channels));
  const client = await openWebSocket(t, port, '/echo/websocket');
  for (const text of ['sub,busy', 'sub,other', 'msg,busy,1', 'msg,other,2']) client.send(text);
  assert.equal(await handlers.messages.next(), '1');
  assert.equal(other.messages.size, 0);
  handlers.pending.shift()?.resolve();
  assert.deepEqual(await other.settleAll(1), ['2']);
});

test('a channel that closes while its handler is pending does not delay its client any longer', async (t) => {
  const handlers = new Handlers();
  class Closing extends SockJSConnection {
    override async onMessage(message: string): Promise<void> {
      setImmediate(() => this.close(4000, 'enough'));
      await handlers.handle(message);
    }
  }
  const settings = { maxConcurrentHandlers: 1 };
  const { port } = await startRouter(t, settings, multiplex({ closing: Closing }));
  const client = await openWebSocket(t, port, '/echo/websocket');
  for (const text of ['sub,closing', 'msg,closing,1', 'sub,none']) client.send(text);
  assert.equal(await client.next(), 'uns,closing,4000,enough');
  assert.equal(await client.next(), 'uns,none,1008,No such channel');
});

test('a handler that waits for the next message of its client gets it', async (t) => {
  const messages = new AsyncQueue<string>('a message');
  class Conversation extends SockJSConnection {
    #isAsking = false;

    override async onMessage(message: string): Promise<void> {
      if (this.#isAsking) {
        messages.push(message);
        return;
      }
      this.#isAsking = true;
      this.send(`question after ${message}`);
      this.send(`answer: ${await messages.next()}`);
    }
  }
  const { port } = await startRouter(t, {}, Conversation);
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.send('first');
  assert.equal(await client.next(), 'question after first');
  client.send('second');
  assert.equal(await client.next(), 'answer: second');
});

const RATE = 100;
const WITHIN_BURST = RATE + 10;

test('a body over maxMessagesPerSecond is handled at that rate', async (t) => {
  const { port, handlers } = await serve(t, {
    maxMessagesPerSecond: RATE,
    maxConcurrentHandlers: 1000,
  });
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  const began = performance.now();
  const body = JSON.stringify(numbers(2 * RATE));
  assert.equal((await postBody(port, session, body)).status, 204);
  const early = handlers.messages.size;
  assert.deepEqual(await handlers.settleAll(2 * RATE), numbers(2 * RATE));
  const took = performance.now() - began;
  assert.ok(took >= 990, `${took} ms`);
  const atMost = RATE + (took / 1000) * RATE;
  assert.ok(early >= RATE && early <= atMost, `${early} messages at once`);
});

test('a WebSocket message with many messages is handled at the rate of maxMessagesPerSecond', async (t) => {
  const { port, handlers } = await serve(t, {
    maxMessagesPerSecond: RATE,
    maxConcurrentHandlers: 1000,
  });
  const client = await openWebSocket(t, port, `${newSession()}/websocket`);
  const began = performance.now();
  client.send(JSON.stringify(numbers(2 * RATE)));
  assert.deepEqual(await handlers.settleAll(2 * RATE), numbers(2 * RATE));
  assert.ok(performance.now() - began >= 990);
});

test('with the policy close, nothing of a body over maxMessagesPerSecond is handled', async (t) => {
  const settings = { maxMessagesPerSecond: RATE, rateLimitPolicy: 'close' } as const;
  const { port, handlers, router } = await serve(t, settings);
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await postBody(port, session, JSON.stringify(numbers(WITHIN_BURST)));
  assert.equal(await poll(port, session), 'c[1008,"Too many messages"]');
  assert.equal(handlers.messages.size, 0);
  assert.equal(router.stats.dump().closed.rateLimited, 1);
});

test('10,000 messages that wait are dropped when their client disconnects', async (t) => {
  const { port, handlers, router } = await serve(t, { maxMessagesPerSecond: 10 });
  const client = await openWebSocket(t, port, `${newSession()}/websocket`);
  client.send(JSON.stringify(numbers(10_000)));
  await until(() => handlers.messages.size === 10, 'the first messages');
  client.abort();
  await until(() => router.stats.dump().sessionsActive === 0, 'the end', {
    state: () => router.stats.dump(),
  });
  assert.ok(handlers.messages.size < 100);
});

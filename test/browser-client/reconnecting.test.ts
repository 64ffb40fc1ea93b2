/** Losses of the connection: restarts, cuts, the queue, uncertain messages, the heartbeat and the page. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SockJSConnection } from '../../src/index.ts';
import {
  BROWSER_TRANSPORTS,
  type BrowserClient,
  connectClient,
  openClient,
} from '../../testkit/browser-client.ts';
import { StallingStage } from '../../testkit/network-faults.ts';
import { startNode } from '../../testkit/process.ts';
import { testEach } from '../../testkit/node-test.ts';
import { createRouter, startRouter, startServer } from '../../testkit/server.ts';
import { TcpRelay } from '../../testkit/tcp-relay.ts';
import { until } from '../../testkit/until.ts';
import { startService } from './service.ts';

testEach(
  BROWSER_TRANSPORTS,
  'after a restart of the server it connects again, and sends what was sent meanwhile',
  async (t, transport) => {
    const service = await startService(t);
    const client = await openClient(t, service.url, { transports: [transport] });
    client.socket.send('before');
    assert.equal(await client.next(), 'before');
    await service.kill();
    const loss = await client.losses.next();
    assert.deepEqual([loss.code, loss.attempt, client.socket.readyState], [1006, 1, 0]);
    assert.ok(client.socket.send('meanwhile'));
    assert.ok(client.socket.bufferedAmount >= 'meanwhile'.length);
    await service.restart();
    assert.equal(await client.opens.next(), true);
    assert.equal(await client.next(), 'meanwhile');
    assert.equal(client.socket.transport, transport);
    assert.equal(client.closings.size, 0);
  },
);

testEach(BROWSER_TRANSPORTS, 'after a network cut it connects again', async (t, transports) => {
  const { port } = await startService(t);
  const relay = await TcpRelay.start(port);
  t.after(() => relay.close());
  const client = await openClient(t, `http://127.0.0.1:${relay.port}/echo`, {
    transports: [transports],
  });
  relay.cut();
  await client.losses.next();
  await client.losses.next();
  client.socket.send('meanwhile');
  relay.mend();
  assert.equal(await client.opens.next(), true);
  assert.equal(await client.next(), 'meanwhile');
});

test('a graceful shutdown is followed by a reconnect', async (t) => {
  const { url, router } = await startRouter(t);
  const client = await openClient(t, url);
  await router.close({ timeout: 100 });
  const { code, wasClean } = await client.losses.next();
  assert.deepEqual([code, wasClean], [1001, true]);
});

for (const [code, isFinal] of [
  [1000, true],
  [1001, false],
  [1003, true],
  [1008, true],
  [1011, false],
  [1012, false],
  [3000, true],
  [4899, true],
  [4900, false],
  [4999, false],
] as const) {
  test(`a close by the server with ${code} is ${isFinal ? 'final' : 'followed by a reconnect'}`, async (t) => {
    class Closing extends SockJSConnection {
      override onOpen(): void {
        this.close(code, 'told');
      }
    }
    const { url } = await startRouter(t, {}, Closing);
    const client = connectClient(t, url);
    const queue = isFinal ? client.closings : client.losses;
    const loss = await queue.next();
    assert.deepEqual([loss.code, loss.reason, loss.wasClean], [code, 'told', true]);
    if (isFinal) assert.equal(client.losses.size, 0);
    else assert.equal(client.closings.size, 0);
  });
}

test('what an open listener sends precedes the queue', async (t) => {
  const service = await startService(t);
  const client = connectClient(t, service.url);
  client.socket.onopen = () => void client.socket.send('subscribe');
  client.socket.send('queued');
  assert.deepEqual(await client.messages.take(2), ['subscribe', 'queued']);
  await service.kill();
  await client.losses.next();
  client.socket.send('queued again');
  await service.restart();
  assert.deepEqual(await client.messages.take(2), ['subscribe', 'queued again']);
});

test('a full queue takes no more messages, and those in it arrive', async (t) => {
  const service = await startService(t);
  await service.kill();
  const client = connectClient(t, service.url, { maxBufferedBytes: 100 });
  assert.ok(client.socket.send('ä'.repeat(20)));
  assert.equal(client.socket.bufferedAmount, 40);
  assert.ok(client.socket.send('b'.repeat(60)));
  assert.equal(client.socket.send('c'), false);
  await service.restart();
  assert.deepEqual(await client.messages.take(2), ['ä'.repeat(20), 'b'.repeat(60)]);
  assert.ok(client.socket.send('c'));
});

testEach(
  BROWSER_TRANSPORTS,
  'messages whose delivery is unknown are reported as uncertain, and not sent again',
  async (t, transport) => {
    const service = await startService(t);
    const stalling = new StallingStage();
    const relay = await TcpRelay.start(service.port, { toServer: stalling.stage });
    t.after(() => relay.close());
    const url = `http://127.0.0.1:${relay.port}/echo`;
    const client = await openClient(t, url, { transports: [transport] });
    stalling.stall();
    client.socket.send('lost 1');
    client.socket.send('lost 2');
    await setImmediate();
    client.socket.send('queued');
    await setImmediate();
    relay.reset();
    const { uncertain } = await client.losses.next();
    // A WebSocket takes every message at once, and a request takes those of one turn.
    const taken = ['lost 1', 'lost 2', 'queued'];
    assert.deepEqual(uncertain, transport === 'websocket' ? taken : taken.slice(0, 2));
    assert.equal(service.record.received.length, 0);
    stalling.resume();
    if (transport !== 'websocket') assert.equal(await client.next(), 'queued');
  },
);

testEach(
  BROWSER_TRANSPORTS,
  'messages that the server has confirmed are not uncertain',
  async (t, transport) => {
    const service = await startService(t);
    const client = await openClient(t, service.url, { transports: [transport] });
    client.socket.send('arrives');
    await client.next();
    // A response confirms its request, and a frame what was sent over a WebSocket a second before.
    await setTimeout(1050);
    client.socket.send('confirms');
    await client.next();
    await setTimeout(500);
    await service.kill();
    const { uncertain } = await client.losses.next();
    assert.deepEqual(uncertain, transport === 'websocket' ? ['confirms'] : []);
  },
);

testEach(
  BROWSER_TRANSPORTS.filter((name) => name !== 'websocket'),
  'a message that a lost session has refused is sent in the next session',
  async (t, transport) => {
    const service = await startService(t);
    const client = await openClient(t, service.url, { transports: [transport] });
    // The sessions of the router are gone, while the server goes on.
    service.site.provide(new Map([['/echo', {}]]));
    client.socket.send('refused');
    const { uncertain, reason } = await client.losses.next();
    assert.equal(reason, 'HTTP 404');
    assert.deepEqual(uncertain, []);
    assert.equal(await client.next(), 'refused');
    assert.equal(client.closings.size, 0);
  },
);

testEach(
  BROWSER_TRANSPORTS,
  'a message that is too big is final, and not sent again and again',
  async (t, transport) => {
    const service = await startService(t, { maxMessageBytes: 1000 });
    const client = await openClient(t, service.url, { transports: [transport] });
    client.socket.send('x'.repeat(2000));
    const { code, status } = await client.closed();
    assert.deepEqual([code, status], transport === 'websocket' ? [1009, undefined] : [1006, 413]);
  },
);

test('the delay grows with each attempt, within its limits', async (t) => {
  const service = await startService(t);
  await service.kill();
  t.mock.method(Math, 'random', () => 0.999);
  const client = connectClient(t, service.url, { reconnectDelay: 10, maxReconnectDelay: 50 });
  const delays: number[] = [];
  client.socket.addEventListener('reconnecting', ({ delay }) => delays.push(Math.ceil(delay)));
  for (let count = 0; count < 5; count += 1) await client.losses.next();
  assert.deepEqual(delays, [10, 20, 40, 50, 50]);
});

test('a server that closes at once is not attempted in a tight loop', async (t) => {
  class Closing extends SockJSConnection {
    override onOpen(): void {
      this.close(1012);
    }
  }
  const { url } = await startRouter(t, {}, Closing);
  const client = connectClient(t, url, { reconnectDelay: 1 });
  for (const attempt of [1, 2, 3, 4]) assert.equal((await client.losses.next()).attempt, attempt);
});

test('the delays start again after a session that stayed open for more than 2 s', async (t) => {
  class Restarting extends SockJSConnection {
    override onMessage(): void {
      this.close(1012);
    }
  }
  const { url } = await startRouter(t, {}, Restarting);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const client = await openClient(t, url);
  const attempts: number[] = [];
  for (const timeOpen of [0, 2000, 2001, 2000]) {
    t.mock.timers.tick(timeOpen);
    client.socket.send('restart');
    attempts.push((await client.losses.next()).attempt);
    await client.opens.next();
  }
  assert.deepEqual(attempts, [1, 2, 1, 2]);
});

testEach(
  BROWSER_TRANSPORTS,
  'a connection on which nothing arrives is lost after the heartbeat timeout',
  async (t, transport) => {
    const service = await startService(t);
    const stalling = new StallingStage();
    const relay = await TcpRelay.start(service.port, { toClient: stalling.stage });
    t.after(() => relay.close());
    const url = `http://127.0.0.1:${relay.port}/echo`;
    const options = { transports: [transport], heartbeatTimeout: 200 };
    const client = await openClient(t, url, options);
    stalling.stall();
    assert.equal((await client.losses.next()).reason, 'No heartbeat');
    stalling.resume();
    await client.opens.next();
  },
);

testEach(
  BROWSER_TRANSPORTS,
  'heartbeats keep a connection open that is otherwise idle',
  async (t, transport) => {
    const service = await startService(t, { heartbeatDelay: 100 });
    const options = { transports: [transport], heartbeatTimeout: 600 };
    const client = await openClient(t, service.url, options);
    await setTimeout(1200);
    assert.equal(client.losses.size, 0);
    client.socket.send('still there');
    assert.equal(await client.next(), 'still there');
  },
);

test('a listener that throws, or shouldReconnect that throws, does not stop the client', async (t) => {
  const service = await startService(t);
  const program = fileURLToPath(new URL('throwing-listeners.ts', import.meta.url));
  const client = startNode(t, program, [service.url], { ipc: true });
  assert.equal(await client.nextMessage(), 'two');
  await service.kill();
  assert.deepEqual(await client.nextMessage(), {
    code: 1006,
    errors: ['of the listener', 'of the listener', 'of shouldReconnect'],
  });
  await client.stop();
});

/** A page whose events the test dispatches. */
function fakePage(t: TestContext): EventTarget {
  const page = new EventTarget();
  const add = page.addEventListener.bind(page);
  Reflect.set(globalThis, 'addEventListener', add);
  t.after(() => void Reflect.deleteProperty(globalThis, 'addEventListener'));
  return page;
}

async function waitLong(t: TestContext): Promise<{ page: EventTarget; client: BrowserClient }> {
  const page = fakePage(t);
  const service = await startService(t);
  await service.kill();
  t.mock.method(Math, 'random', () => 0.999);
  const delays = { reconnectDelay: 60_000, maxReconnectDelay: 60_000 };
  const client = connectClient(t, service.url, delays);
  await client.losses.next();
  await service.restart();
  return { page, client };
}

for (const type of ['online', 'visibilitychange']) {
  test(`the event ${type} of the page starts the next attempt at once`, async (t) => {
    const { page, client } = await waitLong(t);
    page.dispatchEvent(new Event(type));
    await client.opens.next();
  });
}

testEach(
  BROWSER_TRANSPORTS,
  'a page that is hidden disconnects, and connects again when it is shown',
  async (t, transport) => {
    const page = fakePage(t);
    const service = await startService(t);
    const client = await openClient(t, service.url, { transports: [transport] });
    page.dispatchEvent(new Event('pagehide'));
    const { code, reason } = await client.losses.next();
    assert.deepEqual([code, reason], [1001, 'Page hidden']);
    await until(() => service.record.closings.length === 1, 'onClose');
    page.dispatchEvent(new Event('online'));
    client.socket.send('while hidden');
    page.dispatchEvent(new Event('pageshow'));
    assert.equal(await client.opens.next(), true);
    assert.equal(await client.next(), 'while hidden');
    assert.equal(service.record.opened, 2);
  },
);

test('a pageshow without a pagehide has no effect, and a closed socket ignores the page', async (t) => {
  const page = fakePage(t);
  const service = await startService(t);
  const client = await openClient(t, service.url);
  page.dispatchEvent(new Event('pageshow'));
  client.socket.close();
  await client.closed();
  for (const type of ['pagehide', 'pageshow', 'online']) page.dispatchEvent(new Event(type));
  assert.deepEqual(service.leaves, ['info', 'websocket']);
  assert.equal(client.losses.size, 0);
});

test('a client that connects again before the process ends gets 503, and tries once more', async (t) => {
  const server = createServer((_request, response) => void response.writeHead(404).end());
  const port = await startServer(t, server);
  const service = createRouter(t);
  service.attach(server);
  const client = await openClient(t, `http://127.0.0.1:${port}/echo`, { reconnectDelay: 50 });
  await service.close();
  assert.equal((await client.losses.next()).code, 1001);
  const loss = await client.losses.next();
  assert.deepEqual([loss.status, loss.attempt], [503, 2]);
  createRouter(t).attach(server); // It replaces the closed one.
  assert.equal(await client.opens.next(), true);
  assert.equal(client.closings.size, 0);
});

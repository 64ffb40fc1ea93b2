/** `maxMessagesPerSecond`: a client over its rate is delayed, or closed. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SockJSConnection, type SockJSSettings } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';
import { newSession } from '../../testkit/transports.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

/** Starts a router that records messages and closes. */
async function serveNoting(t: TestContext, settings: SockJSSettings) {
  const messages = new AsyncQueue<string>('a message');
  const ends = new AsyncQueue<number>('onClose');
  class Keeping extends SockJSConnection {
    override onMessage(message: string): void {
      messages.push(message);
    }

    override onClose(code: number): void {
      ends.push(code);
    }
  }
  return { ...(await startRouter(t, settings, Keeping)), messages, ends };
}

const RATE = 200;
/** Messages of the first burst. RATE of them are free, and the rest delays the client. */
const FIRST = RATE + 100;

for (const path of ['/000/s/websocket', '/websocket']) {
  test(`${path}: a client that is too quick is read no further for a while; all arrives in order`, async (t) => {
    const { port, messages, router } = await serveNoting(t, { maxMessagesPerSecond: RATE });
    const client = await openWebSocket(t, port, `/echo${path}`);
    const began = performance.now();
    for (const number of numbers(0, FIRST))
      client.send(path === '/websocket' ? number : `"${number}"`);
    assert.deepEqual(await messages.take(FIRST), numbers(0, FIRST));
    client.send(path === '/websocket' ? 'last' : '"last"');
    assert.equal(await messages.next(), 'last');
    const took = performance.now() - began;
    const least = ((FIRST - RATE) * 1000) / RATE;
    assert.ok(took >= least - 10, `${FIRST} messages at ${RATE} a second took ${took} ms`);
    assert.ok(router.stats.dump().throttledTotal > 0);
  });

  test(`${path}: with the policy close a client that is too quick is closed with 1008`, async (t) => {
    const settings = { maxMessagesPerSecond: 10, rateLimitPolicy: 'close' } as const;
    const { port, messages, ends, router } = await serveNoting(t, settings);
    const client = await openWebSocket(t, port, `/echo${path}`);
    for (const number of numbers(0, 100))
      client.send(path === '/websocket' ? number : `"${number}"`);
    assert.deepEqual(await client.closed(), { code: 1008, reason: 'Too many messages' });
    assert.equal(await ends.next(), 1008);
    assert.ok(messages.size >= 10 && messages.size < 100, `${messages.size} messages arrived`);
    assert.equal(router.stats.dump().closed.rateLimited, 1);
  });
}

test('xhr_send: the next body of a client that is too quick waits, and all arrives in order', async (t) => {
  const { port, messages, router } = await serveNoting(t, { maxMessagesPerSecond: RATE });
  const session = newSession();
  await poll(port, session);
  const began = performance.now();
  const all = numbers(0, FIRST);
  assert.equal((await postBody(port, session, JSON.stringify(all))).status, 204);
  assert.ok(performance.now() - began < 900, 'the first body is not held back');
  assert.equal((await postBody(port, session, '["last"]')).status, 204);
  const took = performance.now() - began;
  assert.deepEqual(await messages.take(FIRST + 1), [...all, 'last']);
  const least = ((FIRST - RATE) * 1000) / RATE;
  assert.ok(took >= least - 10, `${FIRST} messages at ${RATE} a second took ${took} ms`);
  assert.ok(router.stats.dump().throttledTotal > 0);
});

test('a burst that delays a client once is counted once', async (t) => {
  const { port, messages, router } = await serveNoting(t, { maxMessagesPerSecond: 100 });
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.write(...numbers(0, 110).map((number) => encodeFrame(OPCODE.text, number)));
  assert.deepEqual(await messages.take(110), numbers(0, 110));
  assert.equal(router.stats.dump().throttledTotal, 1);
});

test('xhr_send: a second body while one is delayed gets 429 and Retry-After', async (t) => {
  const { port, messages, router } = await serveNoting(t, { maxMessagesPerSecond: RATE });
  const session = newSession();
  await poll(port, session);
  await postBody(port, session, JSON.stringify(numbers(0, FIRST)));
  const first = postBody(port, session, '["x"]');
  const second = postBody(port, session, '["x"]');
  const early = await Promise.race([first, second]);
  assert.deepEqual([early.status, early.body], [429, 'Too many messages.']);
  assert.equal(early.head.header('retry-after'), '1');
  assert.equal(router.stats.dump().refused.rateLimited, 1);
  const statuses = (await Promise.all([first, second])).map(({ status }) => status);
  assert.deepEqual(
    statuses.toSorted((a, b) => a - b),
    [204, 429],
  );
  assert.equal((await messages.take(FIRST + 1)).at(-1), 'x');
  assert.equal(messages.size, 0);
});

test('xhr_send: with the policy close a client that is too quick finds its session closed with 1008', async (t) => {
  const settings = { maxMessagesPerSecond: 10, rateLimitPolicy: 'close' } as const;
  const { port, ends, router } = await serveNoting(t, settings);
  const session = newSession();
  await poll(port, session);
  await postBody(port, session, JSON.stringify(numbers(0, 11)));
  assert.equal(await ends.next(), 1008);
  assert.equal(await poll(port, session), 'c[1008,"Too many messages"]');
  assert.equal(router.stats.dump().closed.rateLimited, 1);
});

test('messages within the rate limit of one second are not delayed', async (t) => {
  const settings = { maxMessagesPerSecond: 10, rateLimitPolicy: 'close' } as const;
  const { port, messages, router } = await serveNoting(t, settings);
  const session = newSession();
  await poll(port, session);
  assert.equal((await postBody(port, session, JSON.stringify(numbers(0, 10)))).status, 204);
  assert.deepEqual(await messages.take(10), numbers(0, 10));
  assert.equal(router.stats.dump().throttledTotal, 0);
});

test('Infinity is no limit', async (t) => {
  const settings = { maxMessagesPerSecond: Infinity, rateLimitPolicy: 'close' } as const;
  const { port, messages, router } = await serveNoting(t, settings);
  const client = await openWebSocket(t, port, '/echo/000/s/websocket');
  for (let count = 0; count < 2; count += 1) client.send(JSON.stringify(numbers(0, 5000)));
  await messages.take(10_000);
  assert.equal(router.stats.dump().throttledTotal, 0);
});

test('a delayed body gets its response when its session ends', async (t) => {
  const { port, router, ends } = await serveNoting(t, { maxMessagesPerSecond: 1 });
  const session = newSession();
  await poll(port, session);
  await postBody(port, session, JSON.stringify(numbers(0, 1000)));
  const bodies = [1, 2].map(() => postBody(port, session, '["x"]'));
  // One of them waits when the other one is refused.
  assert.equal((await Promise.race(bodies)).status, 429);
  for (const connection of router.connections) connection.close();
  assert.equal(await ends.next(), 3000);
  const statuses = (await Promise.all(bodies)).map(({ status }) => status);
  // Its next poll gets the close frame.
  assert.deepEqual(
    statuses.toSorted((a, b) => a - b),
    [204, 429],
  );
  assert.equal(await poll(port, session), 'c[3000,"Go away!"]');
});

test('a WebSocket that is held back closes at once when its session ends', async (t) => {
  const { port, router, ends } = await serveNoting(t, { maxMessagesPerSecond: 1 });
  const client = await openWebSocket(t, port, '/echo/000/s/websocket');
  client.send(JSON.stringify(numbers(0, 1000)));
  await until(() => router.stats.dump().throttledTotal === 1, 'it is held back');
  for (const connection of router.connections) connection.close();
  assert.equal(await ends.next(), 3000);
  assert.equal((await client.closed()).code, 3000);
});

test('a client whose input is delayed still receives messages', async (t) => {
  const { port, router } = await serveNoting(t, { maxMessagesPerSecond: 1 });
  const client = await openWebSocket(t, port, '/echo/000/s/websocket');
  assert.equal(await client.next(), 'o');
  client.send(JSON.stringify(numbers(0, 1000)));
  await until(() => router.stats.dump().throttledTotal === 1, 'it is held back');
  router.broadcast(router.connections, 'news');
  assert.equal(await client.next(), 'a["news"]');
});

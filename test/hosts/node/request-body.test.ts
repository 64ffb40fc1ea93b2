/** Limits of input: bytes, messages and time, each with its refusal. Bodies that no handler reads. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { PROCESS_MEMORY_BUDGET } from '../../../src/base/memory-budget.ts';
import { SockJSConnection, type SockJSSettings } from '../../../src/index.ts';
import { AsyncQueue } from '../../../testkit/async-queue.ts';
import { OPCODE, encodeFrame } from '../../../testkit/websocket-frames.ts';
import { RawHttpConnection, httpConnection } from '../../../testkit/raw-http.ts';
import { WS_TRANSPORTS, newSession } from '../../../testkit/transports.ts';
import { openWebSocket } from '../../../testkit/raw-websocket.ts';
import { poll, postBody, requestSession } from '../../../testkit/sockjs-http.ts';
import { startRouter } from '../../../testkit/server.ts';
import { testEach } from '../../../testkit/node-test.ts';
import { deferred, until, within } from '../../../testkit/until.ts';

/** Starts a router that collects messages in a queue, and opens a polling session. */
async function serveOne(t: TestContext, settings: SockJSSettings) {
  const messages = new AsyncQueue<string>('a message');
  class Keeping extends SockJSConnection {
    override onMessage(message: string): void {
      messages.push(message);
    }
  }
  const running = await startRouter(t, settings, Keeping);
  const session = newSession();
  assert.equal(await poll(running.port, session), 'o');
  return { ...running, messages, session };
}

const FORM = {
  endpoint: 'jsonp_send',
  headers: [['Content-Type', 'application/x-www-form-urlencoded']],
} as const;

const SENDERS = [
  { name: 'xhr_send', wrap: (json: string) => json, options: {}, ok: 204 },
  {
    name: 'jsonp_send',
    wrap: (json: string) => `d=${encodeURIComponent(json)}`,
    options: FORM,
    ok: 200,
  },
] as const;

for (const { name, wrap, options, ok } of SENDERS) {
  test(`${name}: maxMessagesPerBody messages pass`, async (t) => {
    const { port, session, messages } = await serveOne(t, { maxMessagesPerBody: 3 });
    assert.equal((await postBody(port, session, wrap('["a","b","c"]'), options)).status, ok);
    assert.deepEqual(await messages.take(3), ['a', 'b', 'c']);
  });

  test(`${name}: one more than maxMessagesPerBody is a 413, none of them arrives, and the session goes on`, async (t) => {
    const { port, session, messages, router } = await serveOne(t, { maxMessagesPerBody: 3 });
    const { status, body } = await postBody(port, session, wrap('["a","b","c","d"]'), options);
    assert.deepEqual({ status, body }, { status: 413, body: 'Too many messages at once.' });
    assert.equal(router.stats.dump().refused.tooManyMessages, 1);
    assert.equal((await postBody(port, session, wrap('["e"]'), options)).status, ok);
    assert.deepEqual(await messages.take(1), ['e']);
    assert.equal(messages.size, 0);
  });

  test(`${name}: a body over maxMessageBytes is a 413, and the session goes on`, async (t) => {
    const { port, session, messages, router, logger } = await serveOne(t, { maxMessageBytes: 100 });
    const { status, body } = await postBody(port, session, wrap(`["${'x'.repeat(100)}"]`), options);
    assert.deepEqual({ status, body }, { status: 413, body: 'Body too large.' });
    assert.equal(router.stats.dump().refused.bodyTooLarge, 1);
    assert.match(logger.take()[0]?.line ?? '', /413.*maxMessageBytes/);
    assert.equal((await postBody(port, session, wrap('["e"]'), options)).status, ok);
    assert.deepEqual(await messages.take(1), ['e']);
  });
}

test('a body of no announced length is refused as soon as it is over maxMessageBytes', async (t) => {
  const { port, session, logger } = await serveOne(t, { maxMessageBytes: 100 });
  const client = slowBody(t, port, session, 'Transfer-Encoding: chunked');
  client.send(`65\r\n${'x'.repeat(101)}\r\n`);
  assert.equal((await client.readHead()).status, 413);
  logger.take();
});

test('websocket: maxMessagesPerBody messages in one WebSocket message pass', async (t) => {
  const { port, messages } = await serveOne(t, { maxMessagesPerBody: 3 });
  const client = await openWebSocket(t, port, '/echo/000/s/websocket');
  client.send('["a","b","c"]');
  assert.deepEqual(await messages.take(3), ['a', 'b', 'c']);
});

test('websocket: one more than maxMessagesPerBody is closed with 1009, and none of them arrives', async (t) => {
  const { port, messages, router } = await serveOne(t, { maxMessagesPerBody: 3 });
  const client = await openWebSocket(t, port, '/echo/000/s/websocket');
  assert.equal(await client.next(), 'o');
  client.send('["a","b","c","d"]');
  assert.equal(await client.next(), 'c[1009,"Too many messages at once"]');
  assert.deepEqual(await client.closed(), { code: 1009, reason: 'Too many messages at once' });
  assert.equal(messages.size, 0);
  assert.equal(router.stats.dump().closed.tooManyMessages, 1);
});

for (const path of ['/000/s/websocket', '/websocket']) {
  test(`${path}: a message over maxMessageBytes is closed with 1009`, async (t) => {
    const { port, messages, router } = await serveOne(t, { maxMessageBytes: 100 });
    const client = await openWebSocket(t, port, `/echo${path}`);
    client.send(`"${'x'.repeat(100)}"`);
    assert.equal((await client.closed()).code, 1009);
    assert.equal(messages.size, 0);
    await until(() => router.stats.dump().closed.messageTooLarge === 1, 'it is counted');
  });
}

/** Sends a request without its body. */
function slowBody(
  t: TestContext,
  port: number,
  session: string,
  header: string,
): RawHttpConnection {
  const client = new RawHttpConnection(port);
  t.after(() => client.close());
  return client.send(`POST ${session}/xhr_send HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n`);
}

for (const [how, header, part] of [
  ['with an announced length', 'Content-Length: 100', '["'],
  ['in chunks', 'Transfer-Encoding: chunked', '2\r\n["\r\n'],
  ['of which nothing comes', 'Content-Length: 100', ''],
] as const) {
  test(`a body ${how} that exceeds bodyTimeout gets 408, and its connection closes`, async (t) => {
    const { port, session, router, logger, messages } = await serveOne(t, { bodyTimeout: 100 });
    const began = performance.now();
    const client = slowBody(t, port, session, header).send(part);
    const { status, body, head } = await client.response();
    assert.deepEqual({ status, body }, { status: 408, body: 'Body took too long.' });
    assert.ok(performance.now() - began >= 99, 'it had its time');
    assert.equal(head.header('connection'), 'close');
    assert.equal(await client.readToEnd(), '');
    assert.equal(router.stats.dump().refused.bodyTimeout, 1);
    assert.match(logger.take()[0]?.line ?? '', /408.*bodyTimeout/);
    assert.equal((await postBody(port, session, '["later"]')).status, 204);
    assert.equal(await messages.next(), 'later');
  });
}

test('bodyTimeout is for the whole body: bytes that drip in do not prolong it', async (t) => {
  const { port, session, logger } = await serveOne(t, { bodyTimeout: 200 });
  const client = slowBody(t, port, session, 'Transfer-Encoding: chunked');
  const drip = setInterval(() => client.send('1\r\n \r\n'), 20);
  t.after(() => clearInterval(drip));
  const began = performance.now();
  const { status } = await client.response();
  clearInterval(drip);
  assert.equal(status, 408);
  assert.ok(performance.now() - began < 5000);
  logger.take();
});

test('a body that comes slowly but in time arrives', async (t) => {
  const { port, session, messages } = await serveOne(t, { bodyTimeout: 5000 });
  const client = slowBody(t, port, session, 'Transfer-Encoding: chunked');
  for (const character of '["slow"]') {
    client.send(`1\r\n${character}\r\n`);
    await new Promise(setImmediate);
  }
  client.send('0\r\n\r\n');
  assert.equal((await client.readHead()).status, 204);
  assert.equal(await messages.next(), 'slow');
});

test('a body over maxTotalBufferedBytes gets 503 and Retry-After', async (t) => {
  const settings = { maxTotalBufferedBytes: 1000, maxBufferedBytes: 1000 };
  const { port, session, router, logger, messages } = await serveOne(t, settings);
  const { status, body, head } = await postBody(port, session, `["${'x'.repeat(1000)}"]`);
  assert.deepEqual({ status, body }, { status: 503, body: 'Too much is waiting.' });
  assert.equal(head.header('retry-after'), '1');
  assert.equal(router.stats.dump().refused.memoryLimit, 1);
  assert.match(logger.take()[0]?.line ?? '', /503.*maxTotalBufferedBytes/);
  assert.equal((await postBody(port, session, '["small"]')).status, 204);
  assert.equal(await messages.next(), 'small');
});

const SHARED = {
  highWaterMark: 100,
  maxTotalBufferedBytes: 1000,
  maxBufferedBytesPerAddress: 1000,
} as const;

test('bodies that are still coming in count together, and no longer when their client goes', async (t) => {
  const { port, session, logger, router } = await serveOne(t, SHARED);
  const before = PROCESS_MEMORY_BUDGET.bytes;
  const client = slowBody(t, port, session, 'Content-Length: 900');
  client.send('x'.repeat(500));
  await until(() => PROCESS_MEMORY_BUDGET.bytes === before + 500, '500 bytes wait');
  assert.equal(router.stats.dump().buffered.bodies, 500);
  const other = `["${'x'.repeat(500)}"]`;
  assert.equal((await postBody(port, session, other)).status, 503);
  client.abort();
  await until(() => PROCESS_MEMORY_BUDGET.bytes === before, 'nothing waits');
  assert.equal((await postBody(port, session, other)).status, 204);
  logger.take();
});

test('a small body passes although the memory is used up', async (t) => {
  const { port, session, messages } = await serveOne(t, SHARED);
  const client = slowBody(t, port, session, 'Content-Length: 2000');
  client.send('x'.repeat(1000));
  await until(() => PROCESS_MEMORY_BUDGET.bytes === 1000, 'the memory is used up');
  assert.equal((await postBody(port, session, '["small"]')).status, 204);
  assert.equal(await messages.next(), 'small');
});

test('an incomplete body gets 503 when it is the largest and another one needs its memory', async (t) => {
  const { port, session, messages, router, logger } = await serveOne(t, SHARED);
  const client = slowBody(t, port, session, 'Content-Length: 2000');
  client.send('x'.repeat(900));
  await until(() => PROCESS_MEMORY_BUDGET.bytes === 900, '900 bytes wait');
  assert.equal((await postBody(port, session, `["${'y'.repeat(200)}"]`)).status, 204);
  assert.equal(await messages.next(), 'y'.repeat(200));
  assert.equal((await client.response()).status, 503);
  const { evictionsTotal, refused } = router.stats.dump();
  assert.deepEqual([evictionsTotal, refused.memoryLimit], [1, 1]);
  logger.take();
});

for (const [how, body, status] of [
  ['accepted', '["x"]', 204],
  ['broken', 'broken', 500],
  ['too large', 'x'.repeat(200), 413],
] as const) {
  test(`a body that was ${how} is not counted any more`, async (t) => {
    const { port, session, logger } = await serveOne(t, { maxMessageBytes: 100 });
    const before = PROCESS_MEMORY_BUDGET.bytes;
    const client = slowBody(t, port, session, 'Transfer-Encoding: chunked');
    client.send(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
    assert.equal((await client.readHead()).status, status);
    assert.equal(PROCESS_MEMORY_BUDGET.bytes, before);
    logger.take();
  });
}

testEach(
  WS_TRANSPORTS,
  'a message that is incomplete beyond maxTotalBufferedBytes is closed with 1013, and counted no more',
  async (t, transport) => {
    const { port, router } = await startRouter(t, {
      maxTotalBufferedBytes: 1000,
      maxBufferedBytes: 1000,
    });
    const before = PROCESS_MEMORY_BUDGET.bytes;
    const { connection, status } = await requestSession(t, port, transport);
    assert.equal(status, 101);
    connection.send(encodeFrame(OPCODE.text, 'x'.repeat(5000)).subarray(0, 2000));
    await until(() => router.stats.dump().closed.memoryLimit === 1, 'its end is counted');
    assert.equal(PROCESS_MEMORY_BUDGET.bytes, before);
  },
);

test('a client whose body no handler reads interrupts its session when it disconnects', async (t) => {
  const closed = deferred<number>();
  class Waiting extends SockJSConnection {
    override onClose(code: number): void {
      closed.resolve(code);
    }
  }
  const { port } = await startRouter(t, {}, Waiting);
  const client = httpConnection(t, port);
  // Longer than the buffer of a request. Once that is full, Node does not read the connection.
  const body = 'x'.repeat(3_000_000);
  client.send({ method: 'POST', path: `${newSession()}/xhr_streaming`, body });
  await client.readHead();
  client.abort();
  assert.equal(await within(closed.promise, 'the end of the session'), 1002);
});

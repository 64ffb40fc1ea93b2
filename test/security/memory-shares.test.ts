/** Clients of a few addresses that make the server buffer as much as they can, and others that are not affected. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SockJSConnection, type SockJSRouter } from '../../src/index.ts';
import {
  type RawHttpConnection,
  httpConnection,
  neverReadingClient,
} from '../../testkit/raw-http.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { assertServes, poll, postBody } from '../../testkit/sockjs-http.ts';
import { RAW_WEBSOCKET, newSession, openRequest } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import { OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';

const KIBIBYTE = 1024;
const TOTAL = 4096 * KIBIBYTE;
const SHARE = TOTAL / 4;
const SETTINGS = { maxTotalBufferedBytes: TOTAL, jsessionid: false } as const;
const ATTACKERS = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'] as const;

/** A message of 65,536 bytes without its last 536 bytes. */
const INCOMPLETE_MESSAGE = encodeFrame(OPCODE.text, 'x'.repeat(65_536)).subarray(0, -536);
const INCOMPLETE_BYTES = 65_000;

async function sendIncompleteMessages(
  t: TestContext,
  port: number,
  localAddress: string,
  count: number,
): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const client = httpConnection(t, { port, localAddress }).send(openRequest(RAW_WEBSOCKET));
    assert.equal((await client.readHead()).status, 101);
    client.send(INCOMPLETE_MESSAGE);
  }
}

function sendIncompleteBody(
  t: TestContext,
  target: { readonly port: number; readonly localAddress: string },
  session: string,
  bytes: number,
): RawHttpConnection {
  const headers = [['Content-Length', String(bytes + 1)]] as const;
  const client = httpConnection(t, target);
  client.send({ method: 'POST', path: `${session}/xhr_send`, headers });
  return client.send('x'.repeat(bytes));
}

test('incomplete messages of one address take its share, and no other client is refused', async (t) => {
  const { port, router } = await startRouter(t, SETTINGS);
  await sendIncompleteMessages(t, port, ATTACKERS[0], 40);
  await until(() => router.stats.dump().evictionsTotal > 20, 'the first ones to be given up');
  const { bufferedBytes, buffered } = router.stats.dump();
  assert.ok(buffered.messages <= SHARE, `${buffered.messages} bytes`);
  assert.ok(buffered.messages > SHARE - 2 * INCOMPLETE_BYTES);
  assert.equal(bufferedBytes, buffered.messages);
  await assertServes(port);
  // Another client of the same address is served too.
  await assertServes({ port, localAddress: ATTACKERS[0] });
  assert.equal(router.stats.dump().refused.memoryLimit, 0);
});

test('when several addresses have used up the memory, a stranger takes it from who has most', async (t) => {
  const { port, router } = await startRouter(t, SETTINGS);
  for (const address of ATTACKERS) await sendIncompleteMessages(t, port, address, 16);
  await until(() => router.stats.dump().buffered.messages > TOTAL - SHARE / 4, 'used up memory');
  const before = router.stats.dump();
  assert.ok(before.bufferedBytes <= TOTAL);
  await assertServes(port);
  // A large body, and a large WebSocket message in fragments.
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  const large = 'y'.repeat(SHARE / 2);
  assert.equal((await postBody(port, session, `["${large}"]`)).status, 204);
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.raw.write(encodeFrame(OPCODE.text, large, { fin: false }));
  client.raw.write(encodeFrame(OPCODE.continuation, 'end'));
  assert.equal(await client.next(), `${large}end`);
  const after = router.stats.dump();
  assert.ok(after.evictionsTotal > before.evictionsTotal);
  assert.ok(after.bufferedBytes <= TOTAL);
});

test('incomplete bodies of one address do not refuse the bodies of others', async (t) => {
  const { port, router, logger } = await startRouter(t, SETTINGS);
  const target = { port, localAddress: ATTACKERS[0] };
  for (let index = 0; index < 10; index += 1) {
    const session = newSession();
    assert.equal(await poll(target, session), 'o');
    sendIncompleteBody(t, target, session, SHARE / 4);
  }
  await until(() => router.stats.dump().refused.memoryLimit >= 6, 'some to be refused');
  assert.ok(router.stats.dump().buffered.bodies <= SHARE);
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  assert.equal((await postBody(port, session, `["${'y'.repeat(SHARE / 2)}"]`)).status, 204);
  logger.take();
});

/** Opens polling sessions, and leaves messages in them until they fall behind. */
async function openBehind(
  router: SockJSRouter,
  target: { readonly port: number; readonly localAddress: string },
  bytes: number,
): Promise<SockJSConnection> {
  assert.equal(await poll(target, newSession()), 'o');
  const connection = [...router.connections].at(-1);
  assert.ok(connection !== undefined);
  for (let sent = 0; sent < bytes; sent += 10_000) connection.send('x'.repeat(9900));
  return connection;
}

test('output for one address takes its share, and the slow client of another address is kept', async (t) => {
  const { port, router } = await startRouter(t, { ...SETTINGS, disconnectDelay: 60_000 });
  const attackers: SockJSConnection[] = [];
  for (const localAddress of ATTACKERS) {
    for (let index = 0; index < 4; index += 1) {
      attackers.push(await openBehind(router, { port, localAddress }, SHARE / 4 - 10_000));
    }
  }
  assert.ok(attackers.every(({ isClosed }) => !isClosed));
  const slow = await openBehind(router, { port, localAddress: '127.0.0.1' }, SHARE / 2);
  assert.equal(slow.isClosed, false);
  await until(() => router.stats.dump().bufferedBytes <= TOTAL, 'the evictions');
  assert.ok(attackers.some(({ isClosed }) => isClosed));
  const { closed, evictionsTotal } = router.stats.dump();
  assert.equal(closed.slowConsumer, evictionsTotal);
});

test('one long message to each of many clients of one address closes none of them', async (t) => {
  const length = 256 * KIBIBYTE;
  class Sending extends SockJSConnection {
    override onOpen(): void {
      this.send('x'.repeat(length));
    }
  }
  const { port, router } = await startRouter(t, SETTINGS, Sending);
  const clients = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const session = newSession();
      assert.equal(await poll(port, session), 'o');
      return session;
    }),
  );
  assert.ok(router.stats.dump().bufferedBytes > TOTAL);
  for (const session of clients) assert.ok((await poll(port, session)).length > length);
  assert.equal(router.stats.dump().closed.slowConsumer, 0);
});

test('a client with drop-oldest is closed if only what its socket has taken could be given up', async (t) => {
  class Burst extends SockJSConnection {
    override onMessage(): void {
      for (let count = 0; count < 200; count += 1) this.send('x'.repeat(100_000));
    }
  }
  let calls = 0;
  const { port, router } = await startRouter(
    t,
    // The limit of calls ends the test if the client is given up again and again.
    { ...SETTINGS, slowConsumer: () => ((calls += 1) > 100 ? 'close' : 'drop-oldest') },
    Burst,
  );
  const localAddress = ATTACKERS[0];
  const slow = await openWebSocket(t, { port, localAddress }, '/echo/websocket');
  slow.pause().send('start');
  await until(() => calls > 0, 'the burst');
  await sendIncompleteMessages(t, port, localAddress, 10);
  await until(() => router.stats.dump().buffered.messages >= 10 * INCOMPLETE_BYTES, 'messages');
  assert.ok(calls < 10, `given up ${calls} times`);
  assert.equal(router.stats.dump().buffered.output, 0);
  assert.equal(router.stats.dump().closed.slowConsumer, 1);
});

test('a polling response that its client does not read counts, and is given up', async (t) => {
  class Burst extends SockJSConnection {
    override onMessage(): void {
      for (let count = 0; count < 200; count += 1) this.send('x'.repeat(100_000));
    }
  }
  const { port, router } = await startRouter(t, { maxBufferedBytesPerAddress: SHARE }, Burst);
  const target = { port, localAddress: ATTACKERS[0] };
  const session = newSession();
  assert.equal(await poll(target, session), 'o');
  neverReadingClient(t, target, { method: 'POST', path: `${session}/xhr` });
  await until(() => router.stats.dump().connectionsActive > 0, 'the poll');
  assert.equal((await postBody(target, session, '["start"]')).status, 204);
  await until(() => router.stats.dump().closed.slowConsumer === 1, 'the client to be given up');
  assert.equal(router.stats.dump().buffered.output, 0);
});

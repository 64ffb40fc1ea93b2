/** Heartbeats, pings and renewals, on every transport. */
import assert from 'node:assert/strict';
import { type Server, createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type TestContext, test } from 'node:test';
import { connect as connectSecurely } from 'node:tls';
import { type SockJSSettings, SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';
import {
  POLLING_TRANSPORTS,
  STREAMING_TRANSPORTS,
  type Transport,
  WS_TRANSPORTS,
  newSession,
  openRequest,
  WEBSOCKET,
} from '../../testkit/transports.ts';
import { RawHttpConnection } from '../../testkit/raw-http.ts';
import { Receiver, poll } from '../../testkit/sockjs-http.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { deferred, until } from '../../testkit/until.ts';
import { listen, stop } from '../../testkit/server.ts';
import { openOfficial } from '../../testkit/official-client.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { selfSignedCertificate } from '../../testkit/certificate.ts';
import { testEach } from '../../testkit/node-test.ts';

interface End {
  readonly code: number;
  readonly reason: string;
  readonly after: number;
}

const QUICK = { heartbeatDelay: 250, pingTimeout: 250, sessionCheckInterval: 10 };

class Noting extends SockJSConnection {
  static ends: AsyncQueue<End>;
  static verdict: Promise<void> | undefined;
  readonly #began = performance.now();

  override async onOpen(): Promise<void> {
    await Noting.verdict;
  }

  override onMessage(message: string): void {
    this.send(message);
  }

  override onClose(code: number, reason: string): void {
    Noting.ends.push({ code, reason, after: performance.now() - this.#began });
  }
}

async function serveOn(
  t: TestContext,
  server: Server,
  settings: SockJSSettings,
  verdict?: Promise<void>,
) {
  const ends = new AsyncQueue<End>('onClose');
  Noting.ends = ends;
  Noting.verdict = verdict;
  const logger = new RecordingLogger();
  const router = new SockJSRouter(Noting, '/echo', {
    jsessionid: false,
    logger,
    ...QUICK,
    ...settings,
  });
  router.attach(server);
  const port = await listen(server);
  t.after(async () => {
    await router.close({ timeout: 100 });
    await stop(server);
    logger.assertNoProblems();
  });
  return { port, router, ends, url: `http://127.0.0.1:${port}/echo` };
}

const serve = (t: TestContext, settings: SockJSSettings = {}, verdict?: Promise<void>) =>
  serveOn(t, createHttpServer(), settings, verdict);

test('websocket: a heartbeat is an h and a ping', async (t) => {
  const { port } = await serve(t);
  const client = await openWebSocket(t, port, '/echo/000/s/websocket');
  assert.equal(await client.next(), 'o');
  for (let count = 0; count < 3; count += 1) {
    assert.equal(await client.next(), 'h');
    await client.pings.next();
  }
});

test('rawwebsocket: a heartbeat is a ping and nothing else', async (t) => {
  const { port } = await serve(t);
  const client = await openWebSocket(t, port, '/echo/websocket');
  await client.pings.take(3);
  client.send('echoed');
  assert.equal(await client.next(), 'echoed');
});

/** Opens a WebSocket whose bytes the test writes itself. */
async function openRaw(
  t: TestContext,
  port: number,
  transport: Transport,
): Promise<RawHttpConnection> {
  const client = new RawHttpConnection(port);
  t.after(() => client.close());
  assert.equal((await client.send(openRequest(transport)).readHead()).status, 101);
  return client;
}

testEach(
  WS_TRANSPORTS,
  'a silent client is closed with 1006 after heartbeatDelay and pingTimeout',
  async (t, transport) => {
    const { port, ends, router } = await serve(t);
    const client = await openRaw(t, port, transport);
    const { code, reason, after } = await ends.next();
    assert.deepEqual({ code, reason }, { code: 1006, reason: 'Client is gone' });
    assert.ok(after >= 195, `after ${after} ms`);
    assert.equal(router.stats.dump().closed.timeout, 1);
    await client.readToEnd();
    assert.equal(router.stats.dump().sessionsActive, 0);
  },
);

const SIGNS: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['a pong', encodeFrame(OPCODE.pong, '')],
  ['a message', encodeFrame(OPCODE.text, '"x"')],
  ['an unasked pong', encodeFrame(OPCODE.pong, 'anything')],
];

for (const [what, bytes] of SIGNS) {
  testEach(WS_TRANSPORTS, `${what} now and then keeps a client`, async (t, transport) => {
    const { port, ends, router } = await serve(t);
    const client = await openRaw(t, port, transport);
    const began = performance.now();
    const signs = setInterval(() => client.send(bytes), 40);
    await until(() => performance.now() - began > 2000, 'four times its time is over');
    assert.equal(router.stats.dump().sessionsActive, 1);
    clearInterval(signs);
    assert.equal((await ends.next()).code, 1006, 'and no longer');
  });
}

testEach(
  WS_TRANSPORTS,
  'any byte keeps a client, also bytes of an incomplete frame',
  async (t, transport) => {
    const { port, ends, router } = await serve(t);
    const client = await openRaw(t, port, transport);
    client.send(encodeFrame(OPCODE.text, 'x'.repeat(60_000)).subarray(0, 8));
    const began = performance.now();
    const signs = setInterval(() => client.send('x'), 40);
    await until(() => performance.now() - began > 2000, 'four times its time is over');
    assert.equal(router.stats.dump().sessionsActive, 1);
    clearInterval(signs);
    assert.equal((await ends.next()).code, 1006);
  },
);

testEach(
  WS_TRANSPORTS,
  'a client is kept while its input is not read because onOpen is pending',
  async (t, transport) => {
    const verdict = deferred();
    const { port, router, ends } = await serve(t, {}, verdict.promise);
    const client = await openRaw(t, port, transport);
    const began = performance.now();
    const signs = setInterval(() => client.send(encodeFrame(OPCODE.pong, '')), 40);
    t.after(() => clearInterval(signs));
    await until(() => performance.now() - began > 2000, 'four times its time is over');
    assert.equal(router.stats.dump().sessionsActive, 1);
    verdict.resolve();
    const then = performance.now();
    await until(() => performance.now() - then > 2000, 'four times its time is over again');
    assert.equal(router.stats.dump().sessionsActive, 1);
    assert.equal(ends.size, 0);
  },
);

testEach(
  WS_TRANSPORTS,
  'a client that is read no further because it was too quick is not cut off',
  async (t, transport) => {
    const { port, router, ends } = await serve(t, { maxMessagesPerSecond: 10 });
    const client = await openRaw(t, port, transport);
    for (let count = 0; count < 18; count += 1) client.send(encodeFrame(OPCODE.text, '"x"'));
    const signs = setInterval(() => client.send(encodeFrame(OPCODE.pong, '')), 40);
    t.after(() => clearInterval(signs));
    await until(() => router.stats.dump().throttledTotal > 0, 'it is held back');
    const began = performance.now();
    await until(() => performance.now() - began > 1500, 'it is read again, and for a while');
    assert.equal(router.stats.dump().sessionsActive, 1);
    assert.equal(ends.size, 0);
  },
);

const CERTIFIED = selfSignedCertificate();

for (const isTalking of [true, false]) {
  test(`over TLS a client that ${isTalking ? 'responds to pings is kept' : 'is silent is closed'}`, async (t) => {
    const { port, router, ends } = await serveOn(t, createHttpsServer(CERTIFIED), {});
    const socket = connectSecurely({ port, host: '127.0.0.1', ca: [CERTIFIED.cert] });
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    const { path, headers = [] } = openRequest(WEBSOCKET);
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
    socket.resume();
    await until(() => router.stats.dump().sessionsActive === 1, 'it is open');
    const signs = setInterval(() => isTalking && socket.write(encodeFrame(OPCODE.pong, '')), 40);
    t.after(() => clearInterval(signs));
    if (isTalking) {
      const began = performance.now();
      await until(() => performance.now() - began > 2000, 'four times its time is over');
      assert.equal(router.stats.dump().sessionsActive, 1);
      clearInterval(signs);
    }
    assert.equal((await ends.next()).code, 1006);
    assert.equal(router.stats.dump().closed.timeout, 1);
  });
}

for (const transport of STREAMING_TRANSPORTS) {
  test(`${transport.name}: an idle stream gets heartbeats, and ends after streamRenewalDelay`, async (t) => {
    const { port } = await serve(t, { streamRenewalDelay: 250 });
    const stream = new Receiver(port, newSession(), transport);
    t.after(() => stream.connection.close());
    const [first, ...rest] = await stream.frames();
    assert.equal(first, 'o');
    assert.ok(rest.length > 0 && rest.every((frame) => frame === 'h'), rest.join());
  });

  test(`${transport.name}: a client that does not return after that is closed with 1006`, async (t) => {
    const { port, ends, router } = await serve(t, {
      streamRenewalDelay: 150,
      disconnectDelay: 100,
    });
    const stream = new Receiver(port, newSession(), transport);
    t.after(() => stream.connection.close());
    await stream.frames();
    const { code, reason } = await ends.next();
    assert.deepEqual({ code, reason }, { code: 1006, reason: 'Client is gone' });
    assert.equal(router.stats.dump().closed.timeout, 1);
  });
}

for (const transport of POLLING_TRANSPORTS) {
  test(`${transport.name}: a poll ends with a heartbeat, and a client that does not return is closed with 1006`, async (t) => {
    const { port, ends } = await serve(t, { disconnectDelay: 1000 });
    const session = newSession();
    assert.equal(await poll(port, session, transport), 'o');
    assert.equal(await poll(port, session, transport), 'h');
    assert.equal((await ends.next()).code, 1006);
  });
}

for (const transports of ['xhr-streaming', 'eventsource'] as const) {
  test(`${transports}: the client returns after a renewal and loses no message`, async (t) => {
    const { url, router } = await serve(t, { streamRenewalDelay: 100, heartbeatDelay: 50 });
    const client = await openOfficial(t, url, { transports });
    const [connection] = router.connections;
    assert.ok(connection !== undefined);
    const requests = router.stats.dump().connectionsTotal;
    let sent = 0;
    const sending = setInterval(() => connection.send(String((sent += 1))), 10);
    t.after(() => clearInterval(sending));
    await until(
      () => router.stats.dump().connectionsTotal >= requests + 2,
      'it has come back twice',
    );
    clearInterval(sending);
    const expected = Array.from({ length: sent }, (_, index) => String(index + 1));
    assert.deepEqual(await client.messages.take(sent), expected);
    assert.equal(router.stats.dump().sessionsTotal, 1);
    assert.equal(client.closings.size, 0);
  });
}

test('xhr_send shows that a client is alive, so its stream is not renewed', async (t) => {
  const { url, router } = await serve(t, { streamRenewalDelay: 300, heartbeatDelay: 50 });
  const client = await openOfficial(t, url, { transports: 'xhr-streaming' });
  const began = performance.now();
  const sending = setInterval(() => client.send('x'), 50);
  t.after(() => clearInterval(sending));
  await until(() => performance.now() - began > 900, 'three times its time is over');
  assert.equal(router.stats.dump().connectionsActive, 1);
  clearInterval(sending);
  const { connectionsTotal, packetsRecvTotal } = router.stats.dump();
  // `/info`, one stream, and the bodies of the client.
  assert.ok(connectionsTotal <= 2 + packetsRecvTotal + 1, `${connectionsTotal} requests`);
});

/** Who is there is kept, who is gone is noticed, on every transport. */
import assert from 'node:assert/strict';
import { type Server, createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type TestContext, test } from 'node:test';
import { connect as connectSecurely } from 'node:tls';
import { type SockJSSettings, SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { selfSigned } from '../client/certificate.ts';
import { POLLING, Receiver, STREAMING, poll } from '../conformance/dialects.ts';
import { newSession } from '../conformance/services.ts';
import { Queue, open, until } from '../support/client.ts';
import { deferred } from '../support/fakes.ts';
import { HttpConnection } from '../support/http.ts';
import { Logs, listening, stopped } from '../support/service.ts';
import { connectWebSocket } from '../support/ws.ts';
import { PONG, TEXT, type Transport, WEBSOCKETS, maskedFrame, overAll } from '../limits/transports.ts';

interface End {
  readonly code: number;
  readonly reason: string;
  readonly after: number;
}

const QUICK = { heartbeatDelay: 100, pingTimeout: 100, sessionCheckInterval: 10 };

class Noting extends SockJSConnection {
  static ends: Queue<End>;
  static verdict: Promise<void> | undefined;
  readonly #began = performance.now();

  override async onOpen(): Promise<void> {
    await Noting.verdict;
  }

  override onMessage(message: string): void {
    this.send(message);
  }

  override onClose(code: number, reason: string): void {
    Noting.ends.put({ code, reason, after: performance.now() - this.#began });
  }
}

async function serveOn(
  t: TestContext,
  server: Server,
  settings: SockJSSettings,
  verdict?: Promise<void>,
) {
  const ends = new Queue<End>('onClose');
  Noting.ends = ends;
  Noting.verdict = verdict;
  const logger = new Logs();
  const router = new SockJSRouter(Noting, '/echo', {
    jsessionid: false,
    logger,
    ...QUICK,
    ...settings,
  });
  router.attach(server);
  const port = await listening(server);
  t.after(async () => {
    await router.close({ timeout: 100 });
    await stopped(server);
    logger.verify();
  });
  return { port, router, ends, url: `http://127.0.0.1:${port}/echo` };
}

const serve = (t: TestContext, settings: SockJSSettings = {}, verdict?: Promise<void>) =>
  serveOn(t, createHttpServer(), settings, verdict);

test('websocket: a heartbeat is an h and a ping', async (t) => {
  const { url } = await serve(t);
  const client = await connectWebSocket(t, `${url}/000/s/websocket`);
  const pings = new Queue<string>('a ping');
  client.socket.on('ping', () => pings.put('ping'));
  assert.equal(await client.next(), 'o');
  for (let count = 0; count < 3; count += 1) {
    assert.equal(await client.next(), 'h');
    assert.equal(await pings.next(), 'ping');
  }
});

test('rawwebsocket: a heartbeat is a ping and nothing else', async (t) => {
  const { url } = await serve(t);
  const client = await connectWebSocket(t, `${url}/websocket`);
  const pings = new Queue<string>('a ping');
  client.socket.on('ping', () => pings.put('ping'));
  await pings.take(3);
  client.send('echoed');
  assert.equal(await client.next(), 'echoed');
});

/** A WebSocket of which the test has every byte in its hands. */
async function openRaw(
  t: TestContext,
  port: number,
  transport: Transport,
): Promise<HttpConnection> {
  const client = new HttpConnection(port);
  t.after(() => client.close());
  assert.equal((await client.send(transport.request()).readHead()).status, 101);
  return client;
}

overAll(
  'a silent client is cut off after heartbeatDelay and pingTimeout, with 1006',
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
  WEBSOCKETS,
);

const SIGNS: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['a pong', maskedFrame(PONG, '')],
  ['a message', maskedFrame(TEXT, '"x"')],
  ['an unasked pong', maskedFrame(PONG, 'anything')],
];

for (const [what, bytes] of SIGNS) {
  overAll(
    `${what} now and then keeps a client`,
    async (t, transport) => {
      const { port, ends, router } = await serve(t);
      const client = await openRaw(t, port, transport);
      const began = performance.now();
      const signs = setInterval(() => client.send(bytes), 40);
      await until('four times its time is over', () => performance.now() - began > 800);
      assert.equal(router.stats.dump().sessionsActive, 1);
      clearInterval(signs);
      assert.equal((await ends.next()).code, 1006, 'and no longer');
    },
    WEBSOCKETS,
  );
}

overAll(
  'any byte keeps a client, also of a frame that is never complete',
  async (t, transport) => {
    const { port, ends, router } = await serve(t);
    const client = await openRaw(t, port, transport);
    client.send(maskedFrame(TEXT, 'x'.repeat(60_000)).subarray(0, 8));
    const began = performance.now();
    const signs = setInterval(() => client.send('x'), 40);
    await until('four times its time is over', () => performance.now() - began > 800);
    assert.equal(router.stats.dump().sessionsActive, 1);
    clearInterval(signs);
    assert.equal((await ends.next()).code, 1006);
  },
  WEBSOCKETS,
);

overAll(
  'a client that we do not read while onOpen is pending is not cut off',
  async (t, transport) => {
    const verdict = deferred();
    const { port, router, ends } = await serve(t, {}, verdict.promise);
    const client = await openRaw(t, port, transport);
    const began = performance.now();
    const signs = setInterval(() => client.send(maskedFrame(PONG, '')), 40);
    t.after(() => clearInterval(signs));
    await until('four times its time is over', () => performance.now() - began > 800);
    assert.equal(router.stats.dump().sessionsActive, 1);
    verdict.resolve();
    const then = performance.now();
    await until('four times its time is over again', () => performance.now() - then > 800);
    assert.equal(router.stats.dump().sessionsActive, 1);
    assert.equal(ends.size, 0);
  },
  WEBSOCKETS,
);

overAll(
  'a client that is read no further because it was too quick is not cut off',
  async (t, transport) => {
    const { port, router, ends } = await serve(t, { maxMessagesPerSecond: 10 });
    const client = await openRaw(t, port, transport);
    for (let count = 0; count < 18; count += 1) client.send(maskedFrame(TEXT, '"x"'));
    const signs = setInterval(() => client.send(maskedFrame(PONG, '')), 40);
    t.after(() => clearInterval(signs));
    await until('it is held back', () => router.stats.dump().throttledTotal > 0);
    const began = performance.now();
    await until('it is read again, and for a while', () => performance.now() - began > 1500);
    assert.equal(router.stats.dump().sessionsActive, 1);
    assert.equal(ends.size, 0);
  },
  WEBSOCKETS,
);

const CERTIFIED = selfSigned();

for (const isTalking of [true, false]) {
  test(`over TLS a client that ${isTalking ? 'answers is kept' : 'is silent is cut off'}`, async (t) => {
    const { port, router, ends } = await serveOn(t, createHttpsServer(CERTIFIED), {});
    const socket = connectSecurely({ port, host: '127.0.0.1', ca: [CERTIFIED.cert] });
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    const { path, headers = [] } = WEBSOCKETS[0]?.request() ?? { path: '' };
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
    socket.resume();
    await until('it is open', () => router.stats.dump().sessionsActive === 1);
    const signs = setInterval(() => isTalking && socket.write(maskedFrame(PONG, '')), 40);
    t.after(() => clearInterval(signs));
    if (isTalking) {
      const began = performance.now();
      await until('four times its time is over', () => performance.now() - began > 800);
      assert.equal(router.stats.dump().sessionsActive, 1);
      clearInterval(signs);
    }
    assert.equal((await ends.next()).code, 1006);
    assert.equal(router.stats.dump().closed.timeout, 1);
  });
}

for (const dialect of STREAMING) {
  test(`${dialect.name}: an idle stream gets heartbeats, and ends after streamRenewalDelay`, async (t) => {
    const { port } = await serve(t, { streamRenewalDelay: 250 });
    const stream = new Receiver(port, newSession(), dialect);
    t.after(() => stream.connection.close());
    const [first, ...rest] = await stream.frames();
    assert.equal(first, 'o');
    assert.ok(rest.length > 0 && rest.every((frame) => frame === 'h'), rest.join());
  });

  test(`${dialect.name}: a client that does not come back after that is gone`, async (t) => {
    const { port, ends, router } = await serve(t, {
      streamRenewalDelay: 150,
      disconnectDelay: 100,
    });
    const stream = new Receiver(port, newSession(), dialect);
    t.after(() => stream.connection.close());
    await stream.frames();
    const { code, reason } = await ends.next();
    assert.deepEqual({ code, reason }, { code: 1006, reason: 'Client is gone' });
    assert.equal(router.stats.dump().closed.timeout, 1);
  });
}

for (const dialect of POLLING) {
  test(`${dialect.name}: a poll ends with a heartbeat, and a client that does not come back is gone`, async (t) => {
    const { port, ends } = await serve(t, { disconnectDelay: 100 });
    const session = newSession();
    assert.equal(await poll(port, session, dialect), 'o');
    assert.equal(await poll(port, session, dialect), 'h');
    assert.equal((await ends.next()).code, 1006);
  });
}

for (const transports of ['xhr-streaming', 'eventsource'] as const) {
  test(`${transports}: the client comes back after a renewal, and loses nothing`, async (t) => {
    const { url, router } = await serve(t, { streamRenewalDelay: 100, heartbeatDelay: 50 });
    const client = await open(t, url, { transports });
    const [connection] = router.connections;
    assert.ok(connection !== undefined);
    const requests = router.stats.dump().connectionsTotal;
    let sent = 0;
    const sending = setInterval(() => connection.send(String((sent += 1))), 10);
    t.after(() => clearInterval(sending));
    await until(
      'it has come back twice',
      () => router.stats.dump().connectionsTotal >= requests + 2,
    );
    clearInterval(sending);
    const expected = Array.from({ length: sent }, (_, index) => String(index + 1));
    assert.deepEqual(await client.messages.take(sent), expected);
    assert.equal(router.stats.dump().sessionsTotal, 1);
    assert.equal(client.closings.size, 0);
  });
}

test('a client that sends by xhr_send is heard, and its stream is not renewed', async (t) => {
  const { url, router } = await serve(t, { streamRenewalDelay: 300, heartbeatDelay: 50 });
  const client = await open(t, url, { transports: 'xhr-streaming' });
  const began = performance.now();
  const sending = setInterval(() => client.send('x'), 50);
  t.after(() => clearInterval(sending));
  await until('three times its time is over', () => performance.now() - began > 900);
  assert.equal(router.stats.dump().connectionsActive, 1);
  clearInterval(sending);
  const { connectionsTotal, packetsRecvTotal } = router.stats.dump();
  // `/info`, one stream, and the bodies of the client.
  assert.ok(connectionsTotal <= 2 + packetsRecvTotal + 1, `${connectionsTotal} requests`);
});

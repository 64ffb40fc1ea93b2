import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SockJSConnection } from '../../src/index.ts';
import { Receiver, poll, postBody, requestSession } from '../../testkit/sockjs-http.ts';
import { TRANSPORTS, XHR_STREAMING, newSession, openRequest } from '../../testkit/transports.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter, stop } from '../../testkit/server.ts';
import { temporaryDirectory } from '../../testkit/process.ts';
import { testEach } from '../../testkit/node-test.ts';
import { until } from '../../testkit/until.ts';

/** Returns the status of a request for a new session, from an address that the proxy names. */
async function statusFrom(port: number, address: string): Promise<number> {
  const headers = [['X-Forwarded-For', address]] as const;
  return (await httpRequest(port, { method: 'POST', path: `${newSession()}/xhr`, headers })).status;
}

testEach(
  TRANSPORTS,
  'a session over maxSessions is refused with 503 and Retry-After',
  async (t, transport) => {
    const { port, router, logger } = await startRouter(t, { maxSessions: 2 });
    for (let count = 0; count < 2; count += 1) await requestSession(t, port, transport);
    const { status, body, head } = await httpRequest(port, openRequest(transport));
    assert.deepEqual({ status, body }, { status: 503, body: 'Too many sessions.' });
    assert.equal(head.header('retry-after'), '5');
    assert.equal(router.stats.dump().refused.sessionLimit, 1);
    assert.match(
      logger.take()[0]?.line ?? '',
      /^\/echo: refused a new session with 503: .*maxSessions/,
    );
  },
);

testEach(
  TRANSPORTS,
  'a session over maxSessionsPerAddress is refused with 503 and Retry-After',
  async (t, transport) => {
    const { port, router, logger } = await startRouter(t, { maxSessionsPerAddress: 2 });
    for (let count = 0; count < 2; count += 1) await requestSession(t, port, transport);
    const { status, body, head } = await httpRequest(port, openRequest(transport));
    assert.deepEqual(
      { status, body },
      { status: 503, body: 'Too many sessions from this address.' },
    );
    assert.equal(head.header('retry-after'), '5');
    assert.equal(router.stats.dump().refused.addressSessionLimit, 1);
    assert.match(logger.take()[0]?.line ?? '', /maxSessionsPerAddress .* trustedProxies/);
  },
);

test('sessions of all transports count alike', async (t) => {
  const { port, router, logger } = await startRouter(t, { maxSessions: TRANSPORTS.length });
  for (const transport of TRANSPORTS) await requestSession(t, port, transport);
  assert.equal(router.stats.dump().sessionsActive, TRANSPORTS.length);
  for (const transport of TRANSPORTS)
    assert.equal((await httpRequest(port, openRequest(transport))).status, 503);
  assert.equal(logger.take().length, 1, 'and the hint is given once');
});

test('the sessions that are there go on when there is no room for more', async (t) => {
  const { port, logger } = await startRouter(t, { maxSessions: 1 });
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  assert.equal(
    (await httpRequest(port, { method: 'POST', path: `${newSession()}/xhr` })).status,
    503,
  );
  assert.equal((await postBody(port, session, '["a"]')).status, 204);
  assert.equal(await poll(port, session), 'a["a"]');
  logger.take();
});

test('authorize is not called when a session limit is reached', async (t) => {
  let calls = 0;
  const { port, logger } = await startRouter(t, { maxSessions: 1, authorize: () => (calls += 1) });
  assert.equal(await statusFrom(port, ''), 200);
  assert.equal(await statusFrom(port, ''), 503);
  assert.equal(calls, 1);
  logger.take();
});

for (const limit of ['maxSessions', 'maxSessionsPerAddress'] as const) {
  test(`${limit}: a closed WebSocket frees its place`, async (t) => {
    const { port, router, logger } = await startRouter(t, { [limit]: 1 });
    const client = await openWebSocket(t, port, '/echo/websocket');
    assert.equal(await statusFrom(port, ''), 503);
    client.close();
    await client.closed();
    await until(() => router.stats.dump().sessionsActive === 0, 'the session has ended');
    assert.equal(await statusFrom(port, ''), 200);
    logger.take();
  });

  test(`${limit}: a broken stream frees its place after disconnectDelay`, async (t) => {
    const { port, router, logger } = await startRouter(t, { [limit]: 1, disconnectDelay: 1000 });
    const stream = new Receiver(port, newSession(), XHR_STREAMING);
    assert.equal(await stream.frame(), 'o');
    stream.connection.abort();
    await until(() => router.stats.dump().sessionsActive === 0, 'the session has ended');
    const ended = performance.now();
    assert.equal(await statusFrom(port, ''), 503, 'it still waits to tell a late poll');
    while ((await statusFrom(port, '')) !== 200) {
      assert.ok(performance.now() - ended < 5000, 'there is no room yet');
      await delay(10);
    }
    logger.take();
  });

  test(`${limit}: a session that onOpen refuses frees its place`, async (t) => {
    class Refusing extends SockJSConnection {
      override onOpen(): boolean {
        return false;
      }
    }
    const { port, logger } = await startRouter(t, { [limit]: 1, disconnectDelay: 50 }, Refusing);
    const client = await openWebSocket(t, port, '/echo/000/s/websocket');
    await client.closed();
    const began = performance.now();
    while ((await statusFrom(port, '')) !== 200) {
      assert.ok(performance.now() - began < 5000, 'there is no room yet');
      await delay(10);
    }
    logger.take();
  });
}

const PROXIED = { trustedProxies: ['loopback'], maxSessionsPerAddress: 1 };

const PAIRS: readonly (readonly [rule: string, first: string, second: string, status: number])[] = [
  ['another IPv4 address is another one', '192.0.2.1', '192.0.2.2', 200],
  ['the same IPv4 address is the same', '192.0.2.1', '192.0.2.1', 503],
  ['the port of an address does not matter', '192.0.2.1:1000', '192.0.2.1:2000', 503],
  ['an IPv4 address in IPv6 notation is itself', '192.0.2.1', '::ffff:192.0.2.1', 503],
  ['also in hexadecimal digits', '192.0.2.1', '::ffff:c000:201', 503],
  ['an IPv6 client is its /64', '2001:db8::1', '2001:db8::2', 503],
  ['however it is written', '2001:db8::1', '2001:0DB8:0:0:abcd:ef01:2:3', 503],
  ['another /64 is another client', '2001:db8::1', '2001:db8:0:1::1', 200],
];

for (const [rule, first, second, status] of PAIRS) {
  test(`${rule}: ${first}, ${second}`, async (t) => {
    const { port, logger } = await startRouter(t, PROXIED);
    assert.equal(await statusFrom(port, first), 200);
    assert.equal(await statusFrom(port, second), status);
    logger.take();
  });
}

test('the /64 networks of a /48 share a quarter of maxSessions', async (t) => {
  const { port, logger } = await startRouter(t, { ...PROXIED, maxSessions: 16 });
  for (let network = 0; network < 4; network += 1) {
    assert.equal(await statusFrom(port, `2001:db8:1:${network}::1`), 200);
  }
  assert.equal(await statusFrom(port, '2001:db8:1:4::1'), 503);
  assert.equal(await statusFrom(port, '2001:db8:2::1'), 200);
  assert.equal(await statusFrom(port, '192.0.2.1'), 200);
  logger.take();
});

test('clients of a UNIX socket have no address, and no limit for one address', async (t) => {
  const { router } = await startRouter(t, { maxSessionsPerAddress: 1 });
  const path = join(await temporaryDirectory(t), 'server.sock');
  const server = createServer();
  router.attach(server);
  server.listen(path);
  await once(server, 'listening');
  t.after(() => stop(server));
  for (let count = 0; count < 2; count += 1) {
    const socket = connect(path);
    t.after(() => socket.destroy());
    const request = { method: 'POST', path: `${newSession()}/xhr` };
    assert.equal((await httpRequest(socket, request)).status, 200);
  }
});

test('forwarding headers of a client that is no trusted proxy are ignored', async (t) => {
  const { port, logger } = await startRouter(t, { maxSessionsPerAddress: 1 });
  assert.equal(await statusFrom(port, '192.0.2.1'), 200);
  assert.equal(await statusFrom(port, '192.0.2.2'), 503);
  logger.take();
});

test('each cause is hinted at once, however often it happens', async (t) => {
  const settings = { ...PROXIED, maxSessions: 2 };
  const { port, logger, router } = await startRouter(t, settings);
  for (const address of [
    '192.0.2.1',
    '192.0.2.1',
    '192.0.2.1',
    '192.0.2.2',
    '192.0.2.3',
    '192.0.2.4',
  ])
    await statusFrom(port, address);
  const { refused: reasons } = router.stats.dump();
  assert.deepEqual([reasons.addressSessionLimit, reasons.sessionLimit], [2, 2]);
  assert.deepEqual(
    logger.take().map(({ level }) => level),
    ['warn', 'warn'],
  );
});

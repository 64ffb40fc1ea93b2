/** A page whose DNS name was changed to the address of this server: its Host and Origin are the same foreign name. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { SockJSRouter, type SockJSSettings } from '../../src/index.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { type Target } from '../../testkit/raw-connection.ts';
import { type Headers, httpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { UPGRADE_HEADERS } from '../../testkit/raw-websocket.ts';
import { Echo, portOf, startRouter, stop } from '../../testkit/server.ts';
import { newSession } from '../../testkit/transports.ts';

const REBOUND: Headers = [
  ['Host', 'rebind.example:9999'],
  ['Origin', 'http://rebind.example:9999'],
];

/** Sends the requests of a page. @returns the set of their statuses */
async function statusesOf(t: TestContext, target: Target, headers: Headers): Promise<number[]> {
  const requests = [
    { path: '/echo/info' },
    { path: '/echo/iframe.html' },
    { method: 'OPTIONS', path: `${newSession()}/xhr_send` },
    { method: 'POST', path: `${newSession()}/xhr` },
  ];
  const statuses = new Set<number>();
  for (const request of requests) {
    statuses.add((await httpRequest(target, { ...request, headers })).status);
  }
  for (const path of ['/echo/websocket', `${newSession()}/websocket`]) {
    const connection = httpConnection(t, target);
    connection.send({ path, headers: [...UPGRADE_HEADERS, ...headers] });
    statuses.add((await connection.readHead()).status);
  }
  return [...statuses].toSorted((left, right) => left - right);
}

const ADMITTED = [101, 200, 204];
const REFUSED = [403];

interface OwnServer {
  readonly target: { readonly port: number; readonly host: string };
  readonly router: SockJSRouter;
  readonly logger: RecordingLogger;
}

/** Starts a router with `listen`. */
async function listen(
  t: TestContext,
  settings: SockJSSettings = {},
  host = '127.0.0.1',
): Promise<OwnServer> {
  const logger = new RecordingLogger();
  const router = new SockJSRouter(Echo, '/echo', { logger, ...settings });
  t.after(() => router.close({ timeout: 100 }));
  const server = router.listen(0, host);
  await once(server, 'listening');
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host;
  return { target: { port: portOf(server), host: reachable }, router, logger };
}

for (const host of ['127.0.0.1', 'localhost', '127.0.0.2'] as const) {
  test(`a router that listens on ${host} refuses a rebound name, and the log names the setting`, async (t) => {
    const { router, logger, target } = await listen(t, {}, host);
    assert.deepEqual(await statusesOf(t, target, REBOUND), REFUSED);
    assert.equal(router.stats.dump().refused.hostNotAllowed, 6);
    const lines = logger.take().filter(({ level }) => level === 'warn');
    assert.equal(lines.length, 1, 'one line for each name');
    assert.match(
      lines[0]?.line ?? '',
      /host "rebind\.example:9999" with 403.*allowedHosts: \["rebind\.example"\].*trustedProxies/,
    );
  });
}

for (const [title, host] of [
  ['localhost', 'localhost:9999'],
  ['a name below localhost', 'app.localhost:9999'],
  ['an IPv4 address', '127.0.0.1:9999'],
  ['an IPv6 address', '[::1]:9999'],
] as const) {
  test(`a router that listens on a loopback address serves ${title}`, async (t) => {
    const { target } = await listen(t);
    const headers = [
      ['Host', host],
      ['Origin', `http://${host}`],
    ] as const;
    assert.deepEqual(await statusesOf(t, target, headers), ADMITTED);
  });
}

test('a program that sends no Host is served', async (t) => {
  const { target } = await listen(t);
  const { status } = await httpRequest(target, { path: '/echo/info', version: '1.0' });
  assert.equal(status, 200);
});

for (const [title, settings, host] of [
  ['allowedHosts names it', { allowedHosts: ['rebind.example'] }, '127.0.0.1'],
  ["allowedHosts is '*'", { allowedHosts: '*' }, '127.0.0.1'],
  ['trustedProxies is set', { trustedProxies: ['loopback'] }, '127.0.0.1'],
  ['it listens on all addresses', {}, '0.0.0.0'],
] as const) {
  test(`a router with listen admits a foreign name if ${title}`, async (t) => {
    const { target } = await listen(t, settings, host);
    assert.deepEqual(await statusesOf(t, target, REBOUND), ADMITTED);
  });
}

test('a server of the application is not restricted by default, also beside a router that listens', async (t) => {
  const { port, router } = await startRouter(t);
  const own = router.listen(0, '127.0.0.1');
  await once(own, 'listening');
  assert.deepEqual(await statusesOf(t, port, REBOUND), ADMITTED);
  const { status } = await httpRequest(portOf(own), {
    path: '/echo/info',
    headers: [['Host', 'localhost']],
  });
  assert.equal(status, 200);
});

test('a server that listens again follows its new address', async (t) => {
  const { target, router, logger } = await listen(t);
  const server = router.listen(0, '127.0.0.1');
  await once(server, 'listening');
  assert.deepEqual(await statusesOf(t, portOf(server), REBOUND), REFUSED);
  server.closeAllConnections();
  await stop(server);
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  assert.deepEqual(await statusesOf(t, portOf(server), REBOUND), ADMITTED);
  assert.deepEqual(await statusesOf(t, target, REBOUND), REFUSED, 'the other server');
  logger.take();
});

test('allowedHosts applies to attached servers, behind proxies too', async (t) => {
  const settings = {
    allowedHosts: ['*.example.com'],
    trustedProxies: ['loopback'],
    logger: false,
  } as const;
  const { port } = await startRouter(t, settings);
  assert.deepEqual(await statusesOf(t, port, REBOUND), REFUSED);
  const own = [
    ['Host', 'app.example.com'],
    ['Origin', 'https://app.example.com'],
  ] as const;
  assert.deepEqual(await statusesOf(t, port, own), ADMITTED);
  for (const [forwarded, status] of [
    ['app.example.com', 200],
    ['rebind.example', 403],
  ] as const) {
    const headers = [
      ['Host', 'localhost'],
      ['X-Forwarded-Host', forwarded],
      ['X-Forwarded-For', '1.2.3.4'],
    ] as const;
    assert.equal((await httpRequest(port, { path: '/echo/info', headers })).status, status);
  }
});

/** A relay that acts as an HTTP/1.0 proxy, a buffering proxy, and one that removes headers. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { SockJSSettings } from '../../src/index.ts';
import { openSockJS } from '../../testkit/sockjs-client.ts';
import { poll } from '../../testkit/sockjs-http.ts';
import { HTMLFILE, JSONP, newSession, sendRequest } from '../../testkit/transports.ts';
import { startService } from '../../test/browser-client/service.ts';
import { assertComesBack, assertFallsBack } from './browser-client.ts';
import {
  bufferRequests,
  bufferResponses,
  downgradeToHttp10,
  rewriteHead,
  stripUpgrade,
} from './faulty-proxy.ts';
import {
  CLIENT_TRANSPORTS,
  type ClientTransportName,
  openOfficial,
} from '../../testkit/official-client.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { type RelayOptions, startRelay } from '../../testkit/tcp-relay.ts';
import { type RunningRouter, startRouter } from '../../testkit/server.ts';

const MESSAGES: readonly string[] = Array.from({ length: 100 }, (_, index) => `${index} – „ä“ 🙂`);
const NON_WEBSOCKET_TRANSPORTS: readonly ClientTransportName[] = [
  'xhr-streaming',
  'eventsource',
  'xhr-polling',
];

interface RelayedRouter extends RunningRouter<never> {
  readonly url: string;
  readonly relayPort: number;
}

async function startRelayed(
  t: TestContext,
  stages: RelayOptions,
  settings?: SockJSSettings,
): Promise<RelayedRouter> {
  const running = await startRouter<never>(t, settings);
  const relayPort = await startRelay(t, running.port, stages);
  return { ...running, relayPort, url: `http://127.0.0.1:${relayPort}/echo` };
}

async function assertEchoes(
  t: TestContext,
  url: string,
  transports: ClientTransportName,
): Promise<void> {
  const client = await openOfficial(t, url, { transports });
  for (const message of MESSAGES.slice(0, 5)) {
    client.send(message);
    assert.equal(await client.messages.next(), message);
  }
  client.send(...MESSAGES);
  assert.deepEqual(await client.messages.take(MESSAGES.length), MESSAGES);
}

for (const transports of NON_WEBSOCKET_TRANSPORTS) {
  test(`${transports} works through a proxy that speaks HTTP/1.0`, async (t) => {
    const { url } = await startRelayed(t, { toServer: rewriteHead(downgradeToHttp10) });
    await assertEchoes(t, url, transports);
  });

  test(`${transports} works through a proxy that buffers requests`, async (t) => {
    const { url } = await startRelayed(t, { toServer: bufferRequests });
    await assertEchoes(t, url, transports);
  });
}

for (const transports of CLIENT_TRANSPORTS) {
  test(`${transports} works with noKeepAlive`, async (t) => {
    const { url } = await startRelayed(t, {}, { noKeepAlive: true });
    await assertEchoes(t, url, transports);
  });

  test(`${transports}: heartbeats keep a session open behind a proxy that cuts idle connections`, async (t) => {
    const { url } = await startRelayed(t, { idleTimeout: 2000 }, { heartbeatDelay: 300 });
    const client = await openOfficial(t, url, { transports });
    const start = performance.now();
    while (performance.now() - start < 3000) await client.heartbeats.next();
    client.send('still there');
    assert.equal(await client.messages.next(), 'still there');
    assert.equal(client.closings.size, 0);
  });
}

test('the same proxy cuts a session without heartbeats in time', async (t) => {
  const { url } = await startRelayed(t, { idleTimeout: 1500 });
  const client = await openOfficial(t, url, { transports: 'websocket' });
  assert.equal((await client.closings.next()).code, 1006);
});

test('jsonp works through a proxy that speaks HTTP/1.0', async (t) => {
  const { relayPort } = await startRelayed(t, { toServer: rewriteHead(downgradeToHttp10) });
  const session = newSession();
  assert.equal(await poll(relayPort, session, JSONP), 'o');
  const request = sendRequest(JSONP, { session }, JSON.stringify(MESSAGES));
  const { status, body } = await httpRequest(relayPort, request);
  assert.deepEqual({ status, body }, { status: 200, body: 'ok' });
  assert.equal(await poll(relayPort, session, JSONP), `a${JSON.stringify(MESSAGES)}`);
});

test('htmlfile works through a proxy that speaks HTTP/1.0', async (t) => {
  const { relayPort } = await startRelayed(t, { toServer: rewriteHead(downgradeToHttp10) });
  const client = await openSockJS(t, HTMLFILE, { server: relayPort });
  await client.send('hello');
  assert.equal(await client.next(), 'hello');
});

for (const [noKeepAlive, connection] of [
  [true, 'close'],
  [false, 'keep-alive'],
] as const) {
  test(`noKeepAlive ${noKeepAlive}: every response has Connection: ${connection}`, async (t) => {
    const { port } = await startRouter(t, { noKeepAlive });
    for (const [method, path] of [
      ['GET', '/echo/info'],
      ['GET', '/echo'],
      ['POST', '/echo/000/some-session/xhr'],
      ['OPTIONS', '/echo/000/some-session/xhr'],
      ['GET', '/echo/unknown'],
    ] as const) {
      const { head } = await httpRequest(port, { method, path });
      assert.equal(head.header('connection')?.toLowerCase(), connection, path);
    }
  });
}

test('the client falls back to polling behind a proxy that buffers responses', async (t) => {
  const stages = { toServer: rewriteHead(downgradeToHttp10), toClient: bufferResponses };
  const { url } = await startRelayed(t, stages);
  const client = await openOfficial(t, url, { transports: ['xhr-streaming', 'xhr-polling'] });
  assert.equal(client.transport, 'xhr-polling');
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
});

test('the browser client falls back to polling behind a proxy that buffers responses, and comes back after a crash', async (t) => {
  const service = await startService(t);
  const relayPort = await startRelay(t, service.port, {
    toServer: rewriteHead(downgradeToHttp10),
    toClient: bufferResponses,
  });
  const client = await assertFallsBack(t, `http://127.0.0.1:${relayPort}/echo`);
  await assertComesBack([client], {
    stop: () => service.kill(),
    restart: () => service.restart(),
  });
});

function renameHost(head: string): string {
  return head.replace(/^Host: (.*)$/m, 'Host: internal\r\nX-Forwarded-Host: $1');
}

for (const { trustedProxies, status } of [
  { trustedProxies: ['127.0.0.1'], status: 200 },
  { trustedProxies: [], status: 403 },
]) {
  const proxy = trustedProxies.length > 0 ? 'a trusted' : 'an untrusted';
  test(`pages of the same origin get ${status} if ${proxy} proxy has changed Host`, async (t) => {
    const { relayPort, logger } = await startRelayed(
      t,
      { toServer: rewriteHead(renameHost) },
      { trustedProxies },
    );
    const headers = [
      ['Host', 'site.example'],
      ['Origin', 'https://site.example'],
    ] as const;
    const response = await httpRequest(relayPort, { path: '/echo/info', headers });
    assert.equal(response.status, status);
    const warnings = logger.take().filter(({ level }) => level === 'warn');
    assert.equal(warnings.length, status === 200 ? 0 : 1);
  });
}

test('a WebSocket request without its Upgrade header is refused, and one warning names the cause', async (t) => {
  const { url, logger } = await startRelayed(t, { toServer: rewriteHead(stripUpgrade) });
  const client = await openOfficial(t, url, { transports: ['websocket', 'xhr-streaming'] });
  assert.equal(client.transport, 'xhr-streaming');
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
  const [warning, ...others] = logger.take().filter(({ level }) => level === 'warn');
  assert.match(warning?.line ?? '', /^\/echo: .*WebSocket.*Upgrade.*proxy/);
  assert.deepEqual(others, []);
});

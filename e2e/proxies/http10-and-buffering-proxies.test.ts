/** What old proxies do to requests, done to ours by a startRelay. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { SockJSSettings } from '../../src/index.ts';
import { rewriting, speakHttp10, stripUpgrade, wholeAnswers, wholeRequests } from './faulty-proxy.ts';
import { RawSession } from './raw-session.ts';
import { CLIENT_TRANSPORTS, type ClientTransportName, openOfficial } from '../../testkit/official-client.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { type RelayOptions, startRelay } from '../../testkit/tcp-relay.ts';
import { type RunningRouter, startRouter } from '../../testkit/server.ts';

const MESSAGES: readonly string[] = Array.from({ length: 100 }, (_, index) => `${index} – „ä“ 🙂`);
const OVER_HTTP: readonly ClientTransportName[] = ['xhr-streaming', 'eventsource', 'xhr-polling'];

interface Behind extends RunningRouter<never> {
  readonly url: string;
  readonly relayPort: number;
}

async function serveBehind(
  t: TestContext,
  stages: RelayOptions,
  settings?: SockJSSettings,
): Promise<Behind> {
  const running = await startRouter<never>(t, settings);
  const relayPort = await startRelay(t, running.port, stages);
  return { ...running, relayPort, url: `http://127.0.0.1:${relayPort}/echo` };
}

async function echoes(t: TestContext, url: string, transports: ClientTransportName): Promise<void> {
  const client = await openOfficial(t, url, { transports });
  for (const message of MESSAGES.slice(0, 5)) {
    client.send(message);
    assert.equal(await client.messages.next(), message);
  }
  client.send(...MESSAGES);
  assert.deepEqual(await client.messages.take(MESSAGES.length), MESSAGES);
}

for (const transports of OVER_HTTP) {
  test(`${transports} works through a proxy that speaks HTTP/1.0`, async (t) => {
    const { url } = await serveBehind(t, { toServer: rewriting(speakHttp10) });
    await echoes(t, url, transports);
  });

  test(`${transports} works where a proxy lets a request through only as a whole`, async (t) => {
    const { url } = await serveBehind(t, { toServer: wholeRequests });
    await echoes(t, url, transports);
  });
}

for (const transports of CLIENT_TRANSPORTS) {
  test(`${transports} works with noKeepAlive`, async (t) => {
    const { url } = await serveBehind(t, {}, { noKeepAlive: true });
    await echoes(t, url, transports);
  });

  test(`${transports}: heartbeats outlive a proxy that cuts what is idle`, async (t) => {
    const { url } = await serveBehind(t, { idleTimeout: 1000 }, { heartbeatDelay: 300 });
    const client = await openOfficial(t, url, { transports });
    const began = performance.now();
    while (performance.now() - began < 1500) await client.heartbeats.next();
    client.send('still there');
    assert.equal(await client.messages.next(), 'still there');
    assert.equal(client.closings.size, 0);
  });
}

test('without heartbeats in time that proxy does cut', async (t) => {
  const { url } = await serveBehind(t, { idleTimeout: 300 });
  const client = await openOfficial(t, url, { transports: 'websocket' });
  assert.equal((await client.closings.next()).code, 1006);
});

test('jsonp works through a proxy that speaks HTTP/1.0', async (t) => {
  const { relayPort } = await serveBehind(t, { toServer: rewriting(speakHttp10) });
  const session = new RawSession(relayPort);
  assert.equal(await session.jsonp(), 'o');
  await session.jsonpSend(...MESSAGES);
  assert.equal(await session.jsonp(), `a${JSON.stringify(MESSAGES)}`);
});

test('htmlfile works through a proxy that speaks HTTP/1.0', async (t) => {
  const { relayPort } = await serveBehind(t, { toServer: rewriting(speakHttp10) });
  const session = new RawSession(relayPort);
  const stream = await session.stream(t, 'htmlfile?c=cb');
  await stream.next(/p\("o"\)/);
  await session.send('hello');
  await stream.next(/p\("a\[\\"hello\\"\]"\)/);
});

for (const [noKeepAlive, connection] of [
  [true, 'close'],
  [false, 'keep-alive'],
] as const) {
  test(`noKeepAlive ${noKeepAlive}: every answer says Connection: ${connection}`, async (t) => {
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

test('where a proxy holds streams back the client falls back to polling', async (t) => {
  const stages = { toServer: rewriting(speakHttp10), toClient: wholeAnswers };
  const { url } = await serveBehind(t, stages);
  const client = await openOfficial(t, url, { transports: ['xhr-streaming', 'xhr-polling'] });
  assert.equal(client.transport, 'xhr-polling');
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
});

function renameHost(head: string): string {
  return head.replace(/^Host: (.*)$/m, 'Host: internal\r\nX-Forwarded-Host: $1');
}

for (const { trustedProxies, status } of [
  { trustedProxies: ['127.0.0.1'], status: 200 },
  { trustedProxies: [], status: 403 },
]) {
  const who = trustedProxies.length > 0 ? 'a trusted' : 'any other';
  test(`the host that ${who} proxy has renamed: own pages get ${status}`, async (t) => {
    const { relayPort, logger } = await serveBehind(
      t,
      { toServer: rewriting(renameHost) },
      { trustedProxies },
    );
    const headers = [
      ['Host', 'site.example'],
      ['Origin', 'https://site.example'],
    ] as const;
    const answer = await httpRequest(relayPort, { path: '/echo/info', headers });
    assert.equal(answer.status, status);
    const said = logger.take().filter(({ level }) => level === 'warn');
    assert.equal(said.length, status === 200 ? 0 : 1);
  });
}

test('a WebSocket request that has lost its Upgrade header is told so, and the log says why', async (t) => {
  const { url, logger } = await serveBehind(t, { toServer: rewriting(stripUpgrade) });
  // The client falls back, and works.
  const client = await openOfficial(t, url, { transports: ['websocket', 'xhr-streaming'] });
  assert.equal(client.transport, 'xhr-streaming');
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
  const [warning, ...others] = logger.take().filter(({ level }) => level === 'warn');
  assert.match(warning?.line ?? '', /^\/echo: .*WebSocket.*Upgrade.*proxy/);
  assert.deepEqual(others, [], 'it is said once');
});

/** Tests of the browser client behind a proxy and its two nodes, and behind proxies that buffer responses. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ConnectOptions, TransportName } from '../../client/index.ts';
import {
  BROWSER_TRANSPORTS,
  type BrowserClient,
  connectClient,
  openClient,
} from '../../testkit/browser-client.ts';
import { testEach } from '../../testkit/node-test.ts';
import { until } from '../../testkit/until.ts';
import { openBrowser } from '../browsers/engines.ts';
import type { ServerNode } from './nodes.ts';
import type { Proxy, ProxySetup } from './proxies.ts';

const MESSAGES: readonly string[] = Array.from({ length: 100 }, (_, index) => `${index} – „ä“ 🙂`);

/** Longest time in which the client opens behind a proxy that buffers. Each of the two streams is given 1 s. */
const MAX_FALLBACK_MS = 5000;

export interface ProxiedSite {
  readonly setup: ProxySetup;
  readonly proxy: Proxy;
  readonly nodes: readonly ServerNode[];
  url(prefix?: string): string;
}

async function assertEchoes({ socket, messages }: BrowserClient): Promise<void> {
  for (const message of MESSAGES) assert.equal(socket.send(message), true);
  assert.deepEqual(await messages.take(MESSAGES.length), MESSAGES);
}

/** Opens a client for each transport in a page of the service. Each one sends after each open event. */
const PAGE_SCRIPT = `
import('/echo/client.js').then(({ connect }) => {
  window.echoes = [];
  for (const transport of ${JSON.stringify(BROWSER_TRANSPORTS)}) {
    const socket = connect('/echo', { transports: [transport], reconnectDelay: 100 });
    socket.onopen = ({ reconnected }) => socket.send(transport + (reconnected ? ' again' : ''));
    socket.onmessage = ({ data }) => window.echoes.push(data);
  }
  const [script] = performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/client.js'));
  return script.nextHopProtocol;
})`;

/** Opens with the default times, and asserts that polling opens in time, without a reconnect. */
export async function assertFallsBack(
  t: TestContext,
  url: string,
  options?: ConnectOptions,
): Promise<BrowserClient> {
  const start = performance.now();
  const client = await openClient(t, url, options);
  const duration = performance.now() - start;
  assert.equal(client.socket.transport, 'xhr-polling');
  assert.ok(duration < MAX_FALLBACK_MS, `it took ${duration} ms`);
  await assertEchoes(client);
  assert.equal(client.losses.size, 0);
  return client;
}

/** Sends while the server is down, and asserts that it arrives over the same transport once the server is up. */
export async function assertComesBack(
  clients: readonly BrowserClient[],
  server: { stop(): Promise<unknown>; restart(): Promise<unknown> },
): Promise<void> {
  const transports = clients.map(({ socket }) => socket.transport);
  await server.stop();
  for (const { socket, losses } of clients) {
    // The end of the connection, and an attempt while the server is down.
    await losses.take(2);
    assert.equal(socket.send('meanwhile'), true);
  }
  await server.restart();
  for (const [index, client] of clients.entries()) {
    assert.equal(await client.opens.next(), true, transports[index]);
    assert.equal(await client.next(), 'meanwhile');
    assert.equal(client.socket.transport, transports[index]);
    await assertEchoes(client);
    assert.equal(client.closings.size, 0);
  }
}

export function testBrowserClient(site: ProxiedSite): void {
  testEach(BROWSER_TRANSPORTS, 'the browser client echoes', async (t, transport) => {
    const client = await openClient(t, site.url(), { transports: [transport] });
    await assertEchoes(client);
    const long = 'x'.repeat(1024 * 1024);
    client.socket.send(long);
    assert.equal(await client.next(), long);
    client.socket.send('close 4321 Genug für heute');
    const { code, reason, wasClean } = await client.closed();
    const expected = { code: 4321, reason: 'Genug für heute', wasClean: true };
    assert.deepEqual({ code, reason, wasClean }, expected);
    assert.equal(client.losses.size, 0);
  });

  test('the browser client opens over a WebSocket', async (t) => {
    const { socket } = await openClient(t, site.url());
    assert.equal(socket.transport, 'websocket');
  });

  for (const ending of ['stop', 'kill'] as const) {
    const title = ending === 'stop' ? 'are restarted' : 'crash';
    test(`the browser client comes back after both nodes ${title}`, async (t) => {
      const open = (transport: TransportName): Promise<BrowserClient> =>
        openClient(t, site.url(), { transports: [transport] });
      const clients = await Promise.all(BROWSER_TRANSPORTS.map(open));
      await assertComesBack(clients, {
        stop: () => Promise.all(site.nodes.map((node) => node[ending]())),
        restart: () => Promise.all(site.nodes.map((node) => node.restart())),
      });
    });
  }

  test('the browser client echoes in Chromium over TLS, and comes back after a crash', async (t) => {
    const browser = await openBrowser('Chromium');
    t.after(() => browser.end());
    const tab = await browser.open(`https://127.0.0.1:${site.proxy.tlsPort}/echo`);
    assert.equal(await tab.evaluate(PAGE_SCRIPT), site.setup.tlsProtocol);
    const expectEchoes = async (suffix: string): Promise<void> => {
      const expected = BROWSER_TRANSPORTS.map((transport) => transport + suffix).toSorted();
      let echoes: unknown;
      const hasAll = async (): Promise<boolean> => {
        echoes = await tab.evaluate('echoes');
        return Array.isArray(echoes) && echoes.length >= expected.length;
      };
      await until(hasAll, 'the echoes', { state: () => echoes });
      assert.deepEqual(await tab.evaluate('echoes.splice(0).toSorted()'), expected);
    };
    await expectEchoes('');
    await Promise.all(site.nodes.map((node) => node.kill()));
    await Promise.all(site.nodes.map((node) => node.restart()));
    await expectEchoes(' again');
  });

  test('the browser client waits for a node that is not up yet', async (t) => {
    await Promise.all(site.nodes.map((node) => node.stop()));
    const client = connectClient(t, site.url());
    client.socket.send('early');
    const { code } = await client.losses.next();
    assert.equal(code, 1006);
    await Promise.all(site.nodes.map((node) => node.restart()));
    assert.equal(await client.next(), 'early');
    assert.equal(client.closings.size, 0);
  });
}

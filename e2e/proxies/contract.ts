/** One list of tests for all proxies that are configured by the files in `deploy/`. */
import assert from 'node:assert/strict';
import { type TestContext, after, before, test } from 'node:test';
import tls from 'node:tls';
import { testEach } from '../../testkit/node-test.ts';
import {
  CLIENT_TRANSPORTS,
  type ClientTransportName,
  type OfficialClient,
  type OfficialClientOptions,
  openOfficial,
} from '../../testkit/official-client.ts';
import { type Headers, httpRequest } from '../../testkit/raw-http.ts';
import { type RawWebSocket, openWebSocket } from '../../testkit/raw-websocket.ts';
import { openSockJS } from '../../testkit/sockjs-client.ts';
import { poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { HTMLFILE, JSONP, newSession, sendRequest } from '../../testkit/transports.ts';
import { until, within } from '../../testkit/until.ts';
import { testBrowserClient } from './browser-client.ts';
import { type ProxiedConnection, ServerNode, openedAt } from './nodes.ts';
import { CERTIFICATE, type Proxy, type ProxySetup, readDeployed } from './proxies.ts';

const MESSAGES: readonly string[] = Array.from({ length: 100 }, (_, index) => `${index} – „ä“ 🙂`);
/** Server parts of sessions that reach both nodes. */
export const SERVERS: readonly string[] = Array.from(
  { length: 16 },
  (_, index) => `${100 + index}`,
);
const MAX_LATENCY_MS = 100;
/** Address of the test's clients where it has to differ from that of the proxy. */
export const CLIENT_IP = '127.0.0.2';

/** A proxy and its two nodes, which run while a test file runs. */
export class Installation {
  readonly nodes: readonly [ServerNode, ServerNode];
  readonly setup: ProxySetup;
  #proxy: Proxy | undefined;

  constructor(setup: ProxySetup) {
    this.setup = setup;
    const [a, b] = setup.nodePorts;
    const [http2A, http2B] = setup.http2NodePorts ?? [];
    this.nodes = [new ServerNode(a, http2A), new ServerNode(b, http2B)];
    before(async () => {
      await Promise.all(this.nodes.map((node) => node.start()));
      this.#proxy = await setup.start();
    });
    after(async () => {
      await this.#proxy?.stop();
      await Promise.all(this.nodes.map((node) => node.stop()));
    });
  }

  get proxy(): Proxy {
    assert.ok(this.#proxy !== undefined);
    return this.#proxy;
  }

  get port(): number {
    return this.proxy.port;
  }

  url(prefix = '/echo'): string {
    return `http://127.0.0.1:${this.port}${prefix}`;
  }

  /** Opens a client. @returns it, its connection at the node that it has reached, and that node */
  connect(
    t: TestContext,
    options: OfficialClientOptions,
    url: string = this.url(),
  ): Promise<{ opened: OfficialClient; connection: ProxiedConnection; node: ServerNode }> {
    return openedAt(this.nodes, () => openOfficial(t, url, options));
  }
}

function testMessages(site: Installation): void {
  testEach(CLIENT_TRANSPORTS, '100 messages return in order', async (t, transports) => {
    const client = await openOfficial(t, site.url(), { transports });
    assert.equal(client.transport, transports);
    client.send(...MESSAGES);
    assert.deepEqual(await client.messages.take(MESSAGES.length), MESSAGES);
  });

  test('jsonp: 100 messages return in order', async () => {
    const session = newSession();
    assert.equal(await poll(site.port, session, JSONP), 'o');
    const request = sendRequest(JSONP, { session }, JSON.stringify(MESSAGES));
    const { status, body } = await httpRequest(site.port, request);
    assert.deepEqual({ status, body }, { status: 200, body: 'ok' });
    assert.equal(await poll(site.port, session, JSONP), `a${JSON.stringify(MESSAGES)}`);
  });

  test('htmlfile: 100 messages return in order', async (t) => {
    const client = await openSockJS(t, HTMLFILE, { server: site.port });
    for (const message of MESSAGES) {
      await client.send(message);
      assert.equal(await client.next(), message);
    }
  });

  testEach(
    CLIENT_TRANSPORTS,
    'messages pass without persistent connections',
    async (t, transports) => {
      const client = await openOfficial(t, site.url('/no-keep-alive'), { transports });
      client.send(...MESSAGES);
      assert.deepEqual(await client.messages.take(MESSAGES.length), MESSAGES);
    },
  );

  testEach(
    CLIENT_TRANSPORTS,
    'a message of 1 MiB passes in both directions',
    async (t, transports) => {
      const long = 'x'.repeat(1024 * 1024);
      const client = await openOfficial(t, site.url(), { transports });
      client.send(long);
      assert.equal(await client.messages.next(), long);
    },
  );
}

function testCloses(site: Installation): void {
  testEach(
    CLIENT_TRANSPORTS,
    'a close by the server arrives with code and reason',
    async (t, transports) => {
      const client = await openOfficial(t, site.url(), { transports });
      client.send('close 4321 Genug für heute');
      const expected = { code: 4321, reason: 'Genug für heute', wasClean: true };
      assert.deepEqual(await client.closed(), expected);
    },
  );

  testEach(
    CLIENT_TRANSPORTS,
    'the server notices at once that a client leaves',
    async (t, transports) => {
      const { opened, connection, node } = await site.connect(
        t,
        { transports },
        site.url('/leaving'),
      );
      opened.send('hello');
      await opened.messages.next();
      await until(() => node.leaving.stats.dump().connectionsActive === 1, 'an attached receiver');
      opened.close();
      const { code } = await connection.closings.next();
      assert.ok([1000, 1002].includes(code), String(code));
    },
  );

  test('close codes and reasons of WebSockets pass in both directions', async (t) => {
    const open = (): Promise<RawWebSocket> => openWebSocket(t, site.port, '/echo/websocket');
    const { opened, connection } = await openedAt(site.nodes, async () => {
      const socket = await open();
      await socket.send('hello').next();
      return socket;
    });
    opened.close(4001, 'schön war’s');
    const expected = { code: 4001, reason: 'schön war’s' };
    assert.deepEqual(await connection.closings.next(), expected);
    const other = await open();
    other.send('close 4002 bis später');
    assert.deepEqual(await other.closed(), { code: 4002, reason: 'bis später' });
  });
}

/** Median time from `send` on the server to the client, in milliseconds. */
async function medianLatency(
  connection: ProxiedConnection,
  next: () => Promise<unknown>,
): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 9; round += 1) {
    const sent = performance.now();
    connection.send(`round ${round}`);
    await next();
    times.push(performance.now() - sent);
  }
  return times.toSorted((a, b) => a - b)[4] ?? Infinity;
}

function testLatency(site: Installation): void {
  testEach(
    CLIENT_TRANSPORTS,
    `a message arrives within ${MAX_LATENCY_MS} ms`,
    async (t, transports) => {
      const { opened, connection } = await site.connect(t, { transports });
      const median = await medianLatency(connection, () => opened.next());
      assert.ok(median < MAX_LATENCY_MS, `it took ${median} ms`);
    },
  );

  test(`htmlfile: a message arrives within ${MAX_LATENCY_MS} ms`, async (t) => {
    const { opened, connection } = await openedAt(site.nodes, () =>
      openSockJS(t, HTMLFILE, { server: site.port }),
    );
    const median = await medianLatency(connection, () => opened.next());
    assert.ok(median < MAX_LATENCY_MS, `it took ${median} ms`);
  });
}

function testAffinity(site: Installation): void {
  test('the server part of the path selects one node for all requests of a session', async () => {
    const reached = new Set<ServerNode>();
    for (const server of SERVERS) {
      const session = newSession('/echo', server);
      const { opened, node } = await openedAt(site.nodes, () => poll(site.port, session));
      assert.equal(opened, 'o');
      reached.add(node);
      for (const message of ['one', 'two', 'three']) {
        await sendMessages(site.port, session, message);
        assert.equal(await poll(site.port, session), `a["${message}"]`);
      }
    }
    assert.equal(reached.size, 2, 'a node received no session');
  });
}

/** Headers that only the client can have sent. The server may trust none of them. */
export const FORGED: Headers = [
  ['X-Forwarded-For', '6.6.6.6'],
  ['X-Forwarded-Host', 'evil.example'],
  ['X-Forwarded-Proto', 'https'],
  ['Forwarded', 'for=6.6.6.6;host=evil.example;proto=https'],
];

/** Polls a new session from an address that differs from the proxy's. @returns the status */
export async function pollFromClientIp(
  port: number,
  prefix: string,
  headers: Headers,
): Promise<number> {
  const target = { port, localAddress: CLIENT_IP };
  const all: Headers = [['Host', `127.0.0.1:${port}`], ...headers];
  const options = { endpoint: 'xhr', headers: all };
  const { status } = await postBody(target, newSession(prefix), '', options);
  return status;
}

async function openFromClientIp(
  t: TestContext,
  port: number,
  prefix: string,
  headers: Headers,
): Promise<RawWebSocket> {
  const target = { port, localAddress: CLIENT_IP };
  const all: Headers = [['Host', `127.0.0.1:${port}`], ...headers];
  return openWebSocket(t, target, `${prefix}/websocket`, { headers: all });
}

function testAddresses(site: Installation): void {
  for (const { prefix, ip, owner } of [
    { prefix: '/echo', ip: CLIENT_IP, owner: 'client' },
    { prefix: '/untrusting', ip: '127.0.0.1', owner: 'proxy' },
  ]) {
    for (const { name, headers } of [
      { name: '', headers: [] },
      { name: ' with forged headers', headers: FORGED },
    ]) {
      test(`${prefix}: the address of a poll${name} is that of the ${owner}`, async () => {
        const { opened, connection } = await openedAt(site.nodes, () =>
          pollFromClientIp(site.port, prefix, headers),
        );
        assert.equal(opened, 200);
        assert.deepEqual([connection.info.ip, connection.info.secure], [ip, false]);
      });

      test(`${prefix}: the address of a WebSocket${name} is that of the ${owner}`, async (t) => {
        const { connection } = await openedAt(site.nodes, async () => {
          await openFromClientIp(t, site.port, prefix, headers);
          const hasArrived = (): boolean => site.nodes.some((node) => node.connections.length > 0);
          await until(hasArrived, 'the connection at a node');
        });
        assert.deepEqual([connection.info.ip, connection.info.secure], [ip, false]);
      });
    }
  }
}

function testOrigins(site: Installation): void {
  for (const prefix of ['/echo', '/untrusting']) {
    test(`${prefix}: pages of the proxy’s own origin are accepted, others are refused`, async (t) => {
      const own: Headers = [['Origin', `http://127.0.0.1:${site.port}`]];
      const other: Headers = [['Origin', 'http://evil.example']];
      const forged: Headers = [...FORGED, ...other];
      assert.equal(await pollFromClientIp(site.port, prefix, own), 200);
      assert.equal(await pollFromClientIp(site.port, prefix, other), 403);
      assert.equal(await pollFromClientIp(site.port, prefix, forged), 403);
      await openFromClientIp(t, site.port, prefix, own);
      await assert.rejects(openFromClientIp(t, site.port, prefix, forged), { status: 403 });
      for (const { logger } of site.nodes) {
        for (const { line } of logger.take()) assert.match(line, /allowedOrigins/);
      }
    });
  }
}

/** @returns a server part whose sessions reach the node */
async function serverPartFor(site: Installation, wanted: ServerNode): Promise<string> {
  for (const server of SERVERS) {
    const session = newSession('/echo', server);
    const { node } = await openedAt(site.nodes, () => poll(site.port, session));
    if (node === wanted) return server;
  }
  throw new Error('No session reaches the node.');
}

function testDraining(site: Installation): void {
  test('a draining node loses nothing, the other node takes new sessions, and the first one returns', async (t) => {
    const [a, b] = site.nodes;
    const server = await serverPartFor(site, a);
    const clients: OfficialClient[] = [];
    for (const transports of CLIENT_TRANSPORTS) {
      const { opened, node } = await site.connect(t, { transports, server }, site.url('/rolling'));
      assert.equal(node, a);
      clients.push(opened);
    }
    // A client between two polls: the node drains until it has polled again.
    const session = newSession('/rolling', server);
    const slow = await openedAt(site.nodes, () => poll(site.port, session));
    assert.equal(slow.opened, 'o');

    a.rolling.broadcast(a.rolling.connections, 'last words');
    const expected = { code: 4444, reason: 'see you' };
    const closed = a.rolling.close({ ...expected, timeout: 30_000 });
    for (const client of clients) {
      assert.equal(await client.next(), 'last words');
      assert.deepEqual(await client.closed(), { ...expected, wasClean: true });
    }
    if (site.setup.skipsDrainingNodes) await assertReaches(t, site, server, b);
    assert.equal(await poll(site.port, session), 'a["last words"]');
    assert.equal(await poll(site.port, session), 'c[4444,"see you"]');
    assert.deepEqual(await slow.connection.closings.next(), expected);
    await within(closed, 'the end of the drain');

    await a.stop();
    await assertReaches(t, site, server, b);

    await a.restart();
    const hasReturned = async (): Promise<boolean> => {
      await poll(site.port, newSession('/echo', server));
      return a.connections.length > 0;
    };
    await until(hasReturned, 'a session at the restarted node');
  });
}

async function assertReaches(
  t: TestContext,
  site: Installation,
  server: string,
  wanted: ServerNode,
): Promise<void> {
  const earlier = new Set(wanted.connections);
  const exchange = async (transports: ClientTransportName): Promise<void> => {
    const client = await openOfficial(t, site.url('/rolling'), { transports, server });
    client.send(...MESSAGES);
    assert.deepEqual(await client.messages.take(MESSAGES.length), MESSAGES);
  };
  await Promise.all(CLIENT_TRANSPORTS.map(exchange));
  const added = wanted.connections.filter((connection) => !earlier.has(connection));
  assert.equal(added.length, CLIENT_TRANSPORTS.length);
}

function testTls(site: Installation): void {
  testEach(CLIENT_TRANSPORTS, 'TLS ends at the proxy', async (t, transports) => {
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), CERTIFICATE.cert]);
    const url = `https://127.0.0.1:${site.proxy.tlsPort}/echo`;
    const { opened, connection } = await site.connect(t, { transports }, url);
    opened.send('hello');
    assert.equal(await opened.next(), 'hello');
    assert.equal(connection.info.secure, true);
  });

  test('the cookie is Secure where the proxy ends TLS', async () => {
    const { tlsPort = 0 } = site.proxy;
    const target = { port: tlsPort, tls: { ca: CERTIFICATE.cert } };
    const headers: Headers = [['Host', `127.0.0.1:${tlsPort}`]];
    const { head } = await postBody(target, newSession(), '', { endpoint: 'xhr', headers });
    const [cookie, ...others] = head.all('set-cookie');
    assert.match(cookie ?? '', /^JSESSIONID=[a-z~]+; path=\/; Secure; SameSite=None$/);
    assert.deepEqual(others, []);
  });
}

function testIdleTimeouts(site: Installation): void {
  const { setup } = site;
  const { idleTimeout } = setup;

  test('no idle timeout in the file is shorter than twice the heartbeat delay', async () => {
    const text = await readDeployed(setup.file);
    const { heartbeatDelay } = site.nodes[0].rolling.settings;
    if (idleTimeout === undefined) {
      assert.doesNotMatch(text, /^\s*(?:read|write|idle|stream)[a-z_]*timeout/m);
      return;
    }
    const seconds = [...text.matchAll(idleTimeout)].map(([, value]) => Number(value));
    assert.ok(seconds.length >= 2);
    for (const value of seconds) assert.ok(value * 1000 > heartbeatDelay * 2);
  });

  if (idleTimeout === undefined) return;
  test('heartbeats keep idle sessions open, and sessions without them are cut', async (t) => {
    const proxy = await setup.startChanged((text) => text.replaceAll('60s', '1s'));
    t.after(() => proxy.stop());
    const url = `http://127.0.0.1:${proxy.port}`;
    const streaming = ['websocket', 'xhr-streaming', 'eventsource'] as const;
    const beating = await Promise.all(
      CLIENT_TRANSPORTS.map((transports) => openOfficial(t, `${url}/heartbeats`, { transports })),
    );
    const idle: ProxiedConnection[] = [];
    for (const transports of streaming) {
      const { connection } = await site.connect(t, { transports }, `${url}/echo`);
      idle.push(connection);
    }
    for (const { closings } of idle) assert.notEqual((await closings.next()).code, 1000);
    for (const client of beating) {
      client.send('still there');
      assert.equal(await client.next(), 'still there');
      assert.equal(client.closings.size, 0);
      assert.ok(client.heartbeats.size > 0);
    }
  });
}

export function testBehind(setup: ProxySetup): Installation {
  const site = new Installation(setup);
  testMessages(site);
  testCloses(site);
  testLatency(site);
  testAffinity(site);
  testAddresses(site);
  testOrigins(site);
  testTls(site);
  testIdleTimeouts(site);
  testDraining(site);
  testBrowserClient(site);
  return site;
}

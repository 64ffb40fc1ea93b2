/** What every proxy must let through when it is configured as `deploy/` says: one list of tests for all. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { request as requestOverTls } from 'node:https';
import { type TestContext, after, before, test } from 'node:test';
import tls from 'node:tls';
import { WebSocket } from 'ws';
import { ServerNode, type Visitor, arrival } from './nodes.ts';
import { RawSession } from './raw-session.ts';
import { CERTIFICATE, type Proxy, type Recipe, readDeployed } from './proxies.ts';
import { CLIENT_TRANSPORTS, type ClientTransportName, type OfficialClient, type OfficialClientOptions, openOfficial } from '../../testkit/official-client.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { testEach } from '../../testkit/node-test.ts';
import { until, within } from '../../testkit/until.ts';

const MESSAGES: readonly string[] = Array.from({ length: 100 }, (_, index) => `${index} – „ä“ 🙂`);
const SERVERS: readonly string[] = Array.from({ length: 16 }, (_, index) => `${100 + index}`);
const PROMPTLY = 100;

/** A proxy in front of its two nodes, as long as a file's tests run. */
export class Installation {
  readonly nodes: readonly [ServerNode, ServerNode];
  readonly recipe: Recipe;
  #proxy: Proxy | undefined;

  constructor(recipe: Recipe) {
    this.recipe = recipe;
    const [a, b] = recipe.nodePorts;
    this.nodes = [new ServerNode(a), new ServerNode(b)];
    before(async () => {
      await Promise.all(this.nodes.map((node) => node.start()));
      this.#proxy = await recipe.start();
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

  /** A client, and the connection at the node that it has reached. */
  visit(
    t: TestContext,
    options: OfficialClientOptions,
    url: string = this.url(),
  ): Promise<{ opened: OfficialClient; visitor: Visitor; node: ServerNode }> {
    return arrival(this.nodes, () => openOfficial(t, url, options));
  }
}

function passesMessages(site: Installation): void {
  testEach(CLIENT_TRANSPORTS, '100 messages come back in order', async (t, transports) => {
    const client = await openOfficial(t, site.url(), { transports });
    assert.equal(client.transport, transports);
    client.send(...MESSAGES);
    assert.deepEqual(await client.messages.take(MESSAGES.length), MESSAGES);
  });

  test('jsonp: 100 messages come back in order', async () => {
    const session = new RawSession(site.port);
    assert.equal(await session.jsonp(), 'o');
    await session.jsonpSend(...MESSAGES);
    assert.equal(await session.jsonp(), `a${JSON.stringify(MESSAGES)}`);
  });

  test('htmlfile: 100 messages come back in order', async (t) => {
    const session = new RawSession(site.port);
    const stream = await session.stream(t, 'htmlfile?c=cb');
    await stream.next(/\np\("o"\);\n/);
    for (const message of MESSAGES) {
      await session.send(message);
      const line = await stream.next(/\np\(".*"\);\n/);
      const frame: unknown = JSON.parse(line.slice(3, -3));
      assert.equal(frame, `a${JSON.stringify([message])}`);
    }
  });

  testEach(CLIENT_TRANSPORTS, 'nothing depends on connections that stay open', async (t, transports) => {
    const client = await openOfficial(t, site.url('/no-keep-alive'), { transports });
    client.send(...MESSAGES);
    assert.deepEqual(await client.messages.take(MESSAGES.length), MESSAGES);
  });

  testEach(CLIENT_TRANSPORTS, 'a message of 1 MiB passes in both directions', async (t, transports) => {
    const long = 'x'.repeat(1024 * 1024);
    const client = await openOfficial(t, site.url(), { transports });
    client.send(long);
    assert.equal(await client.messages.next(), long);
  });
}

function passesEnds(site: Installation): void {
  testEach(CLIENT_TRANSPORTS, 'a close by the server arrives with code and reason', async (t, transports) => {
    const client = await openOfficial(t, site.url(), { transports });
    client.send('close 4321 Genug für heute');
    const end = { code: 4321, reason: 'Genug für heute', wasClean: true };
    assert.deepEqual(await client.closings.next(), end);
  });

  testEach(CLIENT_TRANSPORTS, 'a client that goes is noticed at once', async (t, transports) => {
    const { opened, visitor, node } = await site.visit(t, { transports }, site.url('/leaving'));
    opened.send('hello');
    await opened.messages.next();
    await until(() => node.leaving.stats.dump().connectionsActive === 1, 'it waits for more');
    opened.close();
    const { code } = await visitor.ends.next();
    assert.ok([1000, 1002].includes(code), String(code));
  });

  test('close codes and reasons of WebSockets pass in both directions', async (t) => {
    const { opened, visitor } = await arrival(site.nodes, async () => {
      const socket = await openWebSocket(t, `${site.url()}/websocket`);
      socket.send('hello');
      await socket.next();
      return socket;
    });
    opened.socket.close(4001, 'schön war’s');
    assert.deepEqual(await visitor.ends.next(), { code: 4001, reason: 'schön war’s' });
    const other = await openWebSocket(t, `${site.url()}/websocket`);
    other.send('close 4002 bis später');
    assert.deepEqual(await other.closed(), { code: 4002, reason: 'bis später' });
  });
}

/** The median of what messages take from `send` to the client. */
async function latency(visitor: Visitor, next: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 9; round += 1) {
    const sent = performance.now();
    visitor.send(`round ${round}`);
    await next();
    times.push(performance.now() - sent);
  }
  return times.toSorted((a, b) => a - b)[4] ?? Infinity;
}

function doesNotBuffer(site: Installation): void {
  testEach(CLIENT_TRANSPORTS, `a message arrives within ${PROMPTLY} ms`, async (t, transports) => {
    const { opened, visitor } = await site.visit(t, { transports });
    const median = await latency(visitor, () => opened.messages.next());
    assert.ok(median < PROMPTLY, `it took ${median} ms`);
  });

  test(`htmlfile: a message arrives within ${PROMPTLY} ms`, async (t) => {
    const { opened, visitor } = await arrival(site.nodes, async () => {
      const stream = await new RawSession(site.port).stream(t, 'htmlfile?c=cb');
      await stream.next(/p\("o"\)/);
      return stream;
    });
    const median = await latency(visitor, () => opened.next(/p\("a.*"\)/));
    assert.ok(median < PROMPTLY, `it took ${median} ms`);
  });
}

function keepsSessionsTogether(site: Installation): void {
  test('all requests of a session reach one node, by the server part of the path', async () => {
    const reached = new Set<ServerNode>();
    for (const server of SERVERS) {
      const session = new RawSession(site.port, { server });
      const { opened, node } = await arrival(site.nodes, () => session.poll());
      assert.equal(opened.body, 'o\n');
      reached.add(node);
      for (const message of ['one', 'two', 'three']) {
        await session.send(message);
        assert.equal((await session.poll()).body, `a["${message}"]\n`);
      }
    }
    assert.equal(reached.size, 2, 'both nodes have their share');
  });
}

export type Headers = Readonly<Record<string, string>>;

/** What only the client can have written; none of it may be believed. */
export const FORGED: Headers = {
  'X-Forwarded-For': '6.6.6.6',
  'X-Forwarded-Host': 'evil.example',
  'X-Forwarded-Proto': 'https',
  Forwarded: 'for=6.6.6.6;host=evil.example;proto=https',
};

/** Polls from an address of loopback that is not the proxy's own. @returns the status */
export async function pollFrom(
  port: number,
  path: string,
  headers: Headers,
): Promise<number | undefined> {
  const options = { host: '127.0.0.1', port, path, headers, method: 'POST', agent: false };
  const status = new Promise<number | undefined>((resolve, reject) => {
    const polling = request({ ...options, localAddress: '127.0.0.2' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    polling.on('error', reject).end();
  });
  return within(status, 'an answer');
}

async function connectFrom(t: TestContext, url: string, headers: Headers): Promise<void> {
  const socket = new WebSocket(url.replace('http', 'ws'), { headers, localAddress: '127.0.0.2' });
  t.after(() => socket.terminate());
  const signal = AbortSignal.timeout(5000);
  await Promise.race([once(socket, 'message', { signal }), once(socket, 'open', { signal })]);
}

function tellsTheAddress(site: Installation): void {
  for (const { prefix, ip, secure } of [
    { prefix: '/echo', ip: '127.0.0.2', secure: false },
    { prefix: '/untrusting', ip: '127.0.0.1', secure: false },
  ]) {
    const whose = prefix === '/echo' ? 'the client’s' : 'the proxy’s';
    for (const headers of [{}, FORGED]) {
      const by = headers === FORGED ? ', forged headers or not' : '';
      test(`${prefix}: the address of a poll is ${whose}${by}`, async () => {
        const path = `${prefix}/000/${crypto.randomUUID()}/xhr`;
        const { opened, visitor } = await arrival(site.nodes, () =>
          pollFrom(site.port, path, headers),
        );
        assert.equal(opened, 200);
        assert.deepEqual([visitor.info.ip, visitor.info.secure], [ip, secure]);
      });

      test(`${prefix}: the address of a WebSocket is ${whose}${by}`, async (t) => {
        const url = `${site.url(prefix)}/websocket`;
        const { visitor } = await arrival(site.nodes, async () => {
          await connectFrom(t, url, headers);
          await until(() => site.nodes.some((node) => node.visitors.length > 0), 'it is there');
        });
        assert.deepEqual([visitor.info.ip, visitor.info.secure], [ip, secure]);
      });
    }
  }
}

function guardsOrigins(site: Installation): void {
  for (const prefix of ['/echo', '/untrusting']) {
    test(`${prefix}: pages of the proxy’s own origin are let in, others are not`, async (t) => {
      const path = `${prefix}/000/${crypto.randomUUID()}/xhr`;
      const own = { Origin: `http://127.0.0.1:${site.port}` };
      const other = { Origin: 'http://evil.example' };
      assert.equal(await pollFrom(site.port, path, own), 200);
      assert.equal(await pollFrom(site.port, path, other), 403);
      assert.equal(await pollFrom(site.port, path, { ...FORGED, ...other }), 403);
      const url = `${site.url(prefix)}/websocket`;
      await connectFrom(t, url, own);
      await assert.rejects(connectFrom(t, url, { ...FORGED, ...other }), /403/);
      for (const { logs } of site.nodes) {
        for (const { line } of logs.take()) assert.match(line, /allowedOrigins/);
      }
    });
  }
}

/** A `<server>` whose sessions reach the node. */
async function serverOf(site: Installation, wanted: ServerNode): Promise<string> {
  for (const server of SERVERS) {
    const session = new RawSession(site.port, { server });
    const { node } = await arrival(site.nodes, () => session.poll());
    if (node === wanted) return server;
  }
  throw new Error('no session reaches the node');
}

function each<T>(run: (transports: ClientTransportName) => Promise<T>): Promise<T[]> {
  return Promise.all(CLIENT_TRANSPORTS.map(run));
}

function drains(site: Installation): void {
  test('a node that drains loses nothing, new sessions reach the other, and it comes back', async (t) => {
    const [a, b] = site.nodes;
    const server = await serverOf(site, a);
    const clients: OfficialClient[] = [];
    for (const transports of CLIENT_TRANSPORTS) {
      const { opened, node } = await site.visit(t, { transports, server }, site.url('/rolling'));
      assert.equal(node, a);
      clients.push(opened);
    }
    // Between two polls all the time: as long as it has not come back the node goes on draining.
    const slow = new RawSession(site.port, { prefix: '/rolling', server });
    const { visitor, opened } = await arrival(site.nodes, () => slow.poll());
    assert.equal(opened.body, 'o\n');

    a.rolling.broadcast(a.rolling.connections, 'last words');
    const end = { code: 4444, reason: 'see you' };
    const closed = a.rolling.close(end);
    for (const client of clients) {
      assert.equal(await client.messages.next(), 'last words');
      assert.deepEqual(await client.closings.next(), { ...end, wasClean: true });
    }
    if (site.recipe.passesOverDraining) await reachesTheOther(t, site, server, b);
    assert.equal((await slow.poll()).body, 'a["last words"]\n');
    assert.equal((await slow.poll()).body, 'c[4444,"see you"]\n');
    assert.deepEqual(await visitor.ends.next(), end);
    await within(closed, 'the end of the drain');

    await a.stop();
    await reachesTheOther(t, site, server, b);

    await a.restart();
    const deadline = performance.now() + 10_000;
    while (a.visitors.length === 0) {
      assert.ok(performance.now() < deadline, 'no session reaches it');
      await new RawSession(site.port, { server }).poll();
    }
  });
}

async function reachesTheOther(
  t: TestContext,
  site: Installation,
  server: string,
  other: ServerNode,
): Promise<void> {
  const earlier = new Set(other.visitors);
  await each(async (transports) => {
    const client = await openOfficial(t, site.url('/rolling'), { transports, server });
    client.send(...MESSAGES);
    assert.deepEqual(await client.messages.take(MESSAGES.length), MESSAGES);
  });
  const arrived = other.visitors.filter((visitor) => !earlier.has(visitor));
  assert.equal(arrived.length, CLIENT_TRANSPORTS.length);
}

function endsTls(site: Installation): void {
  testEach(CLIENT_TRANSPORTS, 'TLS ends at the proxy', async (t, transports) => {
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), CERTIFICATE.cert]);
    const url = `https://127.0.0.1:${site.proxy.tlsPort}/echo`;
    const { opened, visitor } = await site.visit(t, { transports }, url);
    opened.send('hello');
    assert.equal(await opened.messages.next(), 'hello');
    assert.equal(visitor.info.secure, true);
  });

  test('the cookie is for encrypted connections only where the proxy ends TLS', async () => {
    const path = `/echo/000/${crypto.randomUUID()}/xhr`;
    const { tlsPort: port } = site.proxy;
    const options = { host: '127.0.0.1', port, path, method: 'POST', ca: CERTIFICATE.cert };
    const polling = requestOverTls({ ...options, agent: false });
    polling.end();
    const cookies = new Promise<readonly string[]>((resolve, reject) => {
      polling.on('error', reject).on('response', (response) => {
        response.resume();
        resolve(response.headers['set-cookie'] ?? []);
      });
    });
    const [cookie, ...others] = await within(cookies, 'an answer');
    assert.match(cookie ?? '', /^JSESSIONID=[a-z~]+; path=\/; Secure; SameSite=None$/);
    assert.deepEqual(others, []);
  });
}

function outlivesIdleTimeouts(site: Installation): void {
  const { recipe } = site;
  const { idleTimeout } = recipe;

  test('no idle timeout in the file is shorter than the heartbeat delay', async () => {
    const text = await readDeployed(recipe.file);
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
  test('heartbeats keep idle sessions alive, and nothing else does', async (t) => {
    const proxy = await recipe.startChanged((text) => text.replaceAll('60s', '1s'));
    t.after(() => proxy.stop());
    const url = `http://127.0.0.1:${proxy.port}`;
    const streams = ['websocket', 'xhr-streaming', 'eventsource'] as const;
    const hasty = await Promise.all(
      CLIENT_TRANSPORTS.map((transports) => openOfficial(t, `${url}/hasty`, { transports })),
    );
    // The same proxy cuts off those that are sent nothing.
    const idle: { readonly visitor: Visitor }[] = [];
    for (const transports of streams) idle.push(await site.visit(t, { transports }, `${url}/echo`));
    for (const { visitor } of idle) assert.notEqual((await visitor.ends.next()).code, 1000);
    for (const client of hasty) {
      client.send('still there');
      assert.equal(await client.messages.next(), 'still there');
      assert.equal(client.closings.size, 0);
      assert.ok(client.heartbeats.size > 0);
    }
  });
}

export function provenBehind(recipe: Recipe): Installation {
  const site = new Installation(recipe);
  passesMessages(site);
  passesEnds(site);
  doesNotBuffer(site);
  keepsSessionsTogether(site);
  tellsTheAddress(site);
  guardsOrigins(site);
  endsTls(site);
  outlivesIdleTimeouts(site);
  drains(site);
  return site;
}

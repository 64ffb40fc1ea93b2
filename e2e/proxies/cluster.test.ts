/** The files in `deploy/cluster/`: three nodes of a cluster behind a proxy without affinity. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  MemoryHub,
  type SockJSCluster,
  SockJSConnection,
  SockJSRouter,
  createCluster,
  memoryBackplane,
} from '../../src/index.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { testEach } from '../../testkit/node-test.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import { listen } from '../../testkit/server.ts';
import { openSockJS } from '../../testkit/sockjs-client.ts';
import { poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { HTMLFILE, JSONP, newSession } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import { CLUSTER_PROXIES, type ClusterProxy } from './cluster-proxies.ts';

const NODES = 3;
const MESSAGES: readonly string[] = Array.from({ length: 1000 }, (_, index) => `${index} – „ä“ 🙂`);
const BATCH = 100;

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

interface TestNode {
  readonly port: number;
  readonly cluster: SockJSCluster;
  readonly router: SockJSRouter<Echo>;
}

async function startNode(t: TestContext, hub: MemoryHub): Promise<TestNode> {
  const logger = new RecordingLogger();
  const backplane = memoryBackplane(hub);
  const cluster = createCluster({ backplane, listen: { host: '127.0.0.1' }, logger });
  const settings = { cluster, logger, jsessionid: false, trustedProxies: ['127.0.0.1'] };
  const router = new SockJSRouter(Echo, '/echo', settings);
  const server = router.listen(0, '127.0.0.1');
  await cluster.ready();
  t.after(async () => {
    await router.close({ timeout: 100 });
    await cluster.close();
    logger.assertNoProblems();
  });
  await until(() => server.listening, 'the server to listen');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { port: address.port, cluster, router };
}

async function startNodes(t: TestContext): Promise<readonly TestNode[]> {
  const hub = new MemoryHub();
  const nodes = await Promise.all(Array.from({ length: NODES }, () => startNode(t, hub)));
  await until(() => nodes.every(({ cluster }) => cluster.members.length === NODES), 'all members');
  return nodes;
}

function portsOf(nodes: readonly TestNode[]): number[] {
  return nodes.map(({ port }) => port);
}

function relayed(nodes: readonly TestNode[]): number {
  return nodes.reduce((sum, { cluster }) => sum + cluster.stats.relayedOut, 0);
}

/** Opens sessions of all transports of the real client, one after the other, each of which echoes all messages. */
async function echoAll(t: TestContext, port: number): Promise<void> {
  for (const transports of CLIENT_TRANSPORTS) {
    const client = await openOfficial(t, `http://127.0.0.1:${port}/echo`, { transports });
    for (let start = 0; start < MESSAGES.length; start += BATCH) {
      const batch = MESSAGES.slice(start, start + BATCH);
      client.send(...batch);
      assert.deepEqual(await client.messages.take(BATCH), batch, transports);
    }
    client.close();
  }
}

function testBehind(proxy: ClusterProxy): void {
  test(`${proxy.name}: every transport echoes 1,000 messages in order in round robin`, async (t) => {
    const nodes = await startNodes(t);
    const { port } = await proxy.start(t, portsOf(nodes));
    await echoAll(t, port);
    for (const { cluster } of nodes) assert.ok(cluster.stats.relayedOut > 0);
  });

  test(`${proxy.name}: jsonp and htmlfile return messages in order in round robin`, async (t) => {
    const nodes = await startNodes(t);
    const { port } = await proxy.start(t, portsOf(nodes));
    for (const transport of [JSONP, HTMLFILE]) {
      const client = await openSockJS(t, transport, { server: port });
      for (const message of MESSAGES.slice(0, BATCH)) {
        await client.send(message);
        assert.equal(await client.next(), message);
      }
    }
  });

  test(`${proxy.name}: soft stickiness serves a session on its node without relays`, async (t) => {
    const nodes = await startNodes(t);
    const { port } = await proxy.start(t, portsOf(nodes), proxy.stick);
    for (let server = 100; server < 110; server += 1) {
      const session = newSession('/echo', String(server));
      assert.equal(await poll(port, session), 'o');
      await sendMessages(port, session, 'hello');
      assert.equal(await poll(port, session), 'a["hello"]');
    }
    assert.equal(relayed(nodes), 0);
  });

  test(`${proxy.name}: soft stickiness does not need the node that it prefers`, async (t) => {
    const nodes = await startNodes(t);
    const gone = createServer((socket) => socket.destroy());
    const closedPort = await listen(gone);
    gone.close();
    const [, ...others] = portsOf(nodes);
    const { port } = await proxy.start(t, [closedPort, ...others], proxy.stick);
    await echoAll(t, port);
  });

  test(`${proxy.name}: a POST whose connection breaks is not repeated`, async (t) => {
    const [, ...others] = await startNodes(t);
    let requests = 0;
    // Takes each request, and breaks off. It responds only to health checks.
    const breaking = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => {
        if (data.toString('latin1').startsWith('GET ')) {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
          return;
        }
        requests += 1;
        socket.destroy();
      });
    });
    const sockets = new Set<{ destroy(): void }>();
    breaking.on('connection', (socket) => sockets.add(socket));
    const breakingPort = await listen(breaking);
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      breaking.close();
    });
    const { port } = await proxy.start(t, [breakingPort, ...portsOf(others)]);
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 9; attempt += 1) {
      const { status } = await postBody(port, newSession(), '["once"]');
      statuses.push(status);
    }
    // A living node does not know the session.
    assert.ok(requests > 0);
    assert.equal(statuses.filter((status) => status === 502).length, requests);
    assert.equal(statuses.filter((status) => status === 404).length, 9 - requests);
  });

  test(`${proxy.name}: sessions of other nodes continue while a node is down`, async (t) => {
    const nodes = await startNodes(t);
    const [first] = nodes;
    assert.ok(first !== undefined);
    const { port } = await proxy.start(t, portsOf(nodes));
    await first.router.close({ timeout: 100 });
    await first.cluster.close();
    await echoAll(t, port);
  });
}

for (const proxy of CLUSTER_PROXIES) testBehind(proxy);

testEach(
  CLUSTER_PROXIES.filter(({ name }) => name !== 'Caddy'),
  'a new session that a closing node refuses opens on another node',
  async (t, proxy) => {
    const nodes = await startNodes(t);
    const [first] = nodes;
    assert.ok(first !== undefined);
    const { port } = await proxy.start(t, portsOf(nodes));
    // An open session without a poll: the node drains until the timeout.
    const waiting = newSession();
    assert.equal(await poll(first.port, waiting), 'o');
    const closed = first.router.close({ timeout: 2000 });
    for (let attempt = 0; attempt < 9; attempt += 1)
      assert.equal(await poll(port, newSession()), 'o');
    assert.equal(await poll(port, waiting), 'c[1001,"Server is going away"]');
    await closed;
  },
);

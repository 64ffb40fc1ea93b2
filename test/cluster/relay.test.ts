/** Requests of one session that reach different nodes, over a memory backplane. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SockJSConnection, SockJSRouter, type SockJSSettings } from '../../src/index.ts';
import { type SockJSCluster, createCluster } from '../../src/cluster/cluster.ts';
import { MemoryHub, memoryBackplane } from '../../src/backplane/memory-engine.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { testEach } from '../../testkit/node-test.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import { httpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { startRoundRobin } from '../../testkit/round-robin.ts';
import { portOf } from '../../testkit/server.ts';
import { TcpRelay } from '../../testkit/tcp-relay.ts';
import { until } from '../../testkit/until.ts';
import { once } from 'node:events';

class Echo extends SockJSConnection {
  override onMessage(text: string): void {
    if (text === 'close') this.close(3000, 'Go away!');
    else this.send(text);
  }
}

interface TestNode {
  readonly port: number;
  readonly cluster: SockJSCluster;
  readonly router: SockJSRouter;
  readonly logger: RecordingLogger;
}

async function startNode(
  t: TestContext,
  hub: MemoryHub,
  settings: SockJSSettings,
  advertise?: { readonly port: number },
): Promise<TestNode> {
  const logger = new RecordingLogger();
  const cluster = createCluster({
    backplane: memoryBackplane(hub),
    listen: { host: '127.0.0.1' },
    ...(advertise === undefined ? {} : { advertise }),
    logger,
  });
  const router = new SockJSRouter(Echo, '/echo', {
    cluster,
    logger,
    jsessionid: false,
    ...settings,
  });
  const server = router.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await cluster.ready();
  t.after(async () => {
    await router.close({ timeout: 100 });
    await cluster.close();
  });
  return { port: portOf(server), cluster, router, logger };
}

async function startNodes(
  t: TestContext,
  count: number,
  settings: SockJSSettings = {},
  hub = new MemoryHub(),
): Promise<[TestNode, TestNode, ...TestNode[]]> {
  const start = (): Promise<TestNode> => startNode(t, hub, settings);
  const nodes = await Promise.all(Array.from({ length: count }, start));
  await until(() => nodes.every(({ cluster }) => cluster.members.length === count), 'all members');
  const [one, two, ...others] = nodes;
  assert.ok(one !== undefined && two !== undefined);
  return [one, two, ...others];
}

const POLL = { method: 'POST', path: '/echo/000/session/xhr' };

function send(...messages: string[]): { method: string; path: string; body: string } {
  return { method: 'POST', path: '/echo/000/session/xhr_send', body: JSON.stringify(messages) };
}

test('a session opened on one node is used on another one', async (t) => {
  const [one, two] = await startNodes(t, 2);
  assert.equal((await httpRequest(one.port, POLL)).body, 'o\n');
  assert.equal((await httpRequest(two.port, send('a', 'ü'))).status, 204);
  assert.equal((await httpRequest(two.port, POLL)).body, 'a["a","ü"]\n');
  assert.equal((await httpRequest(one.port, send('b'))).status, 204);
  assert.equal((await httpRequest(two.port, POLL)).body, 'a["b"]\n');
  assert.equal(two.cluster.stats.relayedOut, 3);
  assert.equal(one.cluster.stats.relayedIn, 3);
  assert.deepEqual([one.cluster.stats.claims, two.cluster.stats.claims], [1, 0]);
});

testEach(
  CLIENT_TRANSPORTS,
  'the client echoes 1,000 messages in order through a round robin',
  async (t, transports) => {
    const nodes = await startNodes(t, 3);
    const port = await startRoundRobin(
      t,
      nodes.map((node) => node.port),
    );
    const client = await openOfficial(t, `http://127.0.0.1:${port}/echo`, { transports });
    const messages = Array.from({ length: 1000 }, (_, index) => `message ${index}`);
    for (let start = 0; start < messages.length; start += 100) {
      client.send(...messages.slice(start, start + 100));
      for (const message of messages.slice(start, start + 100))
        assert.equal(await client.next(), message);
    }
    const relayed = nodes.reduce((sum, { cluster }) => sum + cluster.stats.relayedOut, 0);
    assert.equal(relayed > 0, transports !== 'websocket');
  },
);

test('a client gets the close frame of a session on another node', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  const poll = httpRequest(two.port, POLL);
  await httpRequest(one.port, send('close'));
  assert.equal((await poll).body, 'c[3000,"Go away!"]\n');
  assert.equal((await httpRequest(two.port, POLL)).body, 'c[3000,"Go away!"]\n');
});

test('a request that breaks off on one node interrupts the session on another one', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  const connection = httpConnection(t, two.port);
  connection.send(POLL);
  await until(() => one.cluster.stats.relayedIn === 1, 'the relayed poll');
  connection.close();
  await until(() => one.router.stats.dump().closed.interrupted === 1, 'the end of the session');
});

test('an unknown session is 404 for a sending request', async (t) => {
  const [, two] = await startNodes(t, 2);
  assert.equal((await httpRequest(two.port, send('a'))).status, 404);
  assert.equal(two.cluster.stats.relayedOut, 0);
});

test('a request without the secret of the cluster is 404 on the relay listener', async (t) => {
  const [one] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  const relayPort = one.cluster.address?.port ?? 0;
  for (const headers of [
    [],
    [['sockjs-relay', '2 wrong']],
    [['sockjs-relay', '2 ']],
    [['sockjs-relay', '2']],
  ] as const)
    assert.equal((await httpRequest(relayPort, { ...POLL, headers })).status, 404);
});

test('a relayed stream ends when its connection breaks, so that the client polls again', async (t) => {
  const hub = new MemoryHub();
  const [edge] = await startNodes(t, 2, {}, hub);
  const path = await TcpRelay.start(0);
  t.after(() => path.close());
  const owner = await startNode(t, hub, {}, { port: path.port });
  path.targetPort = owner.cluster.address?.port ?? 0;
  await until(() => edge.cluster.members.length === 3, 'all members');
  await httpRequest(owner.port, POLL);
  const stream = httpConnection(t, edge.port);
  stream.send({ method: 'POST', path: '/echo/000/session/xhr_streaming' });
  await stream.readHead();
  await stream.nextChunk();
  assert.equal((await httpRequest(owner.port, send('a'))).status, 204);
  assert.equal(await stream.nextChunk(), 'a["a"]\n');
  path.reset();
  assert.equal(await stream.nextChunk(), undefined);
  assert.equal((await httpRequest(edge.port, POLL)).body, 'c[1002,"Connection interrupted"]\n');
});

test('a session of an ended node is closed when a new node has the address of the ended one', async (t) => {
  const hub = new MemoryHub();
  const [edge, successor] = await startNodes(t, 2, {}, hub);
  const port = successor.cluster.address?.port ?? 0;
  const ended = await startNode(t, hub, {}, { port });
  await until(() => edge.cluster.members.length === 3, 'all members');
  assert.equal((await httpRequest(ended.port, POLL)).body, 'o\n');
  for (const { port: other } of [edge, edge, successor]) {
    assert.equal((await httpRequest(other, POLL)).body, 'c[1001,"Node is gone"]\n');
    assert.equal((await httpRequest(other, send('late'))).status, 404);
  }
});

test('a late poll gets the close frame of a node that has shut down', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  await httpRequest(two.port, send('a'));
  await one.router.close({ timeout: 0 });
  await one.cluster.close();
  assert.equal((await httpRequest(two.port, POLL)).body, 'c[1001,"Server is going away"]\n');
  assert.equal((await httpRequest(two.port, send('a'))).status, 404);
});

test('a claim is released when the session is refused or has ended', async (t) => {
  const [one, two] = await startNodes(t, 2, {
    authorize: ({ url }) => !url.includes('stranger'),
    disconnectDelay: 50,
  });
  assert.equal(
    (await httpRequest(one.port, { ...POLL, path: `${POLL.path}?stranger` })).status,
    403,
  );
  assert.equal(one.cluster.stats.claims, 0);
  assert.equal((await httpRequest(two.port, POLL)).body, 'o\n');
  assert.equal(two.cluster.stats.claims, 1);
  await until(() => two.cluster.stats.claims === 0, 'the release');
  assert.equal((await httpRequest(one.port, POLL)).body, 'o\n');
});

test('a late poll gets 1001 if its session had messages that its node has lost', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  await httpRequest(one.port, send('a', 'close'));
  await one.router.close({ timeout: 0 });
  await one.cluster.close();
  assert.equal((await httpRequest(two.port, POLL)).body, 'c[1001,"Server is going away"]\n');
});

test("a late poll gets the application's close frame if no message is lost", async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  await httpRequest(one.port, send('close'));
  await one.router.close({ timeout: 0 });
  await one.cluster.close();
  assert.equal((await httpRequest(two.port, POLL)).body, 'c[3000,"Go away!"]\n');
});

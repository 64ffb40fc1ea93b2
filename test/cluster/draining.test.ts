/** Nodes that join, drain and leave, and mistakes of their operators. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeOf } from '../../src/cluster/cluster.ts';
import { EngineBackplane } from '../../src/backplane/engine-backplane.ts';
import { MemoryEngine, MemoryHub, memoryBackplane } from '../../src/backplane/memory-engine.ts';
import { FRAME_TYPES } from '../../src/relay/frames.ts';
import { SockJSRouter, createCluster } from '../../src/index.ts';
import { type TestNode, startNode, startNodes } from '../../testkit/cluster-nodes.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { httpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { connectLink, encodeRequestFrame } from '../../testkit/relay-link.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { Echo, freePorts } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

const POLL = { method: 'POST', path: '/echo/000/session/xhr' };
const SEND = { method: 'POST', path: '/echo/000/session/xhr_send', body: '["a"]' };

function other(id: string): { method: string; path: string } {
  return { method: 'POST', path: `/echo/000/${id}/xhr` };
}

function drainingNodes({ cluster }: TestNode): readonly string[] {
  return cluster.nodes.filter(({ draining }) => draining).map(({ id }) => id);
}

test('nodes know the addresses and the prefixes of all nodes', async (t) => {
  const [one, two] = await startNodes(t, 2);
  const nodes = [one, two].map(({ cluster, relayPort }) => ({
    id: cluster.id,
    address: { host: '127.0.0.1', port: relayPort },
    draining: false,
    prefixes: ['/echo'],
  }));
  for (const { cluster } of [one, two]) assert.deepEqual(new Set(cluster.nodes), new Set(nodes));
});

test('a draining node says so, opens no session, and relays until it leaves', async (t) => {
  const [one, two, three] = await startNodes(t, 3);
  await httpRequest(one.port, POLL);
  const receiver = httpConnection(t, two.port);
  assert.equal((await httpRequest(one.port, other('kept'))).body, 'o\n');
  assert.equal((await httpRequest(two.port, other('foreign'))).body, 'o\n');
  const closed = one.router.close({ timeout: 5000 });
  assert.ok(three !== undefined);
  await until(() => drainingNodes(three).length === 1, 'the card');
  assert.deepEqual(drainingNodes(three), [one.cluster.id]);
  assert.deepEqual(drainingNodes(one), [one.cluster.id]);
  const { claims } = one.cluster.stats;
  assert.equal((await httpRequest(one.port, other('new'))).status, 503);
  assert.equal(one.cluster.stats.claims, claims);
  // Requests at the draining node reach other nodes, and relays of other nodes reach it.
  const foreign = await httpRequest(one.port, {
    ...SEND,
    path: '/echo/000/foreign/xhr_send',
  });
  assert.equal(foreign.status, 204);
  assert.equal((await receiver.request(POLL)).body, 'c[1001,"Server is going away"]\n');
  assert.equal(
    (await httpRequest(three.port, other('kept'))).body,
    'c[1001,"Server is going away"]\n',
  );
  await closed;
});

test('a closed router gets no relayed requests, and its prefix is free again', async (t) => {
  const { cluster, router, relayPort } = await startNode(t, {});
  assert.deepEqual(cluster.nodes[0]?.prefixes, ['/echo']);
  assert.throws(() => new SockJSRouter(Echo, '/echo', { cluster }), {
    code: 'ERR_SETTING',
    message: /another router with the prefix '\/echo'/,
  });
  await router.close({ timeout: 0 });
  const { secret } = nodeOf(cluster).backplane;
  const link = await connectLink(t, relayPort, { secret, node: cluster.id });
  link.send(encodeRequestFrame(1, POLL.method, POLL.path));
  assert.equal((await link.next()).type, FRAME_TYPES.unknown);
  const next = new SockJSRouter(Echo, '/echo', { cluster, logger: false });
  await next.close();
});

test('a node whose router is replaced no longer drains', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await one.router.close({ timeout: 0 });
  await until(() => drainingNodes(two).length === 1, 'the card');
  const next = new SockJSRouter(Echo, '/echo', { cluster: one.cluster, logger: false });
  t.after(() => next.close({ timeout: 0 }));
  await until(() => drainingNodes(two).length === 0, 'the next card');
});

for (let run = 1; run <= 5; run += 1)
  test(`close() of a cluster closes its routers first, run ${run}`, async (t) => {
    const [one, two] = await startNodes(t, 2);
    await httpRequest(one.port, POLL);
    assert.equal((await httpRequest(two.port, SEND)).status, 204);
    const closing = one.cluster.close();
    await until(() => drainingNodes(two).length === 1, 'the card');
    // The poll gets the message first.
    assert.equal((await httpRequest(two.port, POLL)).body, 'a["a"]\n');
    assert.equal((await httpRequest(two.port, POLL)).body, 'c[1001,"Server is going away"]\n');
    await closing;
    assert.deepEqual(two.cluster.members, [two.cluster.id]);
    assert.throws(() => new SockJSRouter(Echo, '/other', { cluster: one.cluster }), {
      code: 'ERR_SETTING',
      message: /closed/,
    });
  });

test('a request that arrives before the node has joined waits for it', async (t) => {
  const faults = new EngineFaults();
  faults.freeze();
  const starting = startNode(t, { faults });
  const router = new SockJSRouter(Echo, '/other', { logger: false });
  await router.close();
  faults.thaw();
  const { port } = await starting;
  assert.equal((await httpRequest(port, POLL)).body, 'o\n');
});

test('a node that cannot join logs the reason once, and refuses sessions over HTTP at once', async (t) => {
  const logger = new RecordingLogger();
  const faults = new EngineFaults();
  faults.cut();
  const cluster = createCluster({
    backplane: new EngineBackplane(faults.wrap(new MemoryEngine(new MemoryHub()))),
    listen: { host: '127.0.0.1' },
    logger,
  });
  const router = new SockJSRouter(Echo, '/echo', { cluster, logger });
  const [port = 0] = await freePorts(1);
  router.listen(port, '127.0.0.1');
  t.after(() => cluster.close());
  const early = httpConnection(t, port).send(POLL).response();
  await assert.rejects(cluster.ready(), /connection to the engine is closed/);
  assert.equal((await early).status, 503);
  const start = performance.now();
  for (const request of [POLL, SEND, other('new')]) {
    const { status, head } = await httpRequest(port, request);
    assert.deepEqual([status, head.header('retry-after')], [503, '1']);
  }
  assert.ok(performance.now() - start < 1500);
  const webSocket = await openWebSocket(t, port, '/echo/websocket');
  webSocket.send('hello');
  assert.equal(await webSocket.next(), 'hello');
  const lines = logger.take();
  assert.equal(lines.length, 1);
  assert.match(lines[0]?.line ?? '', /could not join its cluster/);
});

test('a node whose port is in use cannot join', async (t) => {
  const { relayPort } = await startNode(t, {});
  const logger = new RecordingLogger();
  const cluster = createCluster({
    backplane: memoryBackplane(new MemoryHub()),
    listen: { host: '127.0.0.1', port: relayPort },
    logger,
  });
  t.after(() => cluster.close());
  await assert.rejects(cluster.ready(), /EADDRINUSE/);
  assert.equal(logger.take().length, 1);
});

test('nodes with other prefixes lead to one warning', async (t) => {
  const hub = new MemoryHub();
  const one = await startNode(t, { hub });
  const two = await startNode(t, { hub });
  const extra = new SockJSRouter(Echo, '/extra', { cluster: two.cluster, logger: false });
  t.after(() => extra.close());
  await until(() => one.cluster.nodes.some(({ prefixes }) => prefixes.length === 2), 'the card');
  one.logger.assertNoProblems();
  await until(() => two.cluster.nodes.some(({ prefixes }) => prefixes.length === 2), 'the card');
  const warnings = two.logger.take().filter(({ level }) => level === 'warn');
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]?.line ?? '', /has no router with the prefix '\/extra'/);
});

test('a node that cannot be reached leads to one warning', async (t) => {
  const hub = new MemoryHub();
  const [port = 0] = await freePorts(1);
  const hidden = await startNode(t, { hub, options: { advertise: { host: '127.0.0.1', port } } });
  const two = await startNode(t, { hub });
  await httpRequest(hidden.port, POLL);
  assert.equal((await httpRequest(two.port, POLL)).body, 'c[1001,"Node is gone"]\n');
  assert.equal((await httpRequest(two.port, SEND)).status, 404);
  assert.equal(two.cluster.stats.ownersLost, 2);
  const warnings = two.logger.take().filter(({ level }) => level === 'warn');
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]?.line ?? '', new RegExp(`127.0.0.1:${port}.*listen and advertise`, 's'));
});

test('a node on an IPv6 address gets relayed requests', async (t) => {
  const hub = new MemoryHub();
  const one = await startNode(t, { hub, options: { listen: { host: '::1' } } });
  const two = await startNode(t, { hub });
  await httpRequest(one.port, POLL);
  assert.equal((await httpRequest(two.port, SEND)).status, 204);
  assert.equal((await httpRequest(two.port, POLL)).body, 'a["a"]\n');
});

/** Presence of the members of a group. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PresenceMember, SockJSRouter } from '../../src/index.ts';
import { SockJSConnection } from '../../src/index.ts';
import { type TestNode, startNode, startNodes } from '../../testkit/cluster-nodes.ts';
import { MemoryHub } from '../../src/index.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { type RawWebSocket, openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

/** Joins the group `news` with each text as its presence. */
class Present extends SockJSConnection {
  override async onMessage(text: string): Promise<void> {
    if (text === 'leave') this.leave('news');
    else await this.join('news', { presence: text });
    this.send(text);
  }
}

async function be(client: RawWebSocket, text: string): Promise<void> {
  client.send(text);
  assert.equal(await client.next(), text);
}

type Watched = Pick<SockJSRouter, 'group'>;

/** Records the changes of a group. */
function record(router: Watched, lines: string[] = []): { lines: string[]; stop: () => void } {
  const add =
    (kind: string) =>
    ({ presence }: PresenceMember): void => {
      lines.push(`${kind} ${String(presence)}`);
    };
  const stop = router.group('news').watch({
    joined: add('joined'),
    updated: add('updated'),
    left: add('left'),
    missed: () => lines.push('missed'),
  });
  return { lines, stop };
}

async function read(router: Watched): Promise<string> {
  const members = await router.group('news').presence();
  return members
    .map(({ presence }) => String(presence))
    .toSorted()
    .join();
}

/** Waits until the members are the same on all nodes. */
async function assertPresent(nodes: readonly TestNode[], expected: string): Promise<void> {
  for (const { router } of nodes)
    await until(async () => (await read(router)) === expected, expected, { timeout: 5000 });
}

test('presence without a cluster', async (t) => {
  const { port, router } = await startRouter(t, {}, Present);
  const ann = await openWebSocket(t, port, '/echo/websocket');
  await be(ann, 'ann');
  const { lines, stop } = record(router);
  const [member] = await router.group('news').presence();
  const [connection] = router.connections;
  assert.deepEqual(member, { id: connection?.id, node: 'local', presence: 'ann' });
  const bob = await openWebSocket(t, port, '/echo/websocket');
  await be(bob, 'bob');
  await be(bob, 'bob');
  await be(bob, 'bobby');
  await be(ann, 'leave');
  bob.close();
  await until(() => lines.includes('left bobby'), 'the end');
  assert.deepEqual(lines, ['joined ann', 'joined bob', 'updated bobby', 'left ann', 'left bobby']);
  stop();
  await be(ann, 'ann');
  assert.equal(lines.length, 5);
});

test('presence across nodes', async (t) => {
  const options = { connection: Present, hub: new MemoryHub(), heartbeatInterval: 200 };
  const [one, two, three] = await startNodes(t, 3, options);
  assert.ok(three !== undefined);
  const ann = await openWebSocket(t, one.port, '/echo/websocket');
  await be(ann, 'ann');
  const watchers = [one, two, three].map(({ router }) => record(router));
  const bob = await openWebSocket(t, two.port, '/echo/websocket');
  await be(bob, 'bob');
  await assertPresent([one, two, three], 'ann,bob');
  await be(bob, 'bobby');
  await be(bob, 'leave');
  ann.close();
  const expected = ['joined ann', 'joined bob', 'updated bobby', 'left bobby', 'left ann'];
  for (const { lines } of watchers) {
    await until(() => lines.length === 5, 'all changes', { state: () => lines });
    assert.deepEqual(lines, expected);
  }
  await assertPresent([one, two, three], '');
});

test('the node of a member is its name in the cluster', async (t) => {
  const [one, two] = await startNodes(t, 2, { connection: Present });
  await be(await openWebSocket(t, one.port, '/echo/websocket'), 'ann');
  const members = await two.router.group('news').presence();
  assert.deepEqual(
    members.map(({ node }) => node),
    [one.cluster.id],
  );
});

test('the members of a node that leaves are gone', async (t) => {
  const [one, two] = await startNodes(t, 2, { connection: Present });
  await be(await openWebSocket(t, one.port, '/echo/websocket'), 'ann');
  const { lines } = record(two.router);
  await until(() => lines.length === 1, 'the member');
  await one.cluster.close();
  await until(() => lines.includes('left ann'), 'the end');
  await assertPresent([two], '');
});

test('presence is complete again after an outage of one node', async (t) => {
  const options = { connection: Present, hub: new MemoryHub(), heartbeatInterval: 200 };
  const faults = new EngineFaults();
  const one = await startNode(t, { ...options, faults });
  const two = await startNode(t, options);
  const ann = await openWebSocket(t, one.port, '/echo/websocket');
  const eve = await openWebSocket(t, one.port, '/echo/websocket');
  const bob = await openWebSocket(t, two.port, '/echo/websocket');
  await Promise.all([be(ann, 'ann'), be(eve, 'eve'), be(bob, 'bob')]);
  const watchers = [record(one.router), record(two.router)];
  await until(() => watchers.every(({ lines }) => lines.length === 3), 'the members');
  faults.cut();
  await until(() => !one.cluster.stats.backplaneUp, 'the outage');
  const joining = be(ann, 'anna');
  eve.close();
  await be(bob, 'bobby');
  await joining;
  await faults.mend();
  await assertPresent([one, two], 'anna,bobby');
  for (const { lines } of watchers) {
    await until(() => lines.includes('updated anna') && lines.includes('left eve'), 'the changes', {
      state: () => lines,
      timeout: 5000,
    });
    assert.ok(lines.includes('updated bobby'), lines.join());
  }
});

test('presence is complete again after a restart of an engine that has lost its records', async (t) => {
  const options = { connection: Present, hub: new MemoryHub(), heartbeatInterval: 200 };
  const faults = new EngineFaults();
  const one = await startNode(t, { ...options, faults });
  const two = await startNode(t, { ...options, faults });
  await be(await openWebSocket(t, one.port, '/echo/websocket'), 'ann');
  await be(await openWebSocket(t, two.port, '/echo/websocket'), 'bob');
  const { lines } = record(one.router);
  await until(() => lines.length === 2, 'the members');
  faults.cut();
  await until(() => !one.cluster.stats.backplaneUp, 'the outage');
  options.hub.clear();
  await faults.mend();
  await assertPresent([one, two], 'ann,bob');
  assert.deepEqual(
    lines.filter((line) => line !== 'missed'),
    ['joined ann', 'joined bob'],
    'no member has left',
  );
});

test('reading the presence fails while the backplane is away', async (t) => {
  const options = { connection: Present, hub: new MemoryHub(), heartbeatInterval: 200 };
  const faults = new EngineFaults();
  const one = await startNode(t, { ...options, faults });
  faults.cut();
  await until(() => !one.cluster.stats.backplaneUp, 'the outage');
  await assert.rejects(one.router.group('news').presence(), { code: 'ERR_BACKPLANE' });
});

test('a watcher that throws is logged, and harms no other one', async (t) => {
  const { port, router, logger } = await startRouter(t, {}, Present);
  router.group('news').watch({
    joined: () => {
      throw new Error('a fault of the application');
    },
  });
  const { lines } = record(router);
  await be(await openWebSocket(t, port, '/echo/websocket'), 'ann');
  assert.deepEqual(lines, ['joined ann']);
  const [line] = logger.take();
  assert.match(line?.line ?? '', /A watcher of a group failed: .*a fault of the application/);
});

test('one object may watch twice', async (t) => {
  const { port, router } = await startRouter(t, {}, Present);
  let joined = 0;
  const watcher = { joined: () => (joined += 1) };
  const stop = router.group('news').watch(watcher);
  router.group('news').watch(watcher);
  await be(await openWebSocket(t, port, '/echo/websocket'), 'ann');
  assert.equal(joined, 2);
  stop();
  await be(await openWebSocket(t, port, '/echo/websocket'), 'bob');
  assert.equal(joined, 3);
});

test('a watcher sees members whose node reconnects later to a backplane that lost its records', async (t) => {
  const hub = new MemoryHub();
  const [early, late] = [new EngineFaults(), new EngineFaults()];
  const one = await startNode(t, { hub, faults: early, connection: Present });
  const two = await startNode(t, { hub, faults: late, connection: Present });
  await until(() => one.cluster.members.length === 2, 'both nodes');
  const client = await openWebSocket(t, two.port, '/echo/websocket');
  await be(client, 'ann');
  const { lines } = record(one.router);
  await until(() => lines.join() === 'joined ann', 'the member');
  early.cut();
  late.cut();
  hub.clear();
  await early.mend();
  await until(() => lines.includes('left ann'), 'a view without the other node');
  await late.mend();
  await until(() => lines.at(-1) === 'joined ann', 'the member again', { state: () => lines });
  one.logger.take();
  two.logger.take();
});

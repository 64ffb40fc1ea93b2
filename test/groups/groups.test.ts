/** Groups of connections, without a cluster and across its nodes. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type TestContext, test } from 'node:test';
import { SockJSConnection, type SockJSRouter } from '../../src/index.ts';
import { multiplex } from '../../src/extras/multiplex.ts';
import { joinCluster, startNode, startNodes } from '../../testkit/cluster-nodes.ts';
import { MemoryHub } from '../../src/index.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { type RawWebSocket, openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

/** Joins and leaves groups as the client says: `join a`, `leave a`. */
class Member extends SockJSConnection {
  override async onMessage(text: string): Promise<void> {
    const [verb, ...words] = text.split(' ');
    const name = words.join(' ');
    if (verb === 'join') await this.join(name);
    else if (verb === 'leave') this.leave(name);
    else if (verb === 'close') return this.close();
    this.send(`groups: ${this.groups.join()}`);
  }
}

async function open(t: TestContext, port: number, ...groups: string[]): Promise<RawWebSocket> {
  const client = await openWebSocket(t, port, '/echo/websocket');
  for (const group of groups) await say(client, `join ${group}`);
  return client;
}

/** Sends a text, and returns the response. */
async function say(client: RawWebSocket, text: string): Promise<string> {
  client.send(text);
  return String(await client.next());
}

/** Checks that no message has arrived before the response to another one. */
async function assertGotNothing(client: RawWebSocket): Promise<void> {
  assert.match(await say(client, 'groups'), /^groups/);
}

function firstOf<C extends SockJSConnection>(router: SockJSRouter<C>): C {
  for (const connection of router.connections) return connection;
  return assert.fail('no connection');
}

test('a group without a cluster sends to its members', async (t) => {
  const { port, router } = await startRouter(t, {}, Member);
  const one = await open(t, port, 'news');
  const two = await open(t, port, 'news', 'sports');
  const other = await open(t, port);
  router.group('news').broadcast('hello');
  assert.deepEqual([await one.next(), await two.next()], ['hello', 'hello']);
  assert.equal([...router.group('news').connections].length, 2);
  assert.equal(await say(two, 'leave news'), 'groups: sports');
  router.group('news').broadcast('again');
  assert.equal(await one.next(), 'again');
  await assertGotNothing(two);
  await assertGotNothing(other);
});

test('a broadcast leaves out one connection, or several', async (t) => {
  const { port, router } = await startRouter(t, {}, Member);
  const one = await open(t, port, 'news');
  const first = firstOf(router);
  const two = await open(t, port, 'news');
  const group = router.group('news');
  group.broadcast('not for the first', { except: first });
  group.broadcast('for nobody', { except: group.connections });
  assert.equal(await two.next(), 'not for the first');
  await assertGotNothing(one);
  await assertGotNothing(two);
});

test('a connection leaves its groups when it closes', async (t) => {
  const { port, router } = await startRouter(t, {}, Member);
  await open(t, port, 'news');
  const connection = firstOf(router);
  connection.close();
  await until(() => [...router.group('news').connections].length === 0, 'the group to be empty');
  assert.deepEqual(connection.groups, []);
  await connection.join('news');
  assert.deepEqual(connection.groups, [], 'a closed connection joins nothing');
});

test('a connection joins a group once, also in onOpen', async (t) => {
  class Joins extends SockJSConnection {
    override async onOpen(): Promise<void> {
      await this.join('news');
      await this.join('news');
    }
  }
  const { port, router } = await startRouter(t, {}, Joins);
  const client = await openWebSocket(t, port, '/echo/websocket');
  await until(() => [...router.group('news').connections].length === 1, 'the member');
  router.group('news').broadcast('once');
  router.group('news').broadcast('end');
  assert.deepEqual([await client.next(), await client.next()], ['once', 'end']);
});

test('a refused connection is in no group', async (t) => {
  class Refuses extends SockJSConnection {
    override onOpen(): boolean {
      void this.join('news');
      return false;
    }
  }
  const { port, router } = await startRouter(t, {}, Refuses);
  const client = await openWebSocket(t, port, '/echo/websocket');
  await client.closed();
  await until(() => [...router.group('news').connections].length === 0, 'the group to be empty');
});

test('closing a group closes its members', async (t) => {
  const { port, router } = await startRouter(t, {}, Member);
  const client = await open(t, port, 'news');
  const other = await open(t, port, 'sports');
  router.group('news').close(4000, 'moved');
  assert.deepEqual(await client.closed(), { code: 4000, reason: 'moved' });
  await assertGotNothing(other);
});

test('channels of one connection join groups of the router', async (t) => {
  class Channel extends SockJSConnection {
    override async onOpen(): Promise<void> {
      await this.join('news');
      this.send('joined');
    }
  }
  const { port, router } = await startRouter(t, {}, multiplex({ a: Channel, b: Channel }));
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.send('sub,a');
  client.send('sub,b');
  assert.deepEqual([await client.next(), await client.next()], ['msg,a,joined', 'msg,b,joined']);
  router.group('news').broadcast('hello');
  assert.deepEqual([await client.next(), await client.next()], ['msg,a,hello', 'msg,b,hello']);
  client.send('uns,a');
  await until(() => [...router.group('news').connections].length === 1, 'the channel to leave');
});

test('a connection joins at most maxGroups groups', async (t) => {
  const { port, router, logger } = await startRouter(t, { maxGroups: 2 }, Member);
  const client = await open(t, port, 'a', 'b');
  const connection = firstOf(router);
  assert.throws(() => connection.join('c'), { code: 'ERR_GROUP_LIMIT' });
  connection.leave('a');
  await connection.join('c');
  await connection.join('c');
  assert.equal(await say(client, 'groups'), 'groups: b,c');
  logger.assertNoProblems();
});

test('wrong names, texts and presences are refused with an error', async (t) => {
  const { port, router } = await startRouter(t, { maxPresenceBytes: 10 }, Member);
  await open(t, port);
  const connection = firstOf(router);
  for (const name of ['', 'x'.repeat(257), '\ud800', undefined, 7, null]) {
    assert.throws(() => router.group(name as string), { code: 'ERR_ARGUMENT' });
    assert.throws(() => connection.join(name as string), { code: 'ERR_ARGUMENT' });
  }
  const group = router.group('news');
  assert.throws(() => group.broadcast({} as string), { code: 'ERR_MESSAGE_TYPE' });
  assert.throws(() => group.close(1005), { code: 'ERR_CLOSE_ARGUMENT' });
  const cycle: { self?: object } = {};
  cycle.self = cycle;
  for (const presence of [cycle, 1n, () => {}, Symbol('x')])
    assert.throws(() => connection.join('news', { presence }), { code: 'ERR_ARGUMENT' });
  assert.throws(() => connection.join('news', { presence: '€€€' }), { code: 'ERR_GROUP_LIMIT' });
  await connection.join('news', { presence: '12345678' });
  assert.deepEqual(connection.groups, ['news']);
});

test('a group sends to its members on every node, in order', async (t) => {
  const options = { connection: Member, hub: new MemoryHub(), heartbeatInterval: 200 };
  const [one, two, three] = await startNodes(t, 3, options);
  assert.ok(three !== undefined);
  const clients = await Promise.all(
    [one, two, three].map(({ port }) => open(t, port, 'news', 'a room with spaces')),
  );
  const texts = Array.from({ length: 100 }, (_, index) => `text ${index} \u0000 ü`);
  for (const text of texts) one.router.group('news').broadcast(text);
  two.router.group('a room with spaces').broadcast('end');
  for (const client of clients) {
    const received: unknown[] = [];
    while (received.length < 101) received.push(await client.next());
    assert.deepEqual(
      received.filter((text) => text !== 'end'),
      texts,
    );
  }
  three.router.group('news').close(4000, 'moved');
  for (const client of clients)
    assert.deepEqual(await client.closed(), { code: 4000, reason: 'moved' });
});

test('a node subscribes to a group only while it has members', async (t) => {
  const options = { connection: Member, hub: new MemoryHub(), heartbeatInterval: 200 };
  const [one, two] = await startNodes(t, 2, options);
  const topics = (): number => options.hub.subscribers.size;
  const before = topics();
  const client = await open(t, two.port, 'news');
  assert.equal(topics(), before + 1);
  one.router.group('sports').broadcast('nobody');
  assert.equal(await say(client, 'leave news'), 'groups: ');
  await until(() => topics() === before, 'the end of the subscription');
  assert.equal(await say(client, 'join news'), 'groups: news');
  one.router.group('news').broadcast('hello');
  assert.equal(await client.next(), 'hello');
});

test('router.broadcast(text) reaches every connection on every node', async (t) => {
  const [one, two] = await startNodes(t, 2);
  const clients = [await open(t, one.port), await open(t, two.port)];
  await until(() => [...two.router.connections].length === 1, 'both connections');
  one.router.broadcast('to all');
  for (const client of clients) assert.equal(await client.next(), 'to all');
});

test('a process without a router publishes to groups', async (t) => {
  const options = { connection: Member, hub: new MemoryHub(), heartbeatInterval: 200 };
  const [one] = await startNodes(t, 2, options);
  const publisher = await joinCluster(t, options);
  const client = await open(t, one.port, 'news');
  publisher.group('/echo', 'news').broadcast('hello');
  publisher.broadcast('/echo', 'to all');
  assert.deepEqual([await client.next(), await client.next()], ['hello', 'to all']);
  publisher.group('/other', 'news').broadcast('not for this router');
  await assertGotNothing(client);
  assert.throws(() => publisher.group('echo/', 'news'), { code: 'ERR_SETTING' });
  publisher.group('/echo', 'news').close(4000, 'moved');
  assert.deepEqual(await client.closed(), { code: 4000, reason: 'moved' });
});

test('members on this node get broadcasts while the backplane is away, and others learn that they missed some', async (t) => {
  const options = { connection: Member, hub: new MemoryHub(), heartbeatInterval: 200 };
  const faults = new EngineFaults();
  const one = await startNode(t, { ...options, faults });
  const two = await startNode(t, options);
  const local = await open(t, one.port, 'news');
  const remote = await open(t, two.port, 'news');
  let missed = 0;
  two.router.group('news').watch({ missed: () => (missed += 1) });
  one.router.group('news').broadcast('before');
  assert.deepEqual([await local.next(), await remote.next()], ['before', 'before']);
  faults.cut();
  await until(() => !one.cluster.stats.backplaneUp, 'the outage');
  one.router.group('news').broadcast('during');
  assert.equal(await local.next(), 'during');
  const joined = await open(t, one.port, 'news');
  assert.equal(one.cluster.stats.lostPublishes, 1);
  await faults.mend();
  await until(() => missed > 0, 'the report');
  two.router.group('news').broadcast('after');
  for (const client of [local, remote, joined]) assert.equal(await client.next(), 'after');
});

test('channels of node:diagnostics_channel publish the events of groups', async (t) => {
  const options = { connection: Member, hub: new MemoryHub(), heartbeatInterval: 200 };
  const faults = new EngineFaults();
  const { port, router, cluster: node } = await startNode(t, { ...options, faults });
  const events: unknown[] = [];
  const record = (message: unknown, channel: string | symbol): void => {
    events.push([channel, message]);
  };
  for (const name of ['join', 'leave', 'missed']) {
    subscribe(`sockjs-server:${name}`, record);
    t.after(() => unsubscribe(`sockjs-server:${name}`, record));
  }
  const client = await open(t, port, 'news', 'news');
  const { id } = firstOf(router);
  faults.cut();
  await until(() => !node.stats.backplaneUp, 'the outage');
  await faults.mend();
  await until(() => events.length === 2, 'the report');
  await say(client, 'leave news');
  await say(client, 'leave news');
  assert.deepEqual(events, [
    ['sockjs-server:join', { prefix: '/echo', group: 'news', id }],
    ['sockjs-server:missed', { prefix: '/echo', group: 'news' }],
    ['sockjs-server:leave', { prefix: '/echo', group: 'news', id }],
  ]);
});

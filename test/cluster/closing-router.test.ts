/** A router that closes gives the requests that it has relayed back to their clients, whose sessions go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SockJSConnection } from '../../src/index.ts';
import { type TestNode, startNodes } from '../../testkit/cluster-nodes.ts';
import { httpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { heapUsed } from '../../testkit/memory.ts';
import { until } from '../../testkit/until.ts';

const SESSION = '/echo/000/session';
const POLL = { method: 'POST', path: `${SESSION}/xhr` };

function send(text: string): { method: string; path: string; body: string } {
  return { method: 'POST', path: `${SESSION}/xhr_send`, body: JSON.stringify([text]) };
}

async function memoryUsed(): Promise<number> {
  return (await heapUsed()) + process.memoryUsage().arrayBuffers;
}

function interruptions({ router }: TestNode): number {
  return router.stats.dump().closed.interrupted;
}

test('a relayed poll ends with a heartbeat, and the session goes on', async (t) => {
  const [one, two, three] = await startNodes(t, 3);
  assert.ok(three !== undefined);
  await httpRequest(one.port, POLL);
  const poll = httpConnection(t, two.port).send(POLL);
  await until(() => one.cluster.stats.relayedIn === 1, 'the relayed poll');
  const closed = two.router.close();
  assert.equal((await poll.response()).body, 'h\n');
  await closed;
  assert.equal((await httpRequest(three.port, send('a'))).status, 204);
  assert.equal((await httpRequest(three.port, POLL)).body, 'a["a"]\n');
  assert.equal(interruptions(one), 0);
});

for (const transport of ['xhr_streaming', 'eventsource', 'htmlfile?c=x'])
  test(`a relayed ${transport} ends, and the session goes on`, async (t) => {
    const [one, two, three] = await startNodes(t, 3);
    assert.ok(three !== undefined);
    await httpRequest(one.port, POLL);
    const method = transport === 'xhr_streaming' ? 'POST' : 'GET';
    const stream = httpConnection(t, two.port).send({ method, path: `${SESSION}/${transport}` });
    await stream.readHead();
    const closed = two.router.close();
    const chunks = await stream.chunks();
    assert.match(chunks.at(-1) ?? '', /h/);
    await closed;
    await httpRequest(three.port, send('a'));
    assert.equal((await httpRequest(three.port, POLL)).body, 'a["a"]\n');
    assert.equal(interruptions(one), 0);
  });

test('a poll that arrives while the router closes is answered at once', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  // A session of this node keeps the router open until its client has the close frame.
  await httpRequest(two.port, { method: 'POST', path: '/echo/000/own/xhr' });
  const closed = two.router.close();
  assert.equal((await httpRequest(two.port, POLL)).body, 'h\n');
  await httpRequest(one.port, send('a'));
  assert.equal((await httpRequest(two.port, POLL)).body, 'a["a"]\n');
  await httpRequest(two.port, { method: 'POST', path: '/echo/000/own/xhr' });
  await closed;
  assert.equal(interruptions(one), 0);
});

test('a router goes on while the load balancer sends requests', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  await httpRequest(two.port, send('a'));
  let isClosed = false;
  const start = performance.now();
  const closed = two.router.close().then(() => {
    isClosed = true;
  });
  while (performance.now() - start < 2500) {
    assert.equal((await httpRequest(two.port, send('b'))).status, 204);
    assert.equal(isClosed, false);
    await sleep(100);
  }
  await closed;
});

test('a router goes on until a load balancer has noticed that it closes', async (t) => {
  const [one] = await startNodes(t, 2);
  const start = performance.now();
  await one.router.close();
  assert.ok(performance.now() - start >= 1500);
});

test('the router of the last node does not wait for a load balancer', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await one.cluster.close();
  await until(() => two.cluster.members.length === 1, 'the only member');
  const start = performance.now();
  await two.router.close();
  assert.ok(performance.now() - start < 1400);
});

test('/info is refused while a router closes, so that a load balancer leaves the node', async (t) => {
  const [one] = await startNodes(t, 2);
  const info = { path: '/echo/info' };
  assert.equal((await httpRequest(one.port, info)).status, 200);
  await httpRequest(one.port, POLL);
  const closed = one.router.close({ timeout: 500 });
  assert.equal((await httpRequest(one.port, info)).status, 503);
  await closed;
});

test('a router that closes acknowledges no message that it drops', async (t) => {
  const received: string[] = [];
  class Recorder extends SockJSConnection {
    override onMessage(text: string): void {
      received.push(text);
    }
  }
  const [owner, edge] = await startNodes(t, 2, { connection: Recorder });
  await httpRequest(owner.port, POLL);
  const closed = owner.router.close({ timeout: 2000 });
  const responses = [owner, edge].map(({ port }) => httpRequest(port, send('late')));
  assert.equal((await httpRequest(edge.port, POLL)).body, 'c[1001,"Server is going away"]\n');
  for (const response of responses) assert.equal((await response).status, 404);
  await closed;
  assert.deepEqual(received, []);
});

test('messages that wait for their refusal take no memory', async (t) => {
  const [owner] = await startNodes(t, 2, { settings: { maxMessageBytes: 1_000_000 } });
  await httpRequest(owner.port, POLL);
  const closed = owner.router.close({ timeout: 9000 });
  const body = JSON.stringify(['x'.repeat(900_000)]);
  const sends = Array.from({ length: 40 }, () => httpConnection(t, owner.port));
  const before = await memoryUsed();
  for (const client of sends) client.send({ ...send(''), body });
  await sleep(500);
  await until(async () => (await memoryUsed()) - before < 9_000_000, 'free memory');
  assert.ok(sends.every(({ raw }) => raw.available === 0));
  assert.equal((await httpRequest(owner.port, POLL)).body, 'c[1001,"Server is going away"]\n');
  for (const client of sends) assert.equal((await client.response()).status, 404);
  await closed;
});

test('a router closes in time if the owner does not respond', async (t) => {
  const [one, two] = await startNodes(t, 2, { settings: { heartbeatDelay: 60_000 } });
  await httpRequest(one.port, POLL);
  httpConnection(t, two.port).send(send('a'));
  const start = performance.now();
  await two.router.close({ timeout: 300 });
  assert.ok(performance.now() - start < 5000);
});

test('a session that opens again elsewhere does not delay the router that has relayed its requests', async (t) => {
  const [one, two] = await startNodes(t, 2, { settings: { disconnectDelay: 1000 } });
  await httpRequest(one.port, POLL);
  assert.equal((await httpRequest(two.port, send('a'))).status, 204);
  await until(() => one.cluster.stats.claims === 0, 'the end of the session');
  assert.equal((await httpRequest(two.port, POLL)).body, 'o\n');
  await one.cluster.close();
  const start = performance.now();
  await two.router.close({ timeout: 5000 });
  assert.ok(performance.now() - start < 4000);
});

test('two routers that close at once do not wait for the messages that they relay to each other', async (t) => {
  const nodes = await startNodes(t, 2);
  const paths = ['one', 'two'].map((id) => `/echo/000/${id}`);
  const poll = (at: number, session: number): ReturnType<typeof httpRequest> =>
    httpRequest(nodes[at]?.port ?? 0, { method: 'POST', path: `${paths[session]}/xhr` });
  for (const index of [0, 1]) assert.equal((await poll(index, index)).body, 'o\n');
  const start = performance.now();
  const closed = nodes.map(({ router }) => router.close({ timeout: 8000 }));
  const sends = [0, 1].map((index) =>
    httpRequest(nodes[index]?.port ?? 0, { ...send('late'), path: `${paths[1 - index]}/xhr_send` }),
  );
  await until(() => nodes.every(({ cluster }) => cluster.stats.relayedIn === 1), 'the messages');
  for (const index of [0, 1])
    assert.equal((await poll(index, index)).body, 'c[1001,"Server is going away"]\n');
  for (const response of sends) assert.equal((await response).status, 404);
  await Promise.all(closed);
  assert.ok(performance.now() - start < 6000);
});

test('a poll that is given back is counted once', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  const poll = httpConnection(t, two.port).send(POLL);
  await until(() => one.cluster.stats.relayedIn === 1, 'the relayed poll');
  const closed = two.router.close();
  assert.equal((await poll.response()).body, 'h\n');
  await closed;
  assert.deepEqual([one.cluster.stats.relayedIn, two.cluster.stats.relayedOut], [1, 1]);
});

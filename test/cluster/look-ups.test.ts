/** Look-ups of owners and claims of sessions under hostile clients, and while the engine does not respond. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { MemoryHub } from '../../src/backplane/memory-engine.ts';
import { startNodes } from '../../testkit/cluster-nodes.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { httpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { until } from '../../testkit/until.ts';

const POLL = { method: 'POST', path: '/echo/000/session/xhr' };
const SEND = { method: 'POST', path: '/echo/000/session/xhr_send', body: '["a"]' };

function unknownPoll(): { method: string; path: string } {
  return { method: 'POST', path: `/echo/000/${randomUUID()}/xhr` };
}

function claimsIn(hub: MemoryHub): number {
  return [...hub.records.keys()].filter((key) => key.includes(' claim ')).length;
}

test('a frozen engine affects neither open sessions nor other addresses', async (t) => {
  const faults = new EngineFaults();
  const settings = { maxPendingDecisionsPerAddress: 5, authorize: async () => ({ name: 'Ada' }) };
  const [one, two] = await startNodes(t, 2, { faults, settings });
  assert.equal((await httpRequest(one.port, POLL)).body, 'o\n');
  assert.equal((await httpRequest(two.port, SEND)).status, 204);
  faults.freeze();
  const hostile = Array.from({ length: 200 }, () =>
    httpConnection(t, { port: two.port, localAddress: '127.0.0.2' }).send(unknownPoll()),
  );
  const responses = Promise.all(hostile.map((connection) => connection.response()));
  await until(() => two.router.stats.dump().refused.pendingLimit === 195, 'the refusals');
  const other = httpConnection(t, two.port).send(unknownPoll());
  assert.equal((await httpRequest(two.port, SEND)).status, 204);
  assert.equal((await httpRequest(one.port, POLL)).body, 'a["a","a"]\n');
  const webSocket = await openWebSocket(
    t,
    { port: two.port, localAddress: '127.0.0.2' },
    '/echo/websocket',
  );
  webSocket.send('hello');
  assert.equal(await webSocket.next(), 'hello');
  assert.equal(two.router.stats.dump().refused.pendingLimit, 195);
  faults.thaw();
  assert.equal((await other.response()).body, 'o\n');
  const statuses = (await responses).map(({ status, head }) => [
    status,
    head.header('retry-after'),
  ]);
  assert.equal(statuses.filter(([status]) => status === 200).length, 5);
  assert.equal(statuses.filter(([status, after]) => status === 503 && after === '1').length, 195);
});

test('a claim is released when its client has disconnected meanwhile', async (t) => {
  const [hub, faults] = [new MemoryHub(), new EngineFaults()];
  const [one] = await startNodes(t, 2, { hub, faults });
  faults.freeze();
  const clients = Array.from({ length: 20 }, () => httpConnection(t, one.port).send(unknownPoll()));
  await until(() => one.router.stats.dump().connectionsTotal === 20, 'the requests');
  for (const client of clients) client.abort();
  const hasConnections = (): Promise<boolean> =>
    promisify(one.server.getConnections.bind(one.server))().then((count) => count > 0);
  await until(async () => !(await hasConnections()), 'the end of all connections');
  faults.thaw();
  assert.equal((await httpRequest(one.port, POLL)).body, 'o\n');
  await until(() => claimsIn(hub) === 1 && one.cluster.stats.claims === 1, 'the release');
});

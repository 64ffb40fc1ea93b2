/** Outages of Redis or NATS, and of the network between it and a node. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Program, temporaryDirectory } from '../../testkit/process.ts';
import { testEach } from '../../testkit/node-test.ts';
import { freePorts } from '../../testkit/server.ts';
import { poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import { type LoadClient, longestGap, openClients, settle } from './load-client.ts';
import { IS_SHORT, record } from './report.ts';
import { type ClusterSite, startSite, waitingPoll } from './site.ts';

const FREEZE_MS = 3000;
const DOWN_MS = 1000;
/** Longer than the record of a node that does not renew it. */
const CUT_MS = IS_SHORT ? 5000 : 15_000;
/** Requests in round robin after which each node has seen the session, unless it is extremely unlucky. */
const REQUESTS_UNTIL_CACHED = 40;
/** The echo of a session does not wait for the engine. The limit is generous for a loaded machine. */
const MAX_GAP_MS = 2000;

type EngineName = 'nats' | 'redis';
const ENGINES: readonly EngineName[] = IS_SHORT ? ['redis'] : ['redis', 'nats'];

/** Checks that all clients are open, and that each message has its echo. Returns a description. */
async function assertSurvived(
  site: ClusterSite,
  clients: readonly LoadClient[],
  maxGapMs: number,
): Promise<string> {
  await settle(clients);
  for (const { closing, violations, transport, owner } of clients) {
    assert.deepEqual(violations, []);
    assert.equal(closing, undefined, `${transport} of ${owner}: ${JSON.stringify(closing)}`);
  }
  const gap = longestGap(clients);
  assert.ok(gap < maxGapMs, `longest gap: ${gap} ms`);
  for (const node of site.nodes) assert.ok((await node.stats()).sessionsActive > 0);
  return `${clients.length} of ${clients.length} clients continued, longest gap ${gap} ms`;
}

/** Waits until every node opens and relays sessions again. Returns the time, in milliseconds. */
async function untilNewSessions(site: ClusterSite): Promise<number> {
  const start = performance.now();
  for (const [index, node] of site.nodes.entries()) {
    const next = site.nodes[(index + 1) % site.nodes.length] ?? node;
    const isOpen = async (): Promise<boolean> => {
      const session = newSession();
      const { status } = await postBody(node.port, session, '', { endpoint: 'xhr' });
      return status === 200 && (await postBody(next.port, session, '["hello"]')).status === 204;
    };
    await until(isOpen, `a new session on node ${node.name}`, { timeout: 20_000 });
  }
  return Math.round(performance.now() - start);
}

/** Opens clients, and waits until every node has looked up the owner of each session. */
async function openLoad(t: TestContext, site: ClusterSite): Promise<LoadClient[]> {
  const clients = await openClients(t, site.url, 4);
  await until(
    () => clients.every(({ received }) => received > REQUESTS_UNTIL_CACHED),
    'many requests of each session',
    { timeout: 30_000 },
  );
  // The gap of the opening does not count.
  for (const client of clients) client.longestGapMs = 0;
  return clients;
}

export function testOutages(): void {
  testEach(
    ENGINES,
    'sessions survive an engine that is frozen for 3 s',
    async (t, engine: EngineName) => {
      const site = await startSite(t, { engine });
      const clients = await openLoad(t, site);
      const frozen = site.engine.freeze(FREEZE_MS);
      const refused = newSession();
      const start = performance.now();
      const { status } = await postBody(site.nodes[0].port, refused, '', { endpoint: 'xhr' });
      const refusedAfter = Math.round(performance.now() - start);
      assert.equal(status, 503);
      await frozen;
      const measured = await assertSurvived(site, clients, MAX_GAP_MS);
      await untilNewSessions(site);
      record(
        `${engine} frozen for 3 s`,
        'sessions continue; a new session waits up to 2 s, then 503',
        `${measured}; a new session got 503 after ${refusedAfter} ms`,
      );
    },
  );

  testEach(
    ENGINES,
    'sessions survive an engine that restarts empty',
    async (t, engine: EngineName) => {
      const site = await startSite(t, { engine });
      const clients = await openLoad(t, site);
      await site.engine.kill();
      await sleep(DOWN_MS);
      await site.engine.startEmpty();
      const back = await untilNewSessions(site);
      await site.allMembers();
      // Look-ups of sessions whose claims were published again.
      const session = newSession();
      assert.equal(await poll(site.nodes[0].port, session), 'o');
      await sleep(DOWN_MS);
      const measured = await assertSurvived(site, clients, MAX_GAP_MS);
      record(
        `${engine} killed for 1 s and restarted empty`,
        'sessions continue; nodes store claims and members again',
        `${measured}; all nodes opened new sessions ${back} ms after the restart`,
      );
    },
  );

  test('a claim of before the restart of an empty Redis still has its owner', async (t) => {
    const site = await startSite(t);
    const [owner, edge, other] = site.nodes;
    const session = newSession();
    assert.equal(await poll(owner.port, session), 'o');
    assert.match(await poll(owner.port, session), /^a\["node /);
    await site.engine.kill();
    await site.engine.startEmpty();
    // The first requests of this session at these nodes, which have to look up its owner.
    await sendMessages(edge.port, session, 'hello');
    assert.equal(await poll(other.port, session), 'a["hello"]');
  });

  test('sessions survive a failover of Redis to its replica', async (t) => {
    const site = await startSite(t);
    const [port = 0] = await freePorts(1);
    const files = ['--dir', await temporaryDirectory(t), '--save', '', '--bind', '127.0.0.1'];
    const replicaOf = ['--replicaof', '127.0.0.1', String(site.engine.port)];
    const replica = new Program('redis-server', ['--port', String(port), ...files, ...replicaOf]);
    t.after(async () => {
      await replica.stop('SIGKILL');
    });
    await replica.prints(/MASTER <-> REPLICA sync: Finished with success/);
    const clients = await openLoad(t, site);
    await site.engine.kill();
    const promotion = new Program('redis-cli', ['-p', String(port), 'replicaof', 'no', 'one']);
    assert.equal((await promotion.exited()).code, 0);
    for (const { relay } of site.enginePaths) relay.targetPort = port;
    const back = await untilNewSessions(site);
    await site.allMembers();
    record(
      'Redis fails over to its replica',
      'sessions continue',
      `${await assertSurvived(site, clients, MAX_GAP_MS)}; all nodes opened new sessions after ${back} ms`,
    );
  });

  test('a node that is cut off from Redis keeps its sessions', async (t) => {
    const site = await startSite(t);
    const [node, edge, other] = site.nodes;
    const clients = await openLoad(t, site);
    const session = newSession();
    assert.equal(await poll(node.port, session), 'o');
    assert.match(await poll(edge.port, session), /^a\["node /);
    const path = site.enginePaths[0];
    assert.ok(path !== undefined);
    const pendingPoll = waitingPoll(edge.port, session);
    path.relay.cut();
    await sleep(CUT_MS);
    await sendMessages(other.port, session, 'hello');
    assert.equal(await pendingPoll, 'a["hello"]');
    path.relay.mend();
    await site.allMembers();
    await sendMessages(edge.port, session, 'again');
    assert.equal(await poll(other.port, session), 'a["again"]');
    record(
      `a node cut off from Redis for ${CUT_MS / 1000} s`,
      'it keeps its sessions, relays continue, no claim is taken over',
      await assertSurvived(site, clients, MAX_GAP_MS),
    );
  });
}

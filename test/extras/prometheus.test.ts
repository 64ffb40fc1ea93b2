/** `sockjs-server/prometheus`: metrics agree with the statistics of their routers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { Gauge, Registry } from 'prom-client';
import type { SockJSRouter } from '../../src/index.ts';
import { metricsHandler, registerMetrics } from '../../src/extras/prometheus.ts';
import { CLOSE_REASONS } from '../../src/base/close-reasons.ts';
import { REFUSALS } from '../../src/base/refusal.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startNodes } from '../../testkit/cluster-nodes.ts';
import { Echo, createRouter, listen, startRouter, stop } from '../../testkit/server.ts';
import { newSession } from '../../testkit/transports.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { until, within } from '../../testkit/until.ts';

/** Returns the value of one metric line. */
function valueOf(text: string, line: string): number | undefined {
  const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length + 1));
}

/** @returns the port */
async function serveMetrics(
  t: TestContext,
  handler: ReturnType<typeof metricsHandler>,
): Promise<number> {
  const server = createServer((request, response) => {
    void handler(request, response);
  });
  t.after(() => stop(server));
  return listen(server);
}

async function metricsOf(t: TestContext, routers: readonly SockJSRouter[]): Promise<string> {
  const port = await serveMetrics(t, metricsHandler(routers, new Registry()));
  const { status, head, body } = await httpRequest(port, { path: '/metrics' });
  assert.equal(status, 200);
  assert.match(head.header('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  return body;
}

test('metrics have the values of the statistics, with a label for each reason and cause', async (t) => {
  const { port, router } = await startRouter(t);
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await postBody(port, session, '["abc"]');
  await httpRequest(port, { path: '/echo/nothing' });
  await httpRequest(port, { path: '/echo/nothing' });
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.close(1000);
  await client.closed();
  await until(() => router.stats.dump().closed.client === 1, 'the session has ended');
  const text = await metricsOf(t, [router]);
  const expected: readonly (readonly [string, number])[] = [
    ['sockjs_sessions{prefix="/echo",transport="xhr"}', 1],
    ['sockjs_sessions{prefix="/echo",transport="rawwebsocket"}', 0],
    ['sockjs_receivers{prefix="/echo"}', 0],
    ['sockjs_requests_total{prefix="/echo"}', router.stats.dump().connectionsTotal],
    ['sockjs_sessions_opened_total{prefix="/echo"}', 2],
    ['sockjs_sessions_closed_total{prefix="/echo",cause="client"}', 1],
    ['sockjs_refused_total{prefix="/echo",reason="notFound"}', 2],
    ['sockjs_messages_total{prefix="/echo",direction="received"}', 1],
    ['sockjs_message_bytes_total{prefix="/echo",direction="received"}', '["abc"]'.length],
    ['sockjs_messages_dropped_total{prefix="/echo"}', 0],
    ['sockjs_throttled_total{prefix="/echo"}', 0],
    ['sockjs_evictions_total{prefix="/echo"}', 0],
    ['sockjs_buffered_bytes{prefix="/echo",kind="messages"}', 0],
  ];
  for (const [line, value] of expected) assert.equal(valueOf(text, line), value, line);
});

test('every reason and every cause has a metric before the first event', async (t) => {
  const { router } = await startRouter(t);
  const text = await metricsOf(t, [router]);
  for (const reason of Object.keys(REFUSALS))
    assert.equal(
      valueOf(text, `sockjs_refused_total{prefix="/echo",reason="${reason}"}`),
      0,
      reason,
    );
  for (const cause of [...Object.keys(CLOSE_REASONS), 'application', 'client'])
    assert.equal(
      valueOf(text, `sockjs_sessions_closed_total{prefix="/echo",cause="${cause}"}`),
      0,
      cause,
    );
});

test('a second scrape does not count twice', async (t) => {
  const { port, router } = await startRouter(t);
  await httpRequest(port, { path: '/echo/nothing' });
  const registry = registerMetrics([router], new Registry());
  await registry.metrics();
  const line = 'sockjs_refused_total{prefix="/echo",reason="notFound"}';
  assert.equal(valueOf(await registry.metrics(), line), 1);
});

const NOT_FOUND = 'sockjs_refused_total{prefix="/echo",reason="notFound"}';
const POLLERS = 'sockjs_sessions{prefix="/echo",transport="xhr"}';

test('values of routers with the same prefix are added up', async (t) => {
  const services = [await startRouter(t), await startRouter(t)] as const;
  for (const { port } of services) {
    assert.equal(await poll(port, newSession()), 'o');
    await httpRequest(port, { path: '/echo/nothing' });
  }
  assert.equal(await poll(services[0].port, newSession()), 'o');
  const registry = registerMetrics(
    services.map(({ router }) => router),
    new Registry(),
  );
  for (const scrape of ['first', 'second']) {
    const text = await registry.metrics();
    assert.equal(valueOf(text, POLLERS), 3, scrape);
    assert.equal(valueOf(text, 'sockjs_receivers{prefix="/echo"}'), 0, scrape);
    assert.equal(valueOf(text, NOT_FOUND), 2, scrape);
  }
});

test('routers from an iterator are in every metric of every scrape', async (t) => {
  const { port, router } = await startRouter(t);
  assert.equal(await poll(port, newSession()), 'o');
  await httpRequest(port, { path: '/echo/nothing' });
  const routers = new Map([['echo', router]]);
  const registry = registerMetrics(routers.values(), new Registry());
  for (const scrape of ['first', 'second']) {
    const text = await registry.metrics();
    assert.equal(valueOf(text, POLLERS), 1, scrape);
    assert.equal(valueOf(text, NOT_FOUND), 1, scrape);
  }
});

test('a collection of routers is read at each scrape, so routers may be added and deleted', async (t) => {
  const { port, router } = await startRouter(t);
  await httpRequest(port, { path: '/echo/nothing' });
  const routers = new Set<SockJSRouter>();
  const registry = registerMetrics(routers, new Registry());
  for (const line of [NOT_FOUND, POLLERS]) {
    assert.equal(valueOf(await registry.metrics(), line), undefined);
    routers.add(router);
    assert.notEqual(valueOf(await registry.metrics(), line), undefined);
    routers.delete(router);
    assert.equal(valueOf(await registry.metrics(), line), undefined);
  }
});

test('the metrics of a cluster are those of its statistics, once for all its routers', async (t) => {
  const [one, two] = await startNodes(t, 2, { options: { namespace: 'shop' } });
  const extra = createRouter(t, { cluster: one.cluster }, Echo, { prefix: '/extra' });
  await until(() => one.cluster.nodes.length === 2, 'both nodes');
  const session = newSession();
  assert.equal(await poll(one.port, session), 'o');
  await postBody(two.port, session, '["abc"]');
  await postBody(one.port, newSession(), '["abc"]');
  const registry = registerMetrics([one.router, extra], new Registry());
  for (const scrape of ['first', 'second']) {
    const text = await registry.metrics();
    const expected: readonly (readonly [string, number])[] = [
      ['sockjs_cluster_backplane_up{namespace="shop"}', 1],
      ['sockjs_cluster_members{namespace="shop"}', 2],
      ['sockjs_cluster_claims{namespace="shop"}', 1],
      ['sockjs_cluster_relayed_total{namespace="shop",direction="in"}', 1],
      ['sockjs_cluster_relayed_total{namespace="shop",direction="out"}', 0],
      ['sockjs_cluster_lookups_total{namespace="shop"}', 2],
      ['sockjs_cluster_owners_lost_total{namespace="shop"}', 0],
      ['sockjs_cluster_lost_publishes_total{namespace="shop"}', 0],
    ];
    for (const [line, value] of expected) assert.equal(valueOf(text, line), value, scrape + line);
  }
  one.logger.take();
  two.logger.take();
});

function brokenRegistry(): Registry {
  const registry = new Registry();
  const broken = new Gauge({
    name: 'broken',
    help: 'Cannot be read.',
    registers: [registry],
    collect() {
      throw new Error('The secret database is down.');
    },
  });
  assert.ok(broken instanceof Gauge);
  return registry;
}

test('a collector that throws leads to 500, and its message goes only to a process warning', async (t) => {
  const warned = once(process, 'warning');
  const port = await serveMetrics(t, metricsHandler([], brokenRegistry()));
  const { status, head, body } = await httpRequest(port, { path: '/metrics' });
  assert.equal(status, 500);
  assert.equal(head.header('content-type'), 'text/plain; charset=utf-8');
  assert.equal(body, 'The metrics cannot be read.\n');
  assert.match(String(await within(warned, 'the warning')), /The secret database is down/);
});

for (const registry of [new Registry(), brokenRegistry()]) {
  const result = registry.getSingleMetric('broken') === undefined ? 'scrape' : 'failed scrape';
  test(`a ${result} does not write to a response that has been sent meanwhile`, async (t) => {
    const handler = metricsHandler([], registry);
    const port = await serveMetrics(t, async (request, response) => {
      const handled = handler(request, response);
      response.writeHead(503).end('late');
      await handled;
    });
    const { status, body } = await httpRequest(port, { path: '/metrics' });
    assert.deepEqual([status, body], [503, 'late']);
  });
}

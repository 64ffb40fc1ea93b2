/** `sockjs-server/prometheus` says what the statistics say. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { Gauge, Registry } from 'prom-client';
import type { SockJSRouter } from '../../src/index.ts';
import { metricsHandler, registerMetrics } from '../../src/extras/prometheus.ts';
import { ENDS } from '../../src/protocol/ends.ts';
import { REFUSALS } from '../../src/refusal.ts';
import { poll, sendBody } from '../conformance/dialects.ts';
import { newSession } from '../conformance/services.ts';
import { until, within } from '../support/client.ts';
import { ask } from '../support/http.ts';
import { listening, serve, stopped } from '../support/service.ts';
import { connectWebSocket } from '../support/ws.ts';

/** The value of one line of the metrics. */
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
  t.after(() => stopped(server));
  return listening(server);
}

async function metricsOf(t: TestContext, routers: readonly SockJSRouter[]): Promise<string> {
  const port = await serveMetrics(t, metricsHandler(routers, new Registry()));
  const { status, head, body } = await ask(port, { path: '/metrics' });
  assert.equal(status, 200);
  assert.match(head.header('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  return body;
}

test('the metrics say what the statistics say, each reason and cause under its name', async (t) => {
  const { url, port, router } = await serve(t);
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await sendBody(port, session, '["abc"]');
  await ask(port, { path: '/echo/nothing' });
  await ask(port, { path: '/echo/nothing' });
  const client = await connectWebSocket(t, `${url}/websocket`);
  client.socket.close(1000);
  await client.closed();
  await until('it has ended', () => router.stats.dump().closed.client === 1);
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
  ];
  for (const [line, value] of expected) assert.equal(valueOf(text, line), value, line);
});

test('every reason and every cause is a metric from the start', async (t) => {
  const { router } = await serve(t);
  const text = await metricsOf(t, [router]);
  for (const reason of Object.keys(REFUSALS))
    assert.equal(
      valueOf(text, `sockjs_refused_total{prefix="/echo",reason="${reason}"}`),
      0,
      reason,
    );
  for (const cause of [...Object.keys(ENDS), 'application', 'client'])
    assert.equal(
      valueOf(text, `sockjs_sessions_closed_total{prefix="/echo",cause="${cause}"}`),
      0,
      cause,
    );
});

test('reading the metrics twice does not count twice', async (t) => {
  const { port, router } = await serve(t);
  await ask(port, { path: '/echo/nothing' });
  const registry = registerMetrics([router], new Registry());
  await registry.metrics();
  const line = 'sockjs_refused_total{prefix="/echo",reason="notFound"}';
  assert.equal(valueOf(await registry.metrics(), line), 1);
});

const NOT_FOUND = 'sockjs_refused_total{prefix="/echo",reason="notFound"}';
const POLLERS = 'sockjs_sessions{prefix="/echo",transport="xhr"}';

test('what routers with one prefix count is added up', async (t) => {
  const services = [await serve(t), await serve(t)] as const;
  for (const { port } of services) {
    assert.equal(await poll(port, newSession()), 'o');
    await ask(port, { path: '/echo/nothing' });
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

test('routers that can be iterated once only are in every metric of every scrape', async (t) => {
  const { port, router } = await serve(t);
  assert.equal(await poll(port, newSession()), 'o');
  await ask(port, { path: '/echo/nothing' });
  const routers = new Map([['echo', router]]);
  const registry = registerMetrics(routers.values(), new Registry());
  for (const scrape of ['first', 'second']) {
    const text = await registry.metrics();
    assert.equal(valueOf(text, POLLERS), 1, scrape);
    assert.equal(valueOf(text, NOT_FOUND), 1, scrape);
  }
});

test('a collection of routers is read at each scrape: as they come and go, so do their metrics', async (t) => {
  const { port, router } = await serve(t);
  await ask(port, { path: '/echo/nothing' });
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

test('a collector that throws is answered with 500, and what it says is for the operator only', async (t) => {
  const warned = once(process, 'warning');
  const port = await serveMetrics(t, metricsHandler([], brokenRegistry()));
  const { status, head, body } = await ask(port, { path: '/metrics' });
  assert.equal(status, 500);
  assert.equal(head.header('content-type'), 'text/plain; charset=utf-8');
  assert.equal(body, 'The metrics cannot be read.\n');
  assert.match(String(await within(warned, 'the warning')), /The secret database is down/);
});

for (const registry of [new Registry(), brokenRegistry()]) {
  const what = registry.getSingleMetric('broken') === undefined ? 'metrics' : 'failure';
  test(`a ${what} for a request that was answered meanwhile is kept back`, async (t) => {
    const handler = metricsHandler([], registry);
    const port = await serveMetrics(t, async (request, response) => {
      const handled = handler(request, response);
      response.writeHead(503).end('late');
      await handled;
    });
    const { status, body } = await ask(port, { path: '/metrics' });
    assert.deepEqual([status, body], [503, 'late']);
  });
}

/** `sockjs-server/prometheus` says what the statistics say. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { Registry } from 'prom-client';
import type { SockJSRouter } from '../../src/index.ts';
import { metricsHandler, registerMetrics } from '../../src/prometheus.ts';
import { ENDS } from '../../src/protocol/ends.ts';
import { REFUSALS } from '../../src/refusal.ts';
import { poll, sendBody } from '../conformance/dialects.ts';
import { newSession } from '../conformance/services.ts';
import { until } from '../support/client.ts';
import { ask } from '../support/http.ts';
import { listening, serve, stopped } from '../support/service.ts';
import { connectWebSocket } from '../support/ws.ts';

/** The value of one line of the metrics. */
function valueOf(text: string, line: string): number | undefined {
  const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length + 1));
}

async function metricsOf(t: TestContext, routers: readonly SockJSRouter[]): Promise<string> {
  const server = createServer((request, response) => {
    void handler(request, response);
  });
  const handler = metricsHandler(routers, new Registry());
  const port = await listening(server);
  t.after(() => stopped(server));
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

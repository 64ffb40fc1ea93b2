/** Upgrades and tunnels pipelined behind other requests: inputs that the fuzzer has found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpConnection, httpRequest } from '../../../testkit/raw-http.ts';
import { startRouter } from '../../../testkit/server.ts';
import { until } from '../../../testkit/until.ts';
import { judgeResponses } from '../../fuzz/response-judge.ts';

const PAGE = 'GET /echo HTTP/1.1\r\nHost: a\r\n\r\n';
const EXPECTATION = 'GET /echo HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n';
const UPGRADE_HEADERS = 'Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
const REFUSED_UPGRADE = `GET /echo/nothing HTTP/1.1\r\n${UPGRADE_HEADERS}\r\n`;
const KEY = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
const UPGRADE = `GET /echo/websocket HTTP/1.1\r\n${UPGRADE_HEADERS}${KEY}\r\n`;

function stream(session: string): string {
  return `POST /echo/0/${session}/xhr_streaming HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`;
}

const PIPELINES = {
  'a page': PAGE + REFUSED_UPGRADE,
  'a refused expectation': EXPECTATION + REFUSED_UPGRADE,
  'a stream': stream('one') + REFUSED_UPGRADE,
  'two streams': stream('one') + stream('two') + REFUSED_UPGRADE,
};

for (const [name, bytes] of Object.entries(PIPELINES)) {
  test(`the server works on after a refused upgrade that was pipelined behind ${name}`, async (t) => {
    const { port } = await startRouter(t);
    await httpConnection(t, port).send(bytes).readToEnd();
    assert.equal((await httpRequest(port, { path: '/echo' })).status, 200);
  });
}

test('a WebSocket does not open within the response to an earlier request', async (t) => {
  const { port } = await startRouter(t);
  const bytes = await httpConnection(t, port)
    .send(stream('one') + UPGRADE)
    .raw.readToEnd();
  assert.equal(judgeResponses(bytes.toString('latin1'), false).fault, undefined);
});

// Node detaches such a connection, and drops the responses that are queued on it.
const LAST_REQUESTS = {
  'a WebSocket': UPGRADE,
  'a tunnel': 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
};

for (const [name, bytes] of Object.entries(LAST_REQUESTS)) {
  test(`sessions pipelined behind a stream end with their connection, with ${name} as the last request`, async (t) => {
    const { port, router } = await startRouter(t, { disconnectDelay: 100 });
    const connection = httpConnection(t, port).send(stream('one') + stream('two') + bytes);
    await until(() => router.stats.dump().sessionsTotal >= 2, 'two sessions');
    connection.abort();
    await until(() => router.stats.dump().sessionsActive === 0, 'the sessions to end');
  });
}

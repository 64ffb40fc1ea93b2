/** The one connection between two nodes, over which all relayed requests pass. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryHub, SockJSConnection } from '../../src/index.ts';
import { startNode, startNodes } from '../../testkit/cluster-nodes.ts';
import { httpConnection, httpRequest, neverReadingClient } from '../../testkit/raw-http.ts';
import { TcpRelay } from '../../testkit/tcp-relay.ts';
import { until } from '../../testkit/until.ts';

function poll(session: string): { method: string; path: string } {
  return { method: 'POST', path: `/echo/000/${session}/xhr` };
}

function send(session: string, text: string): { method: string; path: string; body: string } {
  return { method: 'POST', path: `/echo/000/${session}/xhr_send`, body: JSON.stringify([text]) };
}

const SESSIONS = Array.from({ length: 50 }, (_, index) => `session${index}`);

test('many relayed polls wait over one connection', async (t) => {
  const hub = new MemoryHub();
  let connections = 0;
  const path = await TcpRelay.start(0, {
    toServer: (next) => {
      connections += 1;
      return next;
    },
  });
  t.after(() => path.close());
  const one = await startNode(t, { hub, options: { advertise: { port: path.port } } });
  path.targetPort = one.relayPort;
  const two = await startNode(t, { hub });
  for (const session of SESSIONS) await httpRequest(one.port, poll(session));
  const clients = SESSIONS.map((session) => httpConnection(t, two.port).send(poll(session)));
  await until(() => one.cluster.stats.relayedIn === SESSIONS.length, 'all polls');
  for (const session of SESSIONS) await httpRequest(two.port, send(session, 'x'));
  for (const client of clients) assert.equal((await client.response()).body, 'a["x"]\n');
  assert.equal(connections, 1);
});

test('clients that read nothing delay no other client of the same node', async (t) => {
  class Chatty extends SockJSConnection {
    override onMessage(text: string): void {
      this.send(text.repeat(text.length > 1000 ? 100 : 1));
    }
  }
  const [one, two] = await startNodes(t, 2, { connection: Chatty });
  for (const session of ['fast', 'slow0', 'slow1', 'slow2']) {
    await httpRequest(one.port, poll(session));
    if (session === 'fast') continue;
    await httpRequest(one.port, send(session, 'x'.repeat(100_000)));
    neverReadingClient(t, two.port, { method: 'POST', path: `/echo/000/${session}/xhr_streaming` });
  }
  await until(() => one.cluster.stats.relayedIn === 3, 'the streams');
  for (let count = 0; count < 20; count += 1) {
    assert.equal((await httpRequest(two.port, send('fast', `${count}`))).status, 204);
    assert.equal((await httpRequest(two.port, poll('fast'))).body, `a["${count}"]\n`);
  }
});

test('a message and a response of many windows pass unchanged', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, poll('a'));
  const text = 'ü€😀'.repeat(10_000);
  assert.equal((await httpRequest(two.port, send('a', text))).status, 204);
  assert.equal((await httpRequest(two.port, poll('a'))).body, `a${JSON.stringify([text])}\n`);
});

test('an origin that Node does not write ends only its own request', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, poll('a'));
  await httpRequest(one.port, poll('b'));
  const waiting = httpConnection(t, two.port).send(poll('b'));
  await until(() => one.cluster.stats.relayedIn === 1, 'the poll');
  const odd = httpConnection(t, two.port);
  const head = 'POST /echo/000/a/xhr_send HTTP/1.1\r\nHost: a\r\nOrigin: http://a\u007f\r\n';
  odd.send(Buffer.from(`${head}Content-Length: 5\r\n\r\n["a"]`, 'latin1'));
  await odd.raw.readToEnd();
  assert.equal((await httpRequest(two.port, send('b', 'x'))).status, 204);
  assert.equal((await waiting.response()).body, 'a["x"]\n');
  for (const { logger } of [one, two]) logger.take();
});

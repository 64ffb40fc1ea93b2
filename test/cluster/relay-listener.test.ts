/** The relay listener gives nothing to strangers. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { nodeOf } from '../../src/cluster/cluster.ts';
import { FRAME_TYPES, splitHead } from '../../src/relay/frames.ts';
import { parseResponse } from '../../src/relay/relay-head.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TestNode, startNode, startNodes } from '../../testkit/cluster-nodes.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { RawConnection, rawConnection } from '../../testkit/raw-connection.ts';
import { type TestLink, connectLink, encodeRequestFrame } from '../../testkit/relay-link.ts';
import { until } from '../../testkit/until.ts';

const POLL = { method: 'POST', path: '/echo/000/session/xhr' };

const STRANGERS = {
  'a request without the secret': 'GET /echo/info HTTP/1.1\r\nHost: a\r\n\r\n',
  'a request with a body':
    'POST /echo/000/session/xhr_send HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n',
  OPTIONS: 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  TRACE: 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n',
  'an absolute URL': 'GET http://example.com/echo/info HTTP/1.1\r\nHost: a\r\n\r\n',
  'an upgrade':
    'GET /echo/websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  'Expect: 100-continue':
    'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
  'another expectation': 'POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n',
  'HTTP/1.0': 'GET / HTTP/1.0\r\n\r\n',
  'a line without a version': 'GET /\r\n\r\n',
  'two secrets': 'GET / HTTP/1.1\r\nSockjs-Relay: 2 a\r\nSockjs-Relay: 2 b\r\n\r\n',
  'a link without the secret':
    'GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: sockjs-relay\r\n\r\n',
  'a link with a wrong secret':
    'GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: sockjs-relay\r\nSockjs-Relay: 2 wrong\r\n\r\n',
  'a link with bytes behind it':
    'GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: sockjs-relay\r\n\r\nGET / HTTP/1.1\r\n\r\n',
};

for (const [name, bytes] of Object.entries(STRANGERS))
  test(`${name} gets 404 and the end of its connection`, async (t) => {
    const { relayPort } = await startNode(t, {});
    const text = (await rawConnection(t, relayPort).write(bytes).readToEnd()).toString();
    assert.match(text, /^HTTP\/1\.1 404 Not Found\r\n(?:[^\r]+\r\n)*\r\n$/);
    assert.doesNotMatch(text, /sockjs/i);
  });

const GARBAGE = {
  'a CONNECT': 'CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n',
  'a TLS handshake': Buffer.from('16030100c2010000be0303', 'hex'),
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'two lengths': 'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
  'a head that is too long': `GET / HTTP/1.1\r\nA: ${'x'.repeat(80_000)}\r\n\r\n`,
};

for (const [name, bytes] of Object.entries(GARBAGE))
  test(`${name} gets only the end of its connection`, async (t) => {
    const { relayPort, logger } = await startNode(t, {});
    const connection = rawConnection(t, relayPort).write(bytes);
    assert.equal((await connection.readToEnd()).length, 0);
    logger.assertNoProblems();
  });

test('of too many connections without the secret, the oldest one is closed', async (t) => {
  const { relayPort } = await startNode(t, {});
  const oldest = rawConnection(t, relayPort);
  const others: RawConnection[] = [];
  t.after(() => {
    for (const connection of others) connection.close();
  });
  for (let count = 0; count < 2000 && !oldest.isEnded; count += 1) {
    others.push(new RawConnection(relayPort));
    if (count % 100 === 99) await sleep(5);
  }
  await oldest.ended();
  assert.ok(others.length >= 1900, String(others.length));
});

test('another version of the protocol gets 503, and one warning', async (t) => {
  const { relayPort, cluster, logger } = await startNode(t, {});
  const { secret } = nodeOf(cluster).backplane;
  const upgrade = [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'sockjs-relay'],
  ] as const;
  // The first version relayed each request as one of HTTP.
  for (const [version, others] of [
    ['1', []],
    ['3', []],
    ['3', upgrade],
  ] as const) {
    const headers = [['sockjs-relay', `${version} ${secret}`], ...others] as const;
    const { status, head } = await httpRequest(relayPort, { ...POLL, headers });
    assert.deepEqual([status, head.header('sockjs-relay-result')], [503, 'version']);
  }
  const warnings = logger.take().filter(({ level }) => level === 'warn');
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]?.line ?? '', /version of sockjs-server/);
});

test('a link with the secret opens only to the node for which it is meant', async (t) => {
  const { relayPort, cluster } = await startNode(t, {});
  const headers = [
    ['sockjs-relay', `2 ${nodeOf(cluster).backplane.secret}`],
    ['sockjs-relay-owner', 'other'],
    ['Connection', 'Upgrade'],
    ['Upgrade', 'sockjs-relay'],
  ] as const;
  const { status, head } = await httpRequest(relayPort, { path: '/', headers });
  assert.deepEqual([status, head.header('sockjs-relay-result')], [404, 'owner']);
});

/** Opens a link to a node. */
function linkTo(t: TestContext, { relayPort, cluster }: TestNode): Promise<TestLink> {
  const { secret } = nodeOf(cluster).backplane;
  return connectLink(t, relayPort, { secret, node: cluster.id });
}

test('a request with the secret reaches only requests of sessions', async (t) => {
  const node = await startNode(t, {});
  const link = await linkTo(t, node);
  let stream = 0;
  for (const path of ['/echo', '/echo/info', '/echo/websocket', '/echo/000/x/xhr', '/other', '*'])
    for (const method of ['GET', 'POST', 'OPTIONS', '']) {
      stream += 1;
      link.send(encodeRequestFrame(stream, method, path));
      const frame = await link.next();
      assert.deepEqual([frame.stream, frame.type], [stream, FRAME_TYPES.unknown], path);
    }
  assert.equal(node.router.stats.dump().sessionsTotal, 0);
});

test('an error of the application in a relayed request ends only this request', async (t) => {
  let fails = false;
  const verifyIp = (): string => {
    if (fails) throw new Error('verifyIp has failed');
    return '';
  };
  const node = await startNode(t, { settings: { verifyIp } });
  assert.equal((await httpRequest(node.port, POLL)).body, 'o\n');
  fails = true;
  const link = await linkTo(t, node);
  for (const stream of [1, 2]) {
    link.send(encodeRequestFrame(stream, POLL.method, POLL.path));
    const { type, payload } = await link.next();
    assert.equal(type, FRAME_TYPES.response);
    assert.equal(parseResponse(splitHead(payload).head).status, 500);
  }
  assert.match(node.logger.take()[0]?.line ?? '', /verifyIp has failed/);
});

test('connections of nodes are kept, and closed when the node has left', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  const before = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  for (let count = 0; count < 10; count += 1)
    await httpRequest(two.port, { ...POLL, path: '/echo/000/session/xhr_send', body: '["a"]' });
  const kept = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length - before;
  await until(() => kept() <= 2, 'one connection', { state: kept });
  await one.router.close({ timeout: 0 });
  await one.cluster.close();
  await until(() => kept() <= 0, 'the end of the connection', { state: kept });
});

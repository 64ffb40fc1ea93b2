/** The owner of a session sees a relayed request as its client has sent it, and its client gets the owner's response. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionInfo, SockJSConnection } from '../../src/index.ts';
import { startNodes } from '../../testkit/cluster-nodes.ts';
import { type Headers, httpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { deferred, until } from '../../testkit/until.ts';

const POLL = { method: 'POST', path: '/echo/000/session/xhr' };

function send(...messages: string[]): { method: string; path: string; body: string } {
  return { method: 'POST', path: '/echo/000/session/xhr_send', body: JSON.stringify(messages) };
}

test('verifyIp gets the same request on every node', async (t) => {
  const seen: ConnectionInfo[] = [];
  const verifyIp = (info: ConnectionInfo): string => {
    seen.push(info);
    return info.getHeader('x-forwarded-for') ?? '';
  };
  const [one, two] = await startNodes(t, 2, { settings: { verifyIp } });
  const headers: Headers = [
    ['Host', 'localhost:8080'],
    ['X-Forwarded-For', '192.0.2.1'],
    ['X-Forwarded-Host', 'forged.example.com'],
    ['Forwarded', 'for=192.0.2.2'],
    ['Sockjs-Relay', '1 forged'],
    ['sockjs-relay-client', 'https 192.0.2.3'],
  ];
  assert.equal((await httpRequest(one.port, { ...POLL, headers })).body, 'o\n');
  assert.equal((await httpRequest(two.port, { ...send('a'), headers })).status, 204);
  assert.equal((await httpRequest(two.port, { ...POLL, headers })).body, 'a["a"]\n');
  assert.equal(one.cluster.stats.relayedIn, 2);
  const relayed = seen.at(-1);
  assert.equal(relayed?.getHeader('host'), 'localhost:8080');
  assert.equal(relayed?.getHeader('forwarded'), 'for=192.0.2.2');
  const names = Object.keys(relayed?.headers ?? {});
  assert.deepEqual(
    names.filter((name) => name.startsWith('sockjs-relay')),
    [],
  );
});

test('the owner sees the address, the host and the scheme that the first node has seen', async (t) => {
  const settings = { trustedProxies: ['127.0.0.1', '192.0.2.0/24'], jsessionid: true };
  const [one, two] = await startNodes(t, 2, { settings });
  // The client's own address is that of a trusted proxy, whose headers must not be read a second time.
  const headers: Headers = [
    ['X-Forwarded-For', '198.51.100.9, 192.0.2.1'],
    ['X-Forwarded-Proto', 'https'],
  ];
  const opened = await httpRequest(one.port, { ...POLL, headers });
  assert.match(opened.head.header('set-cookie') ?? '', /Secure/);
  assert.equal((await httpRequest(two.port, { ...send('a'), headers })).status, 204);
  const relayed = await httpRequest(two.port, { ...POLL, headers });
  assert.equal(relayed.body, 'a["a"]\n');
  assert.equal(relayed.head.header('set-cookie'), opened.head.header('set-cookie'));
  const stranger: Headers = [['X-Forwarded-For', '198.51.100.10']];
  assert.equal((await httpRequest(two.port, { ...send('a'), headers: stranger })).status, 404);
});

test('a client of HTTP/1.0 without a host is served through a relay', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  await httpRequest(two.port, send('a'));
  const poll = await httpRequest(two.port, { ...POLL, version: '1.0' });
  assert.equal(poll.body, 'a["a"]\n');
  const stream = httpConnection(t, two.port);
  stream.send({ ...POLL, path: '/echo/000/session/xhr_streaming', version: '1.0' });
  const head = await stream.readHead();
  assert.equal(head.header('transfer-encoding'), undefined);
  await httpRequest(two.port, send('b'));
  await httpRequest(two.port, send('close'));
  await until(() => stream.raw.available > 2049, 'the message');
  assert.match(stream.raw.takeAvailable().toString(), /a\["b"\]/);
});

test('a client with as many headers as a node takes is served through a relay', async (t) => {
  const [one, two] = await startNodes(t, 2);
  const many = (count: number): Headers =>
    Array.from({ length: count }, (_, index) => [`h${index}`, 'x'] as const);
  await httpRequest(one.port, POLL);
  await httpRequest(one.port, send('a'));
  // `Host` and `Content-Length` are headers too.
  assert.equal((await httpRequest(two.port, { ...POLL, headers: many(98) })).body, 'a["a"]\n');
  assert.equal((await httpRequest(two.port, { ...POLL, headers: many(99) })).status, 431);
  assert.equal((await httpRequest(two.port, { ...send('b'), headers: many(990) })).status, 204);
  const large = [['Large', 'x'.repeat(16_000)]] as const;
  assert.equal((await httpRequest(two.port, { ...send('b'), headers: large })).status, 204);
});

test('bytes that are odd in a header pass through a relay', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  const odd = ['\u007f', '\u0080\u00ff', '\t', '"', '  '].map((text) =>
    Buffer.from(text, 'latin1'),
  );
  for (const value of odd) {
    const connection = httpConnection(t, two.port);
    const head =
      'POST /echo/000/session/xhr_send?\xff HTTP/1.1\r\nHost: a b\r\nContent-Length: 5\r\nOdd: ';
    connection.send(
      Buffer.concat([Buffer.from(head, 'latin1'), value, Buffer.from('\r\n\r\n["a"]')]),
    );
    const { status } = await connection.response();
    // Node itself refuses some of them.
    assert.ok(
      status === 204 || status === 400,
      `${JSON.stringify(value.toString('latin1'))} ${status}`,
    );
  }
  two.logger.assertNoProblems();
});

test('framing headers of a client are not relayed', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, POLL);
  const body = '5\r\n["a"]\r\n0\r\n\r\n';
  const headers: Headers = [
    ['Transfer-Encoding', 'chunked'],
    ['Connection', 'keep-alive, X-Hop'],
    ['TE', 'trailers'],
    ['Trailer', 'X-Trailer'],
  ];
  const connection = httpConnection(t, two.port);
  connection.send({ ...send(), headers, body });
  assert.equal((await connection.response()).status, 204);
  assert.equal((await httpRequest(one.port, POLL)).body, 'a["a"]\n');
  for (const smuggled of [
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Content-Length: 5\r\nContent-Length: 6',
    'Transfer-Encoding: chunked, identity',
  ]) {
    const raw = httpConnection(t, two.port);
    raw.send(`POST /echo/000/session/xhr_send HTTP/1.1\r\nHost: a\r\n${smuggled}\r\n\r\n${body}`);
    assert.equal((await raw.response()).status, 400);
  }
});

for (const transport of ['jsonp', 'htmlfile'])
  test(`a callback of ${transport} is checked through a relay`, async (t) => {
    const [one, two] = await startNodes(t, 2);
    await httpRequest(one.port, POLL);
    const path = `/echo/000/session/${transport}`;
    const refused = await httpRequest(two.port, { path: `${path}?c=%3Cscript%3E` });
    assert.deepEqual([refused.status, refused.body], [500, 'invalid "callback" parameter']);
    assert.equal((await httpRequest(two.port, { path })).status, 500);
  });

test('a relayed message waits as long as the owner delays the input of its client', async (t) => {
  const handling = deferred();
  const received: string[] = [];
  class Slow extends SockJSConnection {
    override async onMessage(text: string): Promise<void> {
      received.push(text);
      if (text === 'first') await handling.promise;
    }
  }
  const settings = { maxConcurrentHandlers: 1, openTimeout: 100 };
  const [one, two] = await startNodes(t, 2, { connection: Slow, settings });
  await httpRequest(one.port, POLL);
  assert.equal((await httpRequest(two.port, send('first'))).status, 204);
  httpConnection(t, one.port).send(POLL);
  const second = httpConnection(t, two.port).send(send('second'));
  // Longer than the margin that a receiving request has.
  await sleep(11_500);
  handling.resolve();
  assert.equal((await second.response()).status, 204);
  assert.deepEqual(received, ['first', 'second']);
  assert.equal(two.cluster.stats.ownersLost, 0);
});

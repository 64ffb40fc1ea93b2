/** `verifyIp`: only the client that opened a session can use it. For others its id is unknown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SockJSSettings } from '../../src/index.ts';
import {
  EVENTSOURCE,
  HTMLFILE,
  JSONP,
  XHR,
  XHR_STREAMING,
  newSession,
} from '../../testkit/transports.ts';
import { RawHttpConnection, type RawRequest, httpRequest } from '../../testkit/raw-http.ts';
import { Receiver } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';

type Headers = readonly (readonly [string, string])[];

const from = (address: string): Headers => [['X-Forwarded-For', address]];
const holding = (cookie: string): Headers => [['Cookie', `id=${cookie}`]];

const PROXIED: SockJSSettings = { trustedProxies: ['loopback'] };
const BY_COOKIE: SockJSSettings = { verifyIp: (request) => request.getCookie('id') ?? '' };

async function pollWith(port: number, session: string, headers: Headers): Promise<string> {
  return (await httpRequest(port, { method: 'POST', path: `${session}/xhr`, headers })).body;
}

async function sendWith(port: number, session: string, headers: Headers): Promise<number> {
  const path = `${session}/xhr_send`;
  return (await httpRequest(port, { method: 'POST', path, headers, body: '["x"]' })).status;
}

const CASES: readonly (readonly [
  rule: string,
  SockJSSettings,
  owner: Headers,
  other: Headers,
  number,
])[] = [
  [
    'the address that opened a session may send to it',
    PROXIED,
    from('192.0.2.1'),
    from('192.0.2.1'),
    204,
  ],
  ['from another port as well', PROXIED, from('192.0.2.1:1'), from('192.0.2.1:2'), 204],
  ['another address may not', PROXIED, from('192.0.2.1'), from('192.0.2.2'), 404],
  ['an IPv6 client may within its /64', PROXIED, from('2001:db8::1'), from('2001:db8::ffff'), 204],
  ['and not beyond', PROXIED, from('2001:db8::1'), from('2001:db8:0:1::1'), 404],
  [
    'with false every address may',
    { ...PROXIED, verifyIp: false },
    from('192.0.2.1'),
    from('192.0.2.2'),
    204,
  ],
  ['a function: the holder of the cookie may', BY_COOKIE, holding('a'), holding('a'), 204],
  ['a function: the holder of another may not', BY_COOKIE, holding('a'), holding('b'), 404],
  ['a function: who has none may not', BY_COOKIE, holding('a'), [], 404],
  [
    'a function: the address does not matter',
    { ...PROXIED, ...BY_COOKIE },
    [...from('192.0.2.1'), ...holding('a')],
    [...from('192.0.2.2'), ...holding('a')],
    204,
  ],
];

for (const [rule, settings, owner, other, status] of CASES) {
  test(rule, async (t) => {
    const { port } = await startRouter(t, settings);
    const session = newSession();
    assert.equal(await pollWith(port, session, owner), 'o\n');
    assert.equal(await sendWith(port, session, other), status);
    // A client that may not poll it opens its own session instead.
    assert.equal(await pollWith(port, session, other), status === 204 ? 'a["x"]\n' : 'o\n');
  });
}

/** Returns the whole response as received, without its date. */
async function bytesOf(port: number, request: RawRequest): Promise<string> {
  const headers = [...(request.headers ?? []), ['Connection', 'close']] as const;
  const connection = new RawHttpConnection(port).send({ ...request, headers });
  return (await connection.readToEnd()).replace(/^Date: .*$/m, 'Date');
}

const STRANGERS: readonly (readonly [
  how: string,
  SockJSSettings,
  owner: Headers,
  other: Headers,
])[] = [
  ['by address', PROXIED, from('192.0.2.1'), from('192.0.2.2')],
  ['by a function', BY_COOKIE, holding('a'), holding('b')],
];

for (const [how, settings, owner, other] of STRANGERS) {
  for (const { endpoint, body } of [
    { endpoint: 'xhr_send', body: '["x"]' },
    { endpoint: 'xhr_send', body: 'broken' },
    { endpoint: 'xhr_send', body: 'x'.repeat(100) },
    { endpoint: 'jsonp_send', body: 'd=%5B%22x%22%5D' },
  ]) {
    test(`bound ${how}: ${endpoint} of ${body.slice(0, 20)} for another client's session gets the response for an unknown one`, async (t) => {
      const { port } = await startRouter(t, { ...settings, maxMessageBytes: 50 });
      const session = newSession();
      await pollWith(port, session, owner);
      const request = { method: 'POST', headers: other, body } as const;
      const theirs = await bytesOf(port, { ...request, path: `${session}/${endpoint}` });
      const unknown = await bytesOf(port, { ...request, path: `${newSession()}/${endpoint}` });
      assert.match(theirs, /^HTTP\/1\.1 404 /);
      assert.equal(theirs, unknown);
    });
  }

  for (const transport of [XHR, JSONP]) {
    test(`bound ${how}: ${transport.name} for another client's session gets the response for an unknown one`, async (t) => {
      const { port } = await startRouter(t, settings);
      const session = newSession();
      await pollWith(port, session, owner);
      const { method, path } = transport;
      const theirs = await bytesOf(port, { method, path: `${session}/${path}`, headers: other });
      const unknown = await bytesOf(port, {
        method,
        path: `${newSession()}/${path}`,
        headers: other,
      });
      assert.match(theirs, /^HTTP\/1\.1 200 /);
      assert.equal(theirs, unknown);
    });
  }

  for (const transport of [XHR_STREAMING, EVENTSOURCE, HTMLFILE]) {
    test(`bound ${how}: ${transport.name} for another client's session gets no data and does not disturb it`, async (t) => {
      const { port } = await startRouter(t, settings);
      const session = newSession();
      const theirs = new Receiver(port, session, transport, { headers: owner });
      t.after(() => theirs.connection.close());
      assert.equal(await theirs.frame(), 'o');
      const stranger = new Receiver(port, session, transport, { headers: other });
      t.after(() => stranger.connection.close());
      assert.equal(await stranger.frame(), 'o');
      assert.equal(await sendWith(port, session, owner), 204);
      assert.equal(await theirs.frame(), 'a["x"]');
    });
  }
}

test('only its own client gets the close frame of a session', async (t) => {
  const { port, router } = await startRouter(t, PROXIED);
  const session = newSession();
  await pollWith(port, session, from('192.0.2.1'));
  for (const connection of router.connections) connection.close();
  assert.equal(await pollWith(port, session, from('192.0.2.2')), 'o\n');
  assert.equal(await pollWith(port, session, from('192.0.2.1')), 'c[3000,"Go away!"]\n');
});

test('a function that throws is a 500 and an error line without the session id', async (t) => {
  const { port, logger } = await startRouter(t, {
    verifyIp: () => {
      throw new Error('no cookie');
    },
  });
  const { status } = await httpRequest(port, { method: 'POST', path: '/echo/000/SECRET/xhr' });
  assert.equal(status, 500);
  const [entry] = logger.take();
  assert.match(entry?.line ?? '', /no cookie/);
  assert.doesNotMatch(entry?.line ?? '', /SECRET/);
});

test('a function is not shown the session id', async (t) => {
  const paths: string[] = [];
  const { port } = await startRouter(t, {
    verifyIp: ({ path }) => {
      paths.push(path);
      return '';
    },
  });
  await httpRequest(port, { method: 'POST', path: '/echo/000/SECRET/xhr' });
  assert.deepEqual([...new Set(paths)], ['/echo/000']);
});

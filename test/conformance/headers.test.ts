/** PROTOCOL "Headers": caching, CORS, preflights and the cookie for load balancers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServices } from './services.ts';
import { HTTP_TRANSPORTS, newSession } from '../../testkit/transports.ts';
import { type Headers, type ResponseHead, httpRequest } from '../../testkit/raw-http.ts';
import { Receiver, poll } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';

const { port } = await startServices();
const YEAR = 31_536_000;
const NEVER_CACHED = 'no-store, no-cache, no-transform, must-revalidate, max-age=0';

/** Head of the response to a receiving request of a new session. */
async function receiverHead(
  transport: (typeof HTTP_TRANSPORTS)[number],
  headers: Headers = [],
  prefix = '/echo',
): Promise<ResponseHead> {
  const receiver = new Receiver(port, newSession(prefix), transport, { headers });
  const head = await receiver.head();
  receiver.close();
  return head;
}

/** Head of the response to a sending request of an open session. */
async function senderHead(
  target: string,
  body: string,
  headers: Headers = [],
  prefix = '/echo',
): Promise<ResponseHead> {
  const session = newSession(prefix);
  await poll(port, session);
  return (await httpRequest(port, { method: 'POST', path: `${session}/${target}`, body, headers }))
    .head;
}

/** Requests to session URLs. */
const SESSION_REQUESTS: readonly {
  name: string;
  head: (headers?: Headers, prefix?: string) => Promise<ResponseHead>;
}[] = [
  ...HTTP_TRANSPORTS.map((transport) => ({
    name: transport.name,
    head: async (headers: Headers = [], prefix = '/echo') =>
      receiverHead(transport, headers, prefix),
  })),
  {
    name: 'xhr_send',
    head: async (headers = [], prefix = '/echo') =>
      senderHead('xhr_send', '["x"]', headers, prefix),
  },
  {
    name: 'jsonp_send',
    head: async (headers = [], prefix = '/echo') =>
      senderHead('jsonp_send', 'd=%5B%22x%22%5D', headers, prefix),
  },
  {
    name: 'xhr_send to an unknown session',
    head: async (headers = [], prefix = '/echo') =>
      (
        await httpRequest(port, {
          method: 'POST',
          path: `${newSession(prefix)}/xhr_send`,
          body: '["x"]',
          headers,
        })
      ).head,
  },
  {
    name: 'xhr_send with a broken body',
    head: async (headers = [], prefix = '/echo') => senderHead('xhr_send', '["x', headers, prefix),
  },
  {
    name: 'jsonp without a callback',
    head: async (headers = [], prefix = '/echo') =>
      (await httpRequest(port, { path: `${newSession(prefix)}/jsonp`, headers })).head,
  },
];

function assertCacheable(head: ResponseHead): void {
  assert.equal(head.header('Cache-Control'), `public, max-age=${YEAR}`);
  const inSeconds = (Date.parse(head.header('Expires') ?? '') - Date.now()) / 1000;
  assert.ok(Math.abs(inSeconds - YEAR) < 60, `Expires is ${inSeconds} s ahead`);
  assert.equal(head.header('Last-Modified'), undefined);
}

function assertNeverCached(head: ResponseHead): void {
  assert.equal(head.header('Cache-Control'), NEVER_CACHED);
  assert.equal(head.header('Expires'), undefined);
  assert.equal(head.header('Last-Modified'), undefined);
}

// Caching

test('/info is never cached', async () => {
  assertNeverCached((await httpRequest(port, { path: '/echo/info' })).head);
});

for (const { name, head } of SESSION_REQUESTS) {
  test(`the response to ${name} is never cached`, async () => assertNeverCached(await head()));
}

test('the response to a wrong method on a session URL is never cached', async () => {
  assertNeverCached((await httpRequest(port, { path: `${newSession()}/xhr` })).head);
});

test('the iframe page can be cached for a year', async () => {
  assertCacheable((await httpRequest(port, { path: '/echo/iframe.html' })).head);
});

test('the response 304 can be cached for a year', async () => {
  const headers = [['If-None-Match', '*'] as const];
  assertCacheable((await httpRequest(port, { path: '/echo/iframe.html', headers })).head);
});

// CORS

for (const origin of ['http://a.example', 'https://a.example:8443', 'null']) {
  for (const { name, head } of [
    {
      name: '/info',
      head: async (headers: Headers) =>
        (await httpRequest(port, { path: '/echo/info', headers })).head,
    },
    ...SESSION_REQUESTS,
  ]) {
    test(`${name} echoes the origin ${origin} and allows credentials`, async () => {
      const response = await head([['Origin', origin]]);
      assert.deepEqual(response.all('Access-Control-Allow-Origin'), [origin]);
      assert.deepEqual(response.all('Access-Control-Allow-Credentials'), ['true']);
      assert.deepEqual(response.all('Vary'), ['Origin']);
    });
  }
}

for (const { name, head } of [
  {
    name: '/info',
    head: async () => (await httpRequest(port, { path: '/echo/info' })).head,
  },
  ...SESSION_REQUESTS,
]) {
  test(`${name} without an Origin allows all origins and no credentials`, async () => {
    const response = await head();
    assert.deepEqual(response.all('Access-Control-Allow-Origin'), ['*']);
    assert.deepEqual(response.all('Access-Control-Allow-Credentials'), []);
    assert.deepEqual(response.all('Access-Control-Allow-Headers'), []);
  });
}

for (const path of ['/echo', '/echo/iframe.html']) {
  test(`${path} has no CORS headers`, async () => {
    const headers = [['Origin', 'http://a.example'] as const];
    const { head } = await httpRequest(port, { path, headers });
    assert.equal(head.status, 200);
    assert.equal(head.header('Access-Control-Allow-Origin'), undefined);
  });
}

test('an origin that is not allowed gets 403 and no CORS header on every URL of a session', async (t) => {
  const { port: own, logger } = await startRouter(t, { allowedOrigins: ['https://good.example'] });
  const headers = [['Origin', 'https://evil.example'] as const];
  const heads = await Promise.all(
    ['xhr', 'xhr_send', 'xhr_streaming'].map(async (target) => {
      const request = { method: 'POST', path: `${newSession()}/${target}`, headers };
      return (await httpRequest(own, request)).head;
    }),
  );
  for (const head of heads) {
    assert.equal(head.status, 403);
    assert.equal(head.header('Access-Control-Allow-Origin'), undefined);
    assert.equal(head.header('Access-Control-Allow-Credentials'), undefined);
  }
  assert.equal(logger.take().filter(({ level }) => level === 'warn').length, 1);
});

// Preflight

for (const { path, methods } of [
  { path: '/echo/info', methods: 'OPTIONS, GET' },
  { path: '/echo/0/preflight/xhr', methods: 'OPTIONS, POST' },
  { path: '/echo/0/preflight/xhr_send', methods: 'OPTIONS, POST' },
  { path: '/echo/0/preflight/xhr_streaming', methods: 'OPTIONS, POST' },
]) {
  for (const origin of [undefined, 'http://a.example', 'null']) {
    test(`a preflight of ${path} with Origin ${origin ?? '(none)'} allows ${methods}`, async () => {
      const headers = origin === undefined ? [] : [['Origin', origin] as const];
      const { head, body } = await httpRequest(port, { method: 'OPTIONS', path, headers });
      assert.equal(head.status, 204);
      assert.equal(body, '');
      assertCacheable(head);
      assert.equal(head.header('Access-Control-Max-Age'), String(YEAR));
      assert.equal(head.header('Access-Control-Allow-Methods'), methods);
      assert.equal(head.header('Access-Control-Allow-Origin'), origin ?? '*');
      const credentials = origin === undefined ? undefined : 'true';
      assert.equal(head.header('Access-Control-Allow-Credentials'), credentials);
      assert.equal(head.header('Content-Type'), undefined);
    });
  }

  test(`a preflight of ${path} allows the requested headers`, async () => {
    const headers = [['Access-Control-Request-Headers', 'a, b, X-C'] as const];
    const { head } = await httpRequest(port, { method: 'OPTIONS', path, headers });
    assert.deepEqual(head.all('Access-Control-Allow-Headers'), ['a, b, X-C']);
  });

  test(`a preflight of ${path} with an empty list allows no headers`, async () => {
    const headers = [['Access-Control-Request-Headers', ''] as const];
    const { head } = await httpRequest(port, { method: 'OPTIONS', path, headers });
    assert.deepEqual(head.all('Access-Control-Allow-Headers'), []);
  });
}

test('requested headers are also allowed in the response to the request itself', async () => {
  const headers = [['Access-Control-Request-Headers', 'a, b, c'] as const];
  const { head } = await httpRequest(port, {
    method: 'POST',
    path: `${newSession()}/xhr`,
    headers,
  });
  assert.deepEqual(head.all('Access-Control-Allow-Headers'), ['a, b, c']);
});

test('a preflight opens no session', async () => {
  const session = newSession();
  await httpRequest(port, { method: 'OPTIONS', path: `${session}/xhr` });
  assert.equal(await poll(port, session), 'o');
});

// JSESSIONID

for (const { name, head } of SESSION_REQUESTS) {
  test(`with jsessionid on, ${name} sets the cookie`, async () => {
    const response = await head([], '/cookie_needed_echo');
    assert.deepEqual(response.all('Set-Cookie'), ['JSESSIONID=dummy; path=/']);
  });

  test(`with jsessionid on, ${name} returns the cookie of the client`, async () => {
    const response = await head([['Cookie', 'JSESSIONID=abcdef']], '/cookie_needed_echo');
    assert.deepEqual(response.all('Set-Cookie'), ['JSESSIONID=abcdef; path=/']);
  });

  test(`with jsessionid off, ${name} sets no cookie`, async () => {
    const response = await head([['Cookie', 'JSESSIONID=abcdef']]);
    assert.deepEqual(response.all('Set-Cookie'), []);
  });
}

for (const { cookie, value } of [
  { cookie: 'a=1; JSESSIONID=node-7.x!~; b=2', value: 'node-7.x!~' },
  { cookie: 'b=JSESSIONID; JSESSIONID=abc', value: 'abc' },
  { cookie: 'XJSESSIONID=other', value: 'dummy' },
  { cookie: 'JSESSIONID=', value: 'dummy' },
  { cookie: 'JSESSIONID=a b', value: 'dummy' },
]) {
  test(`Cookie: ${cookie} gets JSESSIONID=${value}`, async () => {
    const headers = [['Cookie', cookie] as const];
    const path = `${newSession('/cookie_needed_echo')}/xhr`;
    const { head } = await httpRequest(port, { method: 'POST', path, headers });
    assert.deepEqual(head.all('Set-Cookie'), [`JSESSIONID=${value}; path=/`]);
  });
}

test('with jsessionid on, a preflight sets the cookie', async () => {
  const path = `${newSession('/cookie_needed_echo')}/xhr`;
  const { head } = await httpRequest(port, { method: 'OPTIONS', path });
  assert.deepEqual(head.all('Set-Cookie'), ['JSESSIONID=dummy; path=/']);
});

for (const below of ['', '/', '/info', '/iframe.html']) {
  test(`with jsessionid on, ${below || 'the greeting'} sets no cookie`, async () => {
    const { head } = await httpRequest(port, { path: `/cookie_needed_echo${below}` });
    assert.equal(head.status, 200);
    assert.deepEqual(head.all('Set-Cookie'), []);
  });
}

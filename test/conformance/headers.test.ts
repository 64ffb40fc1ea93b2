/** PROTOCOL "Headers": caching, CORS, preflight and the load balancer's cookie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpConnection, type ResponseHead, ask } from '../support/http.ts';
import { serve } from '../support/service.ts';
import { DIALECTS, Receiver, poll } from './dialects.ts';
import { newSession, startServices } from './services.ts';

const { port } = await startServices();
const YEAR = 31_536_000;
const NEVER_CACHED = 'no-store, no-cache, no-transform, must-revalidate, max-age=0';

type Headers = readonly (readonly [string, string])[];

/** The head of the answer to a receiving request of a new session. */
async function receiverHead(
  dialect: (typeof DIALECTS)[number],
  headers: Headers = [],
  prefix = '/echo',
): Promise<ResponseHead> {
  const receiver = new Receiver(port, newSession(prefix), dialect, { headers });
  const head = await receiver.head();
  receiver.connection.close();
  return head;
}

/** The head of the answer to a sending request of a session that is open. */
async function senderHead(
  target: string,
  body: string,
  headers: Headers = [],
  prefix = '/echo',
): Promise<ResponseHead> {
  const session = newSession(prefix);
  await poll(port, session);
  return (await ask(port, { method: 'POST', path: `${session}/${target}`, body, headers })).head;
}

/** Every way to get an answer from a session URL, by name. */
const SESSION_ANSWERS: readonly {
  name: string;
  head: (headers?: Headers, prefix?: string) => Promise<ResponseHead>;
}[] = [
  ...DIALECTS.map((dialect) => ({
    name: dialect.name,
    head: async (headers: Headers = [], prefix = '/echo') => receiverHead(dialect, headers, prefix),
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
        await ask(port, {
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
      (await ask(port, { path: `${newSession(prefix)}/jsonp`, headers })).head,
  },
];

function assertCacheable(head: ResponseHead): void {
  assert.equal(head.header('Cache-Control'), `public, max-age=${YEAR}`);
  const inSeconds = (Date.parse(head.header('Expires') ?? '') - Date.now()) / 1000;
  assert.ok(Math.abs(inSeconds - YEAR) < 60, `Expires lies ${inSeconds} s ahead`);
  assert.equal(head.header('Last-Modified'), undefined);
}

function assertNeverCached(head: ResponseHead): void {
  assert.equal(head.header('Cache-Control'), NEVER_CACHED);
  assert.equal(head.header('Expires'), undefined);
  assert.equal(head.header('Last-Modified'), undefined);
}

// Caching

test('/info is never cached', async () => {
  assertNeverCached((await ask(port, { path: '/echo/info' })).head);
});

for (const { name, head } of SESSION_ANSWERS) {
  test(`the answer of ${name} is never cached`, async () => assertNeverCached(await head()));
}

test('a wrong method on a session URL is not cached either', async () => {
  assertNeverCached((await ask(port, { path: `${newSession()}/xhr` })).head);
});

test('the iframe page can be cached for a year', async () => {
  assertCacheable((await ask(port, { path: '/echo/iframe.html' })).head);
});

test('so does the answer that it has not changed say', async () => {
  const headers = [['If-None-Match', '*'] as const];
  assertCacheable((await ask(port, { path: '/echo/iframe.html', headers })).head);
});

// CORS

for (const origin of ['http://a.example', 'https://a.example:8443', 'null']) {
  for (const { name, head } of [
    {
      name: '/info',
      head: async (headers: Headers) => (await ask(port, { path: '/echo/info', headers })).head,
    },
    ...SESSION_ANSWERS,
  ]) {
    test(`${name} echoes the origin ${origin} and admits credentials`, async () => {
      const answer = await head([['Origin', origin]]);
      assert.deepEqual(answer.all('Access-Control-Allow-Origin'), [origin]);
      assert.deepEqual(answer.all('Access-Control-Allow-Credentials'), ['true']);
      assert.deepEqual(answer.all('Vary'), ['Origin']);
    });
  }
}

for (const { name, head } of [
  {
    name: '/info',
    head: async () => (await ask(port, { path: '/echo/info' })).head,
  },
  ...SESSION_ANSWERS,
]) {
  test(`${name} without an Origin is open to all, without credentials`, async () => {
    const answer = await head();
    assert.deepEqual(answer.all('Access-Control-Allow-Origin'), ['*']);
    assert.deepEqual(answer.all('Access-Control-Allow-Credentials'), []);
    assert.deepEqual(answer.all('Access-Control-Allow-Headers'), []);
  });
}

for (const path of ['/echo', '/echo/iframe.html']) {
  test(`${path} is no matter of CORS`, async () => {
    const headers = [['Origin', 'http://a.example'] as const];
    const { head } = await ask(port, { path, headers });
    assert.equal(head.status, 200);
    assert.equal(head.header('Access-Control-Allow-Origin'), undefined);
  });
}

test('an origin that is not allowed gets 403 and no CORS header, on every URL of a session', async (t) => {
  const { port: own, logs } = await serve(t, { allowedOrigins: ['https://good.example'] });
  const connection = new HttpConnection(own);
  const headers = [['Origin', 'https://evil.example'] as const];
  const heads = await Promise.all(
    ['xhr', 'xhr_send', 'xhr_streaming'].map(async (target) => {
      const request = { method: 'POST', path: `${newSession()}/${target}`, headers };
      return (await ask(own, request)).head;
    }),
  );
  connection.close();
  for (const head of heads) {
    assert.equal(head.status, 403);
    assert.equal(head.header('Access-Control-Allow-Origin'), undefined);
    assert.equal(head.header('Access-Control-Allow-Credentials'), undefined);
  }
  assert.equal(logs.take().filter(({ level }) => level === 'warn').length, 1);
});

// Preflight

for (const { path, methods } of [
  { path: '/echo/info', methods: 'OPTIONS, GET' },
  { path: '/echo/0/preflight/xhr', methods: 'OPTIONS, POST' },
  { path: '/echo/0/preflight/xhr_send', methods: 'OPTIONS, POST' },
  { path: '/echo/0/preflight/xhr_streaming', methods: 'OPTIONS, POST' },
]) {
  for (const origin of [undefined, 'http://a.example', 'null']) {
    test(`preflight of ${path} with Origin: ${origin ?? '(none)'}`, async () => {
      const headers = origin === undefined ? [] : [['Origin', origin] as const];
      const { head, body } = await ask(port, { method: 'OPTIONS', path, headers });
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

  test(`preflight of ${path} allows the headers that are asked for`, async () => {
    const headers = [['Access-Control-Request-Headers', 'a, b, X-C'] as const];
    const { head } = await ask(port, { method: 'OPTIONS', path, headers });
    assert.deepEqual(head.all('Access-Control-Allow-Headers'), ['a, b, X-C']);
  });

  test(`preflight of ${path} allows no headers for an empty question`, async () => {
    const headers = [['Access-Control-Request-Headers', ''] as const];
    const { head } = await ask(port, { method: 'OPTIONS', path, headers });
    assert.deepEqual(head.all('Access-Control-Allow-Headers'), []);
  });
}

test('requested headers come back on the request itself too', async () => {
  const headers = [['Access-Control-Request-Headers', 'a, b, c'] as const];
  const { head } = await ask(port, { method: 'POST', path: `${newSession()}/xhr`, headers });
  assert.deepEqual(head.all('Access-Control-Allow-Headers'), ['a, b, c']);
});

test('a preflight opens no session', async () => {
  const session = newSession();
  await ask(port, { method: 'OPTIONS', path: `${session}/xhr` });
  assert.equal(await poll(port, session), 'o');
});

// JSESSIONID

for (const { name, head } of SESSION_ANSWERS) {
  test(`with jsessionid on, ${name} sets the cookie`, async () => {
    const answer = await head([], '/cookie_needed_echo');
    assert.deepEqual(answer.all('Set-Cookie'), ['JSESSIONID=dummy; path=/']);
  });

  test(`with jsessionid on, ${name} gives the client's cookie back`, async () => {
    const answer = await head([['Cookie', 'JSESSIONID=abcdef']], '/cookie_needed_echo');
    assert.deepEqual(answer.all('Set-Cookie'), ['JSESSIONID=abcdef; path=/']);
  });

  test(`with jsessionid off, ${name} sets no cookie`, async () => {
    const answer = await head([['Cookie', 'JSESSIONID=abcdef']]);
    assert.deepEqual(answer.all('Set-Cookie'), []);
  });
}

for (const { cookie, value } of [
  { cookie: 'a=1; JSESSIONID=node-7.x!~; b=2', value: 'node-7.x!~' },
  { cookie: 'b=JSESSIONID; JSESSIONID=abc', value: 'abc' },
  { cookie: 'XJSESSIONID=other', value: 'dummy' },
  { cookie: 'JSESSIONID=', value: 'dummy' },
  { cookie: 'JSESSIONID=a b', value: 'dummy' },
]) {
  test(`Cookie: ${cookie} is answered by JSESSIONID=${value}`, async () => {
    const headers = [['Cookie', cookie] as const];
    const path = `${newSession('/cookie_needed_echo')}/xhr`;
    const { head } = await ask(port, { method: 'POST', path, headers });
    assert.deepEqual(head.all('Set-Cookie'), [`JSESSIONID=${value}; path=/`]);
  });
}

test('with jsessionid on, a preflight sets the cookie as well', async () => {
  const path = `${newSession('/cookie_needed_echo')}/xhr`;
  const { head } = await ask(port, { method: 'OPTIONS', path });
  assert.deepEqual(head.all('Set-Cookie'), ['JSESSIONID=dummy; path=/']);
});

for (const below of ['', '/', '/info', '/iframe.html']) {
  test(`with jsessionid on, ${below || 'the greeting'} sets no cookie all the same`, async () => {
    const { head } = await ask(port, { path: `/cookie_needed_echo${below}` });
    assert.equal(head.status, 200);
    assert.deepEqual(head.all('Set-Cookie'), []);
  });
}

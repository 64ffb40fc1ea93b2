/** PROTOCOL "URLs": the response of each URL below a service. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConnectionInfo, SockJSConnection } from '../../src/index.ts';
import { startServices } from './services.ts';
import { httpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { XHR, newSession, parseMessages } from '../../testkit/transports.ts';
import { poll, sendMessages } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';

const { port } = await startServices();
const SERVICES = [
  '/echo',
  '/disabled_websocket_echo',
  '/cookie_needed_echo',
  '/close',
  '/ticker',
  '/broadcast',
  '/amplify',
];

interface Info {
  readonly websocket: unknown;
  readonly cookie_needed: unknown;
  readonly origins: unknown;
  readonly entropy: number;
  readonly base_url?: unknown;
}

async function info(at: number, base: string): Promise<Info> {
  const { body } = await httpRequest(at, { path: `${base}/info` });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the tests check every field
  return JSON.parse(body) as Info;
}

// Greeting

for (const base of SERVICES) {
  for (const path of [base, `${base}/`]) {
    test(`GET ${path} is the greeting, without a cookie`, async () => {
      const { head, body } = await httpRequest(port, { path });
      assert.equal(head.status, 200);
      assert.equal(body, 'Welcome to SockJS!\n');
      assert.equal(head.header('Content-Type'), 'text/plain; charset=UTF-8');
      assert.equal(head.header('Set-Cookie'), undefined);
    });
  }
}

test('the greeting ignores a query', async () => {
  const { status, body } = await httpRequest(port, { path: '/echo?t=1' });
  assert.deepEqual({ status, body }, { status: 200, body: 'Welcome to SockJS!\n' });
});

// Info

for (const { base, websocket, cookie } of [
  { base: '/echo', websocket: true, cookie: false },
  { base: '/disabled_websocket_echo', websocket: false, cookie: false },
  { base: '/cookie_needed_echo', websocket: true, cookie: true },
]) {
  test(`GET ${base}/info lists the options of the service`, async () => {
    const { head, body } = await httpRequest(port, { path: `${base}/info` });
    assert.equal(head.status, 200);
    assert.equal(head.header('Content-Type'), 'application/json; charset=UTF-8');
    assert.equal(head.header('Set-Cookie'), undefined);
    const { entropy } = await info(port, base);
    assert.ok(Number.isInteger(entropy) && entropy >= 0 && entropy < 2 ** 32);
    const expected = `{"websocket":${websocket},"cookie_needed":${cookie},"origins":["*:*"],"entropy":`;
    assert.match(body.replace(expected, ''), /^\d+\}$/);
  });
}

test('the entropy of /info differs on every call and uses all 32 bits', async () => {
  const values = new Set<number>();
  let bits = 0;
  for (let call = 0; call < 64; call += 1) {
    const { entropy } = await info(port, '/echo');
    values.add(entropy);
    bits |= entropy;
  }
  // Two of 64 random values of 32 bits are equal once in two million runs.
  assert.equal(values.size, 64);
  assert.equal(bits >>> 0, 0xffff_ffff);
});

test('/info has no base_url by default', async () => {
  assert.equal(Object.hasOwn(await info(port, '/echo'), 'base_url'), false);
});

test('/info has the configured base_url', async (t) => {
  const { port: own } = await startRouter(t, { baseUrl: 'https://node7.example.com/echo' });
  assert.equal((await info(own, '/echo')).base_url, 'https://node7.example.com/echo');
});

test('/info responds at once, because the client derives its timeouts from it', async (t) => {
  const connection = httpConnection(t, port);
  const times: number[] = [];
  for (let call = 0; call < 15; call += 1) {
    const start = performance.now();
    await connection.request({ path: '/echo/info' });
    times.push(performance.now() - start);
  }
  const median = times.toSorted((left, right) => left - right)[7] ?? Infinity;
  assert.ok(median < 100, `the median of 15 calls is ${median} ms`);
});

test('OPTIONS /info is a preflight for GET', async () => {
  const { head, body } = await httpRequest(port, { method: 'OPTIONS', path: '/echo/info' });
  assert.equal(head.status, 204);
  assert.equal(body, '');
  assert.equal(head.header('Access-Control-Allow-Methods'), 'OPTIONS, GET');
});

// Iframe page

const IFRAME = (script: string): string => `<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="${script}"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>`;

for (const name of [
  'iframe.html',
  'iframe-a.html',
  'iframe-.html',
  'iframe-0.1.2.html',
  'iframe-0.1.2abc-dirty.2144.html',
  'iframe_7.html',
  'iframe.html?t=0123',
]) {
  test(`GET /echo/${name} is the iframe page`, async () => {
    const { head, body } = await httpRequest(port, { path: `/echo/${name}` });
    assert.equal(head.status, 200);
    assert.equal(body, IFRAME('sockjs.js'));
    assert.equal(head.header('Content-Type'), 'text/html; charset=UTF-8');
    assert.notEqual(head.header('ETag'), undefined);
    assert.equal(head.header('Last-Modified'), undefined);
    assert.equal(head.header('Set-Cookie'), undefined);
  });
}

test('the iframe page loads the configured client script', async (t) => {
  const sockjsUrl = 'https://cdn.example.com/sockjs.js?a=1&b=2';
  const { port: own } = await startRouter(t, { sockjsUrl });
  const { body } = await httpRequest(own, { path: '/echo/iframe.html' });
  assert.equal(body, IFRAME('https://cdn.example.com/sockjs.js?a=1&amp;b=2'));
});

test('the default client script of the iframe page is served', async () => {
  const { head, body } = await httpRequest(port, { path: '/echo/sockjs.js' });
  assert.equal(head.status, 200);
  assert.equal(head.header('Content-Type'), 'application/javascript; charset=UTF-8');
  assert.match(body, /SockJS/);
});

for (const { name, tag } of [
  { name: 'its ETag', tag: (etag: string) => etag },
  { name: 'its ETag as a weak one', tag: (etag: string) => `W/${etag}` },
  { name: 'a list with its ETag', tag: (etag: string) => `"other", ${etag}` },
  { name: '*', tag: () => '*' },
]) {
  test(`the iframe page is not sent again for If-None-Match with ${name}`, async (t) => {
    const connection = httpConnection(t, port);
    const first = await connection.request({ path: '/echo/iframe.html' });
    const etag = first.head.header('ETag') ?? '';
    const headers = [['If-None-Match', tag(etag)] as const];
    const { head } = await connection.request({ path: '/echo/iframe.html', headers });
    assert.equal(head.status, 304);
    assert.equal(head.header('Content-Type'), undefined);
    assert.equal(head.header('ETag'), etag);
    // Without a body, the next response starts right after this head.
    assert.equal((await connection.request({ path: '/echo' })).body, 'Welcome to SockJS!\n');
  });
}

test('the iframe page is sent for another ETag', async () => {
  const headers = [['If-None-Match', '"stale"'] as const];
  assert.equal((await httpRequest(port, { path: '/echo/iframe.html', headers })).status, 200);
});

// Unknown URLs

for (const below of [
  '/a',
  '/a.html',
  '//',
  '///',
  '/a/a',
  '/a/a/',
  '/a/a/a',
  '/iframe.htm',
  '/iframe',
  '/IFRAME.HTML',
  '/IFRAME',
  '/iframe.HTML',
  '/iframe.xml',
  '/iframe-/.html',
  '/info/',
  '/websocket/',
  '/000/session/',
  '/000/session/unknown',
  '/000/session/xhr/',
  '/000/session/xhr/more',
  '/000/session/XHR',
  '//session/xhr',
  '/000//xhr',
  '///xhr',
  '/ser.ver/session/xhr',
  '/000/ses.sion/xhr',
  '/./session/xhr',
  '/000/../xhr',
]) {
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    test(`${method} /echo${below} is 404`, async () => {
      const { head, body } = await httpRequest(port, { method, path: `/echo${below}` });
      assert.equal(head.status, 404);
      assert.equal(head.header('Set-Cookie'), undefined);
      assert.equal(body, 'Not found.');
    });
  }
}

for (const path of ['/', '/ech', '/echoes', '/echoes/info', '/ECHO', '/other']) {
  test(`${path} is 404, below no service`, async () => {
    assert.equal((await httpRequest(port, { path })).status, 404);
  });
}

for (const path of [
  '/disabled_websocket_echo/websocket',
  '/disabled_websocket_echo/0/s/websocket',
]) {
  test(`${path} of a disabled transport is 404`, async () => {
    assert.equal((await httpRequest(port, { path })).status, 404);
  });
}

// Wrong methods

for (const { path, allow, wrong } of [
  { path: '/echo', allow: 'GET', wrong: ['POST', 'PUT', 'OPTIONS'] },
  { path: '/echo/info', allow: 'OPTIONS, GET', wrong: ['POST', 'DELETE'] },
  { path: '/echo/iframe.html', allow: 'GET', wrong: ['POST', 'PUT', 'OPTIONS'] },
  { path: '/echo/0/405/xhr', allow: 'OPTIONS, POST', wrong: ['GET', 'PUT', 'HEAD'] },
  { path: '/echo/0/405/xhr_streaming', allow: 'OPTIONS, POST', wrong: ['GET', 'PUT', 'HEAD'] },
  { path: '/echo/0/405/xhr_send', allow: 'OPTIONS, POST', wrong: ['GET', 'PUT', 'HEAD'] },
  { path: '/echo/0/405/eventsource', allow: 'GET', wrong: ['POST', 'HEAD', 'OPTIONS'] },
  { path: '/echo/0/405/htmlfile?c=c', allow: 'GET', wrong: ['POST', 'HEAD', 'OPTIONS'] },
  { path: '/echo/0/405/jsonp?c=c', allow: 'GET', wrong: ['POST', 'HEAD', 'OPTIONS'] },
  { path: '/echo/0/405/jsonp_send', allow: 'POST', wrong: ['GET', 'PUT', 'OPTIONS'] },
  { path: '/echo/0/405/websocket', allow: 'GET', wrong: ['POST', 'PUT', 'OPTIONS'] },
  { path: '/echo/websocket', allow: 'GET', wrong: ['POST', 'PUT', 'OPTIONS'] },
]) {
  for (const method of wrong) {
    test(`${method} ${path} is 405`, async () => {
      const { head, body } = await httpRequest(port, { method, path });
      assert.equal(head.status, 405);
      assert.equal(head.header('Allow'), allow);
      assert.equal(head.header('Content-Type'), undefined);
      assert.equal(body, '');
    });
  }
}

// Session URLs

test('the server part of a session URL is ignored', async () => {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  const otherServer = session.replace('/000/', '/999/');
  await sendMessages(port, otherServer, 'x');
  assert.equal(await poll(port, session.replace('/000/', '/a%20b/')), 'a["x"]');
});

for (const id of [
  'a%20b',
  'a%2Fb',
  '%',
  '%E2%82%AC',
  'a b'.replace(' ', '+'),
  '~!$&()*,;=:@',
  'x'.repeat(500),
]) {
  test(`${id.slice(0, 20)} is accepted as a session id`, async () => {
    const session = `${newSession()}${id}`;
    assert.equal(await poll(port, session), 'o');
    await sendMessages(port, session, 'mine');
    assert.equal(await poll(port, session), 'a["mine"]');
  });
}

test('session ids are compared character by character, with their case', async () => {
  const session = newSession();
  assert.equal(await poll(port, `${session}a`), 'o');
  assert.equal(await poll(port, `${session}A`), 'o');
  assert.equal(await poll(port, `${session}%61`), 'o');
});

test('a query does not change the session', async () => {
  const session = newSession();
  assert.equal(await poll(port, session, { ...XHR, path: 'xhr?t=1' }), 'o');
  await sendMessages(port, session, 'x');
  assert.equal(await poll(port, session, { ...XHR, path: 'xhr?t=2' }), 'a["x"]');
});

test('the same session id below two services is two sessions', async () => {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  assert.equal(await poll(port, session.replace('/echo', '/amplify')), 'o');
  await sendMessages(port, session, 'x');
  assert.deepEqual(parseMessages(await poll(port, session)), ['x']);
});

test('the application does not get the session id', async (t) => {
  const seen: { info: ConnectionInfo; id: string }[] = [];
  class Recorder extends SockJSConnection {
    override onOpen(about: ConnectionInfo): void {
      seen.push({ info: about, id: this.id });
    }
  }
  const { port: own } = await startRouter(t, {}, Recorder);
  const session = newSession();
  const secret = session.slice(session.lastIndexOf('/') + 1);
  assert.equal(await poll(own, session), 'o');
  assert.equal(seen.length, 1);
  for (const { info: about, id } of seen) {
    assert.equal(about.path, '/echo/000');
    assert.doesNotMatch(JSON.stringify([about.headers, about.cookies, id]), new RegExp(secret));
  }
});

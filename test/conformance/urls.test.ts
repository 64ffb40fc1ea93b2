/** PROTOCOL "URLs": what each URL below a service answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConnectionInfo, SockJSConnection } from '../../src/index.ts';
import { HttpConnection, ask } from '../support/http.ts';
import { serve } from '../support/service.ts';
import { XHR, messagesIn, poll, send } from './dialects.ts';
import { newSession, startServices } from './services.ts';

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
  const { body } = await ask(at, { path: `${base}/info` });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every field is looked at below
  return JSON.parse(body) as Info;
}

// Greeting

for (const base of SERVICES) {
  for (const path of [base, `${base}/`]) {
    test(`GET ${path} greets, without a cookie`, async () => {
      const { head, body } = await ask(port, { path });
      assert.equal(head.status, 200);
      assert.equal(body, 'Welcome to SockJS!\n');
      assert.equal(head.header('Content-Type'), 'text/plain; charset=UTF-8');
      assert.equal(head.header('Set-Cookie'), undefined);
    });
  }
}

test('the greeting does not mind a query', async () => {
  const { status, body } = await ask(port, { path: '/echo?t=1' });
  assert.deepEqual({ status, body }, { status: 200, body: 'Welcome to SockJS!\n' });
});

// Info

for (const { base, websocket, cookie } of [
  { base: '/echo', websocket: true, cookie: false },
  { base: '/disabled_websocket_echo', websocket: false, cookie: false },
  { base: '/cookie_needed_echo', websocket: true, cookie: true },
]) {
  test(`GET ${base}/info says what the service can`, async () => {
    const { head, body } = await ask(port, { path: `${base}/info` });
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
  let seen = 0;
  for (let call = 0; call < 64; call += 1) {
    const { entropy } = await info(port, '/echo');
    values.add(entropy);
    seen |= entropy;
  }
  // 64 draws of 32 bits agree once in two million runs.
  assert.equal(values.size, 64);
  assert.equal(seen >>> 0, 0xffff_ffff);
});

test('/info does not name a base_url by itself', async () => {
  assert.equal(Object.hasOwn(await info(port, '/echo'), 'base_url'), false);
});

test('/info names the base_url that is configured', async (t) => {
  const { port: own } = await serve(t, { baseUrl: 'https://node7.example.com/echo' });
  assert.equal((await info(own, '/echo')).base_url, 'https://node7.example.com/echo');
});

test('/info is answered at once: the client takes its timeouts from it', async () => {
  const connection = new HttpConnection(port);
  const times: number[] = [];
  for (let call = 0; call < 15; call += 1) {
    const start = performance.now();
    await connection.ask({ path: '/echo/info' });
    times.push(performance.now() - start);
  }
  connection.close();
  const median = times.toSorted((left, right) => left - right)[7] ?? Infinity;
  assert.ok(median < 100, `the median of 15 calls is ${median} ms`);
});

test('OPTIONS /info is a preflight for GET', async () => {
  const { head, body } = await ask(port, { method: 'OPTIONS', path: '/echo/info' });
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
    const { head, body } = await ask(port, { path: `/echo/${name}` });
    assert.equal(head.status, 200);
    assert.equal(body, IFRAME('/echo/sockjs.js'));
    assert.equal(head.header('Content-Type'), 'text/html; charset=UTF-8');
    assert.notEqual(head.header('ETag'), undefined);
    assert.equal(head.header('Last-Modified'), undefined);
    assert.equal(head.header('Set-Cookie'), undefined);
  });
}

test('the iframe page loads the client script that is configured', async (t) => {
  const sockjsUrl = 'https://cdn.example.com/sockjs.js?a=1&b=2';
  const { port: own } = await serve(t, { sockjsUrl });
  const { body } = await ask(own, { path: '/echo/iframe.html' });
  assert.equal(body, IFRAME('https://cdn.example.com/sockjs.js?a=1&amp;b=2'));
});

test('the client script that the iframe page names by default is there', async () => {
  const { head, body } = await ask(port, { path: '/echo/sockjs.js' });
  assert.equal(head.status, 200);
  assert.equal(head.header('Content-Type'), 'application/javascript; charset=UTF-8');
  assert.match(body, /SockJS/);
});

for (const { name, tag } of [
  { name: 'its ETag', tag: (etag: string) => etag },
  { name: 'its ETag as a weak one', tag: (etag: string) => `W/${etag}` },
  { name: 'a list that holds its ETag', tag: (etag: string) => `"other", ${etag}` },
  { name: '*', tag: () => '*' },
]) {
  test(`the iframe page is not sent again to a client with If-None-Match: ${name}`, async () => {
    const connection = new HttpConnection(port);
    const first = await connection.ask({ path: '/echo/iframe.html' });
    const etag = first.head.header('ETag') ?? '';
    const headers = [['If-None-Match', tag(etag)] as const];
    const { head } = await connection.ask({ path: '/echo/iframe.html', headers });
    assert.equal(head.status, 304);
    assert.equal(head.header('Content-Type'), undefined);
    assert.equal(head.header('ETag'), etag);
    // No body: the next answer starts right after this head.
    assert.equal((await connection.ask({ path: '/echo' })).body, 'Welcome to SockJS!\n');
    connection.close();
  });
}

test('the iframe page is sent to a client that has another version', async () => {
  const headers = [['If-None-Match', '"stale"'] as const];
  assert.equal((await ask(port, { path: '/echo/iframe.html', headers })).status, 200);
});

// Nothing there

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
      const { head, body } = await ask(port, { method, path: `/echo${below}` });
      assert.equal(head.status, 404);
      assert.equal(head.header('Set-Cookie'), undefined);
      assert.equal(body, 'Not found.');
    });
  }
}

for (const path of ['/', '/ech', '/echoes', '/echoes/info', '/ECHO', '/other']) {
  test(`${path} belongs to no service and is 404`, async () => {
    assert.equal((await ask(port, { path })).status, 404);
  });
}

for (const path of [
  '/disabled_websocket_echo/websocket',
  '/disabled_websocket_echo/0/s/websocket',
]) {
  test(`${path} is 404: that transport is disabled`, async () => {
    assert.equal((await ask(port, { path })).status, 404);
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
      const { head, body } = await ask(port, { method, path });
      assert.equal(head.status, 405);
      assert.equal(head.header('Allow'), allow);
      assert.equal(head.header('Content-Type'), undefined);
      assert.equal(body, '');
    });
  }
}

// Session URLs

test('the server part of a session URL does not count', async () => {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  const elsewhere = session.replace('/000/', '/999/');
  await send(port, elsewhere, 'x');
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
  test(`${id.slice(0, 20)} is a session id`, async () => {
    const session = `${newSession()}${id}`;
    assert.equal(await poll(port, session), 'o');
    await send(port, session, 'mine');
    assert.equal(await poll(port, session), 'a["mine"]');
  });
}

test('session ids differ by every character, case included', async () => {
  const session = newSession();
  assert.equal(await poll(port, `${session}a`), 'o');
  assert.equal(await poll(port, `${session}A`), 'o');
  assert.equal(await poll(port, `${session}%61`), 'o');
});

test('a query does not change which session is meant', async () => {
  const session = newSession();
  assert.equal(await poll(port, session, { ...XHR, target: 'xhr?t=1' }), 'o');
  await send(port, session, 'x');
  assert.equal(await poll(port, session, { ...XHR, target: 'xhr?t=2' }), 'a["x"]');
});

test('the same session id below two services means two sessions', async () => {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  assert.equal(await poll(port, session.replace('/echo', '/amplify')), 'o');
  await send(port, session, 'x');
  assert.deepEqual(messagesIn(await poll(port, session)), ['x']);
});

test('the session id never reaches the application', async (t) => {
  const seen: { info: ConnectionInfo; id: string }[] = [];
  class Curious extends SockJSConnection {
    override onOpen(about: ConnectionInfo): void {
      seen.push({ info: about, id: this.id });
    }
  }
  const { port: own } = await serve(t, {}, Curious);
  const session = newSession();
  const secret = session.slice(session.lastIndexOf('/') + 1);
  assert.equal(await poll(own, session), 'o');
  assert.equal(seen.length, 1);
  for (const { info: about, id } of seen) {
    assert.equal(about.path, '/echo/000');
    assert.doesNotMatch(JSON.stringify([about.headers, about.cookies, id]), new RegExp(secret));
  }
});

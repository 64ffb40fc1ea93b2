/**
 * Requests of careless and hostile clients. The server refuses or drops them, logs no warning, serves a new session
 * afterwards, and leaves all others as they were.
 */
import assert from 'node:assert/strict';
import { promisify } from 'node:util';
import { after, afterEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { receivers, startServices } from './services.ts';
import {
  HTTP_TRANSPORTS,
  XHR,
  XHR_STREAMING,
  newSession,
  parseMessages,
} from '../../testkit/transports.ts';
import {
  type RawHttpConnection,
  type ResponseHead,
  encodeRequest,
  httpRequest,
  httpConnection,
} from '../../testkit/raw-http.ts';
import { RawConnection } from '../../testkit/raw-connection.ts';
import { UPGRADE_HEADERS, openWebSocket } from '../../testkit/raw-websocket.ts';
import { Receiver, poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

const { server, port, logger, router } = await startServices();

// Two sessions that stay open through all tests of this file.
const otherSession = newSession('/cookie_needed_echo');
const stream = new Receiver(port, otherSession, XHR_STREAMING);
assert.equal(await stream.frame(), 'o');
const socket = await openWebSocket({ after }, port, `${newSession()}/websocket`);
assert.equal(await socket.next(), 'o');

after(() => {
  stream.close();
});

/** After each test, a new session and both open ones are served. */
afterEach(async () => {
  logger.assertNoProblems();
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await sendMessages(port, session, 'new');
  assert.equal(await poll(port, session), 'a["new"]');
  await sendMessages(port, otherSession, 'old');
  assert.equal(await stream.frame(), 'a["old"]');
  socket.send(JSON.stringify(['old']));
  assert.equal(await socket.next(), 'a["old"]');
});

// URLs

const HOSTILE_TARGETS = [
  '//',
  String.raw`//\evil`,
  '///evil.example/%2f..',
  'http://[::1',
  'http://',
  'http:///echo/x',
  '/%',
  '/%zz',
  '/echo/%',
  '/echo/%00',
  '/echo//',
  String.raw`/echo//\evil`,
  '/echo/../../etc/passwd',
  '/echo/%2e%2e/%2e%2e/etc/passwd',
  '/echo/iframe.html/%',
  '/echo/__proto__',
  '/echo/constructor',
  '/echo/0/s/__proto__',
  '/echo/0/s/constructor',
  '/__proto__',
  '/echo;x=1',
  '/echo/0/s/xhr_send?%',
  '*',
  `/echo/${'x'.repeat(10_000)}`,
  `/echo${'/x'.repeat(5000)}`,
];

for (const path of HOSTILE_TARGETS) {
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    test(`${method} ${path.slice(0, 40)} gets a 4xx`, async () => {
      const { status } = await httpRequest(port, { method, path });
      const isPreflight = method === 'OPTIONS' && path.includes('/xhr_send');
      assert.ok(isPreflight ? status === 204 : status >= 400 && status < 500, String(status));
    });
  }

  test(`an upgrade of ${path.slice(0, 40)} gets a 4xx`, async (t) => {
    const connection = httpConnection(t, port).send({ path, headers: UPGRADE_HEADERS });
    const { status, head } = await connection.response();
    assert.ok(status >= 400 && status < 500, String(status));
    await assertEndsOrContinues(connection, head);
  });
}

/** Checks that a connection ends after its response has announced it, and otherwise serves the next request. */
async function assertEndsOrContinues(
  connection: RawHttpConnection,
  head: ResponseHead,
): Promise<void> {
  if (head.header('Connection') === 'close') await connection.readToEnd();
  else assert.equal((await connection.request({ path: '/echo' })).status, 200);
}

test('a URL of 100,000 characters is refused', async () => {
  const { status } = await httpRequest(port, { path: `/echo/${'x'.repeat(100_000)}` });
  assert.ok(status === 414 || status === 431, String(status));
});

test('a session id of 10,000 characters opens a session', async () => {
  const session = `${newSession()}${'x'.repeat(10_000)}`;
  assert.equal(await poll(port, session), 'o');
  await sendMessages(port, session, 'x');
  assert.equal(await poll(port, session), 'a["x"]');
});

for (const id of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
  test(`the session id ${id} opens a session`, async () => {
    const session = `/echo/000/${id}`;
    assert.equal((await postBody(port, session, '["x"]')).status, 404);
    assert.equal(await poll(port, session), 'o');
    await sendMessages(port, session, 'x');
    assert.equal(await poll(port, session), 'a["x"]');
  });
}

for (const query of ['%', 'c=%', 'c=%zz', 'c=__proto__%00', '&&&===', 'c=a&c=b)'.repeat(500)]) {
  test(`jsonp with the query ${query.slice(0, 20)} gets a response`, async () => {
    const { status, body } = await httpRequest(port, { path: `${newSession()}/jsonp?${query}` });
    assert.ok(status === 200 || status === 500);
    assert.doesNotMatch(body, /%|\)[^;]/);
  });
}

// Invalid HTTP

for (const { name, bytes } of [
  { name: 'a text that is not HTTP', bytes: 'hello\r\n\r\n' },
  { name: 'a TLS handshake', bytes: Buffer.from('16030100c8010000c40303', 'hex') },
  { name: 'an unknown version', bytes: 'GET /echo HTTP/9.9\r\n\r\n' },
  { name: 'a request without Host', bytes: 'GET /echo HTTP/1.1\r\n\r\n' },
  { name: 'a header without a colon', bytes: 'GET /echo HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n' },
  {
    name: 'two different lengths',
    bytes:
      'POST /echo/0/s/xhr HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
  },
  {
    name: 'a length and chunks',
    bytes:
      'POST /echo/0/s/xhr HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  },
  {
    name: 'a negative length',
    bytes: 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n',
  },
  {
    name: 'headers without end',
    bytes: `GET /echo HTTP/1.1\r\nHost: a\r\n${'X-A: b\r\n'.repeat(5000)}`,
  },
]) {
  test(`${name} is refused`, async (t) => {
    const connection = httpConnection(t, port).send(bytes);
    const { status } = await connection.response();
    assert.ok(status >= 400 && status < 500, String(status));
    await connection.readToEnd();
  });
}

test('malformed headers are ignored', async () => {
  const headers = [
    ['Cookie', '=;;=;JSESSIONID;__proto__=1'],
    ['Cookie', '%'],
    ['Origin', 'not an origin'],
    ['Referer', 'http://[::1'],
    ['X-Forwarded-For', ',,,::::,'],
    ['If-None-Match', '"'],
    ['__proto__', 'x'],
    ['Sec-WebSocket-Key', '\u00ff'],
  ] as const;
  const request = { method: 'POST', path: `${newSession('/cookie_needed_echo')}/xhr`, headers };
  assert.equal((await httpRequest(port, request)).body, 'o\n');
  assert.equal((await httpRequest(port, { path: '/echo/iframe.html', headers })).status, 200);
});

test('requested headers that could split the response are not echoed', async () => {
  const headers = [
    ['Access-Control-Request-Headers', 'a\u0000b'] as const,
    ['Origin', '*'] as const,
  ];
  const { status } = await httpRequest(port, { method: 'OPTIONS', path: '/echo/info', headers });
  assert.ok(status === 204 || status === 400, String(status));
});

// Bodies

const FORM = [['Content-Type', 'application/x-www-form-urlencoded']] as const;
for (const json of [
  'null',
  '[null]',
  '[1]',
  '[true]',
  '[["a"]]',
  '["a",1]',
  '[{"a":1},5]',
  '{}',
  '{"__proto__":null}',
  '{"0":"a","length":1}',
  '"abc"',
  '5',
  'undefined',
  '['.repeat(100_000),
]) {
  test(`xhr_send of ${json.slice(0, 24)} is 500, and the session stays open`, async () => {
    const session = newSession();
    await poll(port, session);
    const { status, body } = await postBody(port, session, json);
    assert.deepEqual({ status, body }, { status: 500, body: 'Broken JSON encoding.' });
    await sendMessages(port, session, 'x');
    assert.equal(await poll(port, session), 'a["x"]');
  });

  test(`jsonp_send of ${json.slice(0, 24)} is 500, and the session stays open`, async () => {
    const session = newSession();
    await poll(port, session);
    const form = `d=${encodeURIComponent(json)}`;
    const answer = await postBody(port, session, form, { endpoint: 'jsonp_send', headers: FORM });
    assert.equal(answer.status, 500);
    assert.equal(answer.body, 'Broken JSON encoding.');
    await sendMessages(port, session, 'x');
    assert.equal(await poll(port, session), 'a["x"]');
  });

  if (json !== '"abc"') {
    test(`a WebSocket message of ${json.slice(0, 24)} closes only that WebSocket`, async (t) => {
      const client = await openWebSocket(t, port, `${newSession()}/websocket`);
      assert.equal(await client.next(), 'o');
      client.send(json);
      assert.equal((await client.closed()).code, 1007);
      assert.equal(client.messages.size, 0);
    });
  }
}

for (const { name, bytes } of [
  { name: 'a byte that UTF-8 does not use', bytes: [0xff] },
  { name: 'a lone continuation byte', bytes: [0x80] },
  { name: 'an incomplete character', bytes: [0xe2, 0x82] },
  { name: 'an overlong slash', bytes: [0xc0, 0xaf] },
  { name: 'a surrogate', bytes: [0xed, 0xa0, 0x80] },
  { name: 'a character beyond U+10FFFF', bytes: [0xf4, 0x90, 0x80, 0x80] },
]) {
  test(`xhr_send of ${name} is 500, and the session stays open`, async () => {
    const session = newSession();
    await poll(port, session);
    const body = Buffer.concat([Buffer.from('["'), Buffer.from(bytes), Buffer.from('"]')]);
    assert.equal((await postBody(port, session, body)).body, 'Broken JSON encoding.');
    await sendMessages(port, session, 'x');
    assert.equal(await poll(port, session), 'a["x"]');
  });
}

for (const endpoint of ['xhr_send', 'jsonp_send']) {
  test(`${endpoint}: a body over maxMessageBytes is 413 after its Content-Length`, async (t) => {
    const { port: own, logger: ownLogger } = await startRouter(t, { maxMessageBytes: 100 });
    const session = newSession();
    await poll(own, session);
    const headers = [
      ['Content-Type', 'text/plain'],
      ['Content-Length', '1000000000'],
    ] as const;
    const connection = httpConnection(t, own);
    connection.send({ method: 'POST', path: `${session}/${endpoint}`, headers });
    assert.equal((await connection.readHead()).status, 413);
    assert.match(ownLogger.take()[0]?.line ?? '', /longer than maxMessageBytes/);
    connection.close();
    await sendMessages(own, session, 'x');
    assert.equal(await poll(own, session), 'a["x"]');
  });

  test(`${endpoint}: a chunked body over maxMessageBytes is 413 as soon as it exceeds the limit`, async (t) => {
    const { port: own, logger: ownLogger } = await startRouter(t, { maxMessageBytes: 100 });
    const session = newSession();
    await poll(own, session);
    const headers = [
      ['Content-Type', 'text/plain'],
      ['Transfer-Encoding', 'chunked'],
    ] as const;
    const connection = httpConnection(t, own);
    connection.send({ method: 'POST', path: `${session}/${endpoint}`, headers });
    for (let count = 0; count < 3; count += 1) connection.send(`32\r\n${'x'.repeat(50)}\r\n`);
    assert.equal((await connection.readHead()).status, 413);
    assert.match(ownLogger.take()[0]?.line ?? '', /longer than maxMessageBytes/);
    connection.close();
    await sendMessages(own, session, 'x');
    assert.equal(await poll(own, session), 'a["x"]');
  });

  test(`${endpoint}: a body of exactly maxMessageBytes is accepted`, async (t) => {
    const { port: own, logger: ownLogger } = await startRouter(t, { maxMessageBytes: 100 });
    const session = newSession();
    await poll(own, session);
    const headers = [['Content-Type', 'text/plain'] as const];
    const answer = await postBody(own, session, `["${'x'.repeat(96)}"]`, { endpoint, headers });
    assert.ok(answer.status === 204 || answer.status === 200);
    const longer = await postBody(own, session, `["${'x'.repeat(97)}"]`, { endpoint, headers });
    assert.equal(longer.status, 413);
    assert.match(ownLogger.take()[0]?.line ?? '', /longer than maxMessageBytes/);
    assert.deepEqual(parseMessages(await poll(own, session)), ['x'.repeat(96)]);
  });

  test(`${endpoint}: Content-Encoding: gzip is 415`, async () => {
    const session = newSession();
    await poll(port, session);
    const headers = [['Content-Encoding', 'gzip'] as const];
    const answer = await postBody(port, session, gzipSync('["x"]'), { endpoint, headers });
    assert.equal(answer.status, 415);
  });
}

test('after a body over maxMessageBytes the connection serves another request or is closed', async (t) => {
  const { port: own, logger: ownLogger } = await startRouter(t, { maxMessageBytes: 100 });
  const session = newSession();
  await poll(own, session);
  const connection = httpConnection(t, own);
  const path = `${session}/xhr_send`;
  const { head } = await connection.request({ method: 'POST', path, body: 'x'.repeat(300_000) });
  assert.equal(head.status, 413);
  assert.match(ownLogger.take()[0]?.line ?? '', /longer than maxMessageBytes/);
  await assertEndsOrContinues(connection, head);
});

// Upgrades

for (const { name, path, headers, expected } of [
  { name: 'of an unknown path', path: '/nowhere', headers: UPGRADE_HEADERS, expected: 404 },
  { name: 'below a service', path: '/echo/nothing', headers: UPGRADE_HEADERS, expected: 404 },
  { name: 'of the greeting', path: '/echo', headers: UPGRADE_HEADERS, expected: 200 },
  { name: 'of /info', path: '/echo/info', headers: UPGRADE_HEADERS, expected: 200 },
  {
    name: 'to another protocol',
    path: '/echo/websocket',
    headers: [['Connection', 'Upgrade'] as const, ['Upgrade', 'h2c, foo/2'] as const],
    expected: 400,
  },
  {
    name: 'to another protocol, of the greeting',
    path: '/echo',
    headers: [['Connection', 'Upgrade'] as const, ['Upgrade', 'h2c'] as const],
    expected: 200,
  },
]) {
  test(`an upgrade ${name} is served as a plain request`, async (t) => {
    const connection = httpConnection(t, port).send({ path, headers });
    const { status, head } = await connection.response();
    assert.equal(status, expected);
    await assertEndsOrContinues(connection, head);
    // Only a WebSocket that connects to the prefix is warned about.
    const warnings = logger.take().map(({ line }) => line);
    assert.equal(warnings.length, name === 'of the greeting' ? 1 : 0);
    assert.match(warnings.join(''), /^$|to \/echo\/websocket/);
  });
}

test('an upgrade of a poll is served as a poll', async (t) => {
  const session = newSession();
  const connection = httpConnection(t, port);
  connection.send({ method: 'POST', path: `${session}/xhr`, headers: UPGRADE_HEADERS });
  const { body, head } = await connection.response();
  assert.equal(body, 'o\n');
  await assertEndsOrContinues(connection, head);
});

test('a request that offers another protocol keeps its body, and the next request is served', async (t) => {
  const session = newSession();
  await httpRequest(port, { method: 'POST', path: `${session}/xhr` });
  const connection = httpConnection(t, port);
  const body = '["kept"]';
  const headers = [
    ['Connection', 'Upgrade, HTTP2-Settings'],
    ['Upgrade', 'h2c'],
    ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
  ] as const;
  connection.send({ method: 'POST', path: `${session}/xhr_send`, headers, body });
  assert.equal((await connection.response()).status, 204);
  const next = await connection.request({ method: 'POST', path: `${session}/xhr` });
  assert.equal(next.body, 'a["kept"]\n');
});

test('a stream whose request offered a WebSocket ends when its client disconnects', async (t) => {
  const own = await startRouter(t);
  const session = newSession();
  const connection = httpConnection(t, own.port).send({
    path: `${session}/eventsource`,
    headers: UPGRADE_HEADERS,
  });
  assert.equal((await connection.readHead()).status, 200);
  await receivers(own.router, 1);
  connection.close();
  await receivers(own.router, 0);
});

test('a refused upgrade closes its connection although the client keeps its side open', async (t) => {
  const count = promisify(server.getConnections.bind(server));
  const before = await count();
  const connection = httpConnection(t, { port, allowHalfOpen: true });
  connection.send({ path: '/echo/nowhere', headers: UPGRADE_HEADERS });
  await connection.raw.ended();
  await until(async () => (await count()) <= before, 'the connection to close');
});

// Resets

/** Sends bytes, waits until they have been written, and resets the connection. */
async function reset(bytes: string | Uint8Array): Promise<void> {
  const connection = new RawConnection(port);
  await new Promise((resolve) => connection.socket.write(bytes, resolve));
  connection.abort();
}

const PARTS = Buffer.from(
  `POST ${newSession()}/xhr_send HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n["x`,
);
for (const { name, length } of [
  { name: 'before the request', length: 0 },
  { name: 'in the request line', length: 10 },
  { name: 'in the headers', length: PARTS.indexOf('Host') + 6 },
  { name: 'before the body', length: PARTS.indexOf('["x') },
  { name: 'in the body', length: PARTS.length },
]) {
  test(`a reset ${name} leaves the server intact`, async () => reset(PARTS.subarray(0, length)));
}

test('a reset in the body of an xhr_send leaves its session open', async () => {
  const session = newSession();
  await poll(port, session);
  await reset(
    encodeRequest({
      method: 'POST',
      path: `${session}/xhr_send`,
      headers: [['Content-Length', '100']],
      body: '["x',
    }),
  );
  await sendMessages(port, session, 'whole');
  assert.equal(await poll(port, session), 'a["whole"]');
});

for (const transport of HTTP_TRANSPORTS) {
  const request = (): Buffer =>
    encodeRequest({ method: transport.method, path: `${newSession()}/${transport.path}` });

  test(`a reset right after the request for ${transport.name} leaves the server intact`, async () =>
    reset(request()));

  test(`a reset of three pipelined ${transport.name} requests leaves the server intact`, async () =>
    reset(Buffer.concat([request(), request(), request()])));

  test(`a reset during a response of ${transport.name} leaves the server intact`, async () => {
    const session = newSession();
    const receiver = new Receiver(port, session, transport);
    assert.equal(await receiver.frame(), 'o');
    await sendMessages(port, session, 'x'.repeat(100_000));
    receiver.abort();
  });
}

test('a reset within a handshake leaves the server intact', async () =>
  reset(encodeRequest({ path: '/echo/websocket', headers: UPGRADE_HEADERS }).subarray(0, 60)));

for (const path of ['/echo/websocket', '/echo/0/s/websocket', '/nowhere', '/close/websocket']) {
  test(`a reset right after the handshake of ${path} leaves the server intact`, async () =>
    reset(encodeRequest({ path, headers: UPGRADE_HEADERS })));
}

test('a reset within a WebSocket frame ends the session', async (t) => {
  const waiting = router('/echo').stats.dump().connectionsActive;
  const connection = httpConnection(t, port);
  connection.send({ path: '/echo/websocket', headers: UPGRADE_HEADERS });
  assert.equal((await connection.readHead()).status, 101);
  await receivers(router('/echo'), waiting + 1);
  await new Promise((resolve) => connection.socket.write(Buffer.from([0x81, 0x85, 1]), resolve));
  connection.abort();
  await receivers(router('/echo'), waiting);
});

test('a reset of a refused second poll leaves the session open', async () => {
  const session = newSession();
  const first = new Receiver(port, session, XHR_STREAMING);
  assert.equal(await first.frame(), 'o');
  const second = new Receiver(port, session, XHR);
  assert.match((await second.frame()) ?? '', /^c\[2010,/);
  second.abort();
  await sendMessages(port, session, 'x');
  assert.equal(await first.frame(), 'a["x"]');
  first.close();
});

/**
 * What a careless or a hostile client may send. Whatever it is, the server answers it or drops it, logs
 * nothing loud, serves a new session afterwards, and leaves all others as they were.
 */
import assert from 'node:assert/strict';
import { promisify } from 'node:util';
import { connect } from 'node:net';
import { after, afterEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { serve } from '../support/service.ts';
import { HttpConnection, type ResponseHead, ask, encodeRequest } from '../support/http.ts';
import {
  DIALECTS,
  Receiver,
  XHR,
  XHR_STREAMING,
  messagesIn,
  poll,
  send,
  sendBody,
} from './dialects.ts';
import { newSession, receivers, startServices, until } from './services.ts';
import { WebSocketClient } from './web-socket.ts';

const { server, port, logs, router } = await startServices();

// Two sessions that live through everything in this file.
const bystander = newSession('/cookie_needed_echo');
const stream = new Receiver(port, bystander, XHR_STREAMING);
assert.equal(await stream.frame(), 'o');
const socket = await WebSocketClient.open(port, `${newSession()}/websocket`);
assert.equal(await socket.next(), 'o');

after(() => {
  stream.connection.close();
  socket.socket.close();
});

/** After each test: everybody is still served. */
afterEach(async () => {
  logs.verify();
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await send(port, session, 'new');
  assert.equal(await poll(port, session), 'a["new"]');
  await send(port, bystander, 'old');
  assert.equal(await stream.frame(), 'a["old"]');
  socket.sendMessages('old');
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
      const { status } = await ask(port, { method, path });
      const preflight = method === 'OPTIONS' && path.includes('/xhr_send');
      assert.ok(preflight ? status === 204 : status >= 400 && status < 500, String(status));
    });
  }

  test(`an upgrade of ${path.slice(0, 40)} gets a 4xx`, async () => {
    const connection = new HttpConnection(port).send({ path, headers: UPGRADE });
    const { status, head } = await connection.answer();
    assert.ok(status >= 400 && status < 500, String(status));
    await endsOrGoesOn(connection, head);
  });
}

/** After its answer a connection ends, if it said so, or serves the next request. */
async function endsOrGoesOn(connection: HttpConnection, head: ResponseHead): Promise<void> {
  if (head.header('Connection') === 'close') await connection.readToEnd();
  else assert.equal((await connection.ask({ path: '/echo' })).status, 200);
  connection.close();
}

const UPGRADE = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
] as const;

test('a URL of 100,000 characters is refused', async () => {
  const { status } = await ask(port, { path: `/echo/${'x'.repeat(100_000)}` });
  assert.ok(status === 414 || status === 431, String(status));
});

test('a session id of 10,000 characters is one like any other', async () => {
  const session = `${newSession()}${'x'.repeat(10_000)}`;
  assert.equal(await poll(port, session), 'o');
  await send(port, session, 'x');
  assert.equal(await poll(port, session), 'a["x"]');
});

for (const id of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
  test(`${id} is a session id like any other`, async () => {
    const session = `/echo/000/${id}`;
    assert.equal((await sendBody(port, session, '["x"]')).status, 404);
    assert.equal(await poll(port, session), 'o');
    await send(port, session, 'x');
    assert.equal(await poll(port, session), 'a["x"]');
  });
}

for (const query of ['%', 'c=%', 'c=%zz', 'c=__proto__%00', '&&&===', 'c=a&c=b)'.repeat(500)]) {
  test(`jsonp with the query ${query.slice(0, 20)} gets an answer`, async () => {
    const { status, body } = await ask(port, { path: `${newSession()}/jsonp?${query}` });
    assert.ok(status === 200 || status === 500);
    assert.doesNotMatch(body, /%|\)[^;]/);
  });
}

// Requests that are none

for (const { name, bytes } of [
  { name: 'no HTTP', bytes: 'hello\r\n\r\n' },
  { name: 'TLS', bytes: Buffer.from('16030100c8010000c40303', 'hex') },
  { name: 'an unknown version', bytes: 'GET /echo HTTP/9.9\r\n\r\n' },
  { name: 'no Host', bytes: 'GET /echo HTTP/1.1\r\n\r\n' },
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
  test(`${name} is refused`, async () => {
    const connection = new HttpConnection(port).send(bytes);
    const { status } = await connection.answer();
    assert.ok(status >= 400 && status < 500, String(status));
    await connection.readToEnd();
  });
}

test('odd headers do no harm', async () => {
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
  assert.equal((await ask(port, request)).body, 'o\n');
  assert.equal((await ask(port, { path: '/echo/iframe.html', headers })).status, 200);
});

// A header value that would not survive a line break must not become a second header.
test('requested headers that could split the answer are not echoed', async () => {
  const headers = [
    ['Access-Control-Request-Headers', 'a\u0000b'] as const,
    ['Origin', '*'] as const,
  ];
  const { status } = await ask(port, { method: 'OPTIONS', path: '/echo/info', headers });
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
  test(`xhr_send of ${json.slice(0, 24)} is 500, and the session goes on`, async () => {
    const session = newSession();
    await poll(port, session);
    const { status, body } = await sendBody(port, session, json);
    assert.deepEqual({ status, body }, { status: 500, body: 'Broken JSON encoding.' });
    await send(port, session, 'x');
    assert.equal(await poll(port, session), 'a["x"]');
  });

  test(`jsonp_send of ${json.slice(0, 24)} is 500, and the session goes on`, async () => {
    const session = newSession();
    await poll(port, session);
    const form = `d=${encodeURIComponent(json)}`;
    const answer = await sendBody(port, session, form, { target: 'jsonp_send', headers: FORM });
    assert.equal(answer.status, 500);
    assert.equal(answer.body, 'Broken JSON encoding.');
    await send(port, session, 'x');
    assert.equal(await poll(port, session), 'a["x"]');
  });

  if (json !== '"abc"') {
    test(`a WebSocket message of ${json.slice(0, 24)} ends that WebSocket only`, async () => {
      const client = await WebSocketClient.open(port, `${newSession()}/websocket`);
      assert.equal(await client.next(), 'o');
      client.send(json);
      assert.equal((await client.closed()).code, 1007);
    });
  }
}

for (const { name, bytes } of [
  { name: 'a byte that no UTF-8 has', bytes: [0xff] },
  { name: 'a lone continuation byte', bytes: [0x80] },
  { name: 'a character cut short', bytes: [0xe2, 0x82] },
  { name: 'an overlong slash', bytes: [0xc0, 0xaf] },
  { name: 'a surrogate', bytes: [0xed, 0xa0, 0x80] },
  { name: 'a character beyond U+10FFFF', bytes: [0xf4, 0x90, 0x80, 0x80] },
]) {
  test(`xhr_send of ${name} is 500, and the session goes on`, async () => {
    const session = newSession();
    await poll(port, session);
    const body = Buffer.concat([Buffer.from('["'), Buffer.from(bytes), Buffer.from('"]')]);
    assert.equal((await sendBody(port, session, body)).body, 'Broken JSON encoding.');
    await send(port, session, 'x');
    assert.equal(await poll(port, session), 'a["x"]');
  });
}

for (const target of ['xhr_send', 'jsonp_send']) {
  test(`${target}: a body over maxMessageBytes is 413, by its Content-Length alone`, async (t) => {
    const { port: own, logs: ownLogs } = await serve(t, { maxMessageBytes: 100 });
    const session = newSession();
    await poll(own, session);
    const headers = [
      ['Content-Type', 'text/plain'],
      ['Content-Length', '1000000000'],
    ] as const;
    const connection = new HttpConnection(own);
    connection.send({ method: 'POST', path: `${session}/${target}`, headers });
    assert.equal((await connection.readHead()).status, 413);
    assert.match(ownLogs.take()[0]?.line ?? '', /longer than maxMessageBytes/);
    connection.close();
    await send(own, session, 'x');
    assert.equal(await poll(own, session), 'a["x"]');
  });

  test(`${target}: a chunked body over maxMessageBytes is 413 as soon as it is`, async (t) => {
    const { port: own, logs: ownLogs } = await serve(t, { maxMessageBytes: 100 });
    const session = newSession();
    await poll(own, session);
    const headers = [
      ['Content-Type', 'text/plain'],
      ['Transfer-Encoding', 'chunked'],
    ] as const;
    const connection = new HttpConnection(own);
    connection.send({ method: 'POST', path: `${session}/${target}`, headers });
    for (let count = 0; count < 3; count += 1) connection.send(`32\r\n${'x'.repeat(50)}\r\n`);
    assert.equal((await connection.readHead()).status, 413);
    assert.match(ownLogs.take()[0]?.line ?? '', /longer than maxMessageBytes/);
    connection.close();
    await send(own, session, 'x');
    assert.equal(await poll(own, session), 'a["x"]');
  });

  test(`${target}: a body of exactly maxMessageBytes is taken`, async (t) => {
    const { port: own, logs: ownLogs } = await serve(t, { maxMessageBytes: 100 });
    const session = newSession();
    await poll(own, session);
    const headers = [['Content-Type', 'text/plain'] as const];
    const answer = await sendBody(own, session, `["${'x'.repeat(96)}"]`, { target, headers });
    assert.ok(answer.status === 204 || answer.status === 200);
    const longer = await sendBody(own, session, `["${'x'.repeat(97)}"]`, { target, headers });
    assert.equal(longer.status, 413);
    assert.match(ownLogs.take()[0]?.line ?? '', /longer than maxMessageBytes/);
    assert.deepEqual(messagesIn(await poll(own, session)), ['x'.repeat(96)]);
  });

  test(`${target}: Content-Encoding: gzip is 415`, async () => {
    const session = newSession();
    await poll(port, session);
    const headers = [['Content-Encoding', 'gzip'] as const];
    const answer = await sendBody(port, session, gzipSync('["x"]'), { target, headers });
    assert.equal(answer.status, 415);
  });
}

test('the connection that sent too much can be used again or is closed', async (t) => {
  const { port: own, logs: ownLogs } = await serve(t, { maxMessageBytes: 100 });
  const session = newSession();
  await poll(own, session);
  const connection = new HttpConnection(own);
  const path = `${session}/xhr_send`;
  const { head } = await connection.ask({ method: 'POST', path, body: 'x'.repeat(300_000) });
  assert.equal(head.status, 413);
  assert.match(ownLogs.take()[0]?.line ?? '', /longer than maxMessageBytes/);
  await endsOrGoesOn(connection, head);
});

// Upgrades

for (const { name, path, headers, expected } of [
  { name: 'of an unknown path', path: '/nowhere', headers: UPGRADE, expected: 404 },
  { name: 'below a service', path: '/echo/nothing', headers: UPGRADE, expected: 404 },
  { name: 'of the greeting', path: '/echo', headers: UPGRADE, expected: 200 },
  { name: 'of /info', path: '/echo/info', headers: UPGRADE, expected: 200 },
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
  test(`an upgrade ${name} is answered as a plain request`, async () => {
    const connection = new HttpConnection(port).send({ path, headers });
    const { status, head } = await connection.answer();
    assert.equal(status, expected);
    await endsOrGoesOn(connection, head);
  });
}

test('an upgrade of a poll is a poll', async () => {
  const session = newSession();
  const connection = new HttpConnection(port);
  connection.send({ method: 'POST', path: `${session}/xhr`, headers: UPGRADE });
  const { body, head } = await connection.answer();
  assert.equal(body, 'o\n');
  await endsOrGoesOn(connection, head);
});

test('the body of a request that asked for another protocol is not lost, nor what follows it', async () => {
  const session = newSession();
  await ask(port, { method: 'POST', path: `${session}/xhr` });
  const connection = new HttpConnection(port);
  const body = '["kept"]';
  const headers = [
    ['Connection', 'Upgrade, HTTP2-Settings'],
    ['Upgrade', 'h2c'],
    ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
  ] as const;
  connection.send({ method: 'POST', path: `${session}/xhr_send`, headers, body });
  assert.equal((await connection.answer()).status, 204);
  const next = await connection.ask({ method: 'POST', path: `${session}/xhr` });
  assert.equal(next.body, 'a["kept"]\n');
  connection.close();
});

test('a stream that asked for a WebSocket it cannot be notices that its client leaves', async (t) => {
  const alone = await serve(t);
  const session = newSession();
  const connection = new HttpConnection(alone.port).send({
    path: `${session}/eventsource`,
    headers: UPGRADE,
  });
  assert.equal((await connection.readHead()).status, 200);
  await receivers(alone.router, 1);
  connection.close();
  await receivers(alone.router, 0);
});

test('a refused upgrade leaves no connection behind, even if the client does not hang up', async (t) => {
  const count = promisify(server.getConnections.bind(server));
  const before = await count();
  const stubborn = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => stubborn.destroy());
  stubborn.write(encodeRequest({ path: '/echo/nowhere', headers: UPGRADE }));
  stubborn.resume();
  await new Promise((resolve) => stubborn.once('end', resolve));
  let now = before + 1;
  const recount = async (): Promise<void> => {
    now = await count();
  };
  await until(() => {
    void recount();
    return now <= before;
  }, 'the connection is dropped');
});

// Resets

/** Sends bytes, waits until they have left, and resets the connection. */
async function reset(bytes: string | Uint8Array): Promise<void> {
  const connection = new HttpConnection(port);
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
  test(`a reset ${name}`, async () => reset(PARTS.subarray(0, length)));
}

test('a reset in the body of an xhr_send for an open session', async () => {
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
  await send(port, session, 'whole');
  assert.equal(await poll(port, session), 'a["whole"]');
});

for (const dialect of DIALECTS) {
  const request = (): Buffer =>
    encodeRequest({ method: dialect.method, path: `${newSession()}/${dialect.target}` });

  test(`a reset right after asking for ${dialect.name}`, async () => reset(request()));

  test(`a reset of many ${dialect.name} requests in one`, async () =>
    reset(Buffer.concat([request(), request(), request()])));

  test(`a reset while ${dialect.name} is written to`, async () => {
    const session = newSession();
    const receiver = new Receiver(port, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    await send(port, session, 'x'.repeat(100_000));
    receiver.connection.abort();
  });
}

test('a reset in the middle of a handshake', async () =>
  reset(encodeRequest({ path: '/echo/websocket', headers: UPGRADE }).subarray(0, 60)));

for (const path of ['/echo/websocket', '/echo/0/s/websocket', '/nowhere', '/close/websocket']) {
  test(`a reset right after the handshake of ${path}`, async () =>
    reset(encodeRequest({ path, headers: UPGRADE })));
}

test('a reset in the middle of a WebSocket frame', async () => {
  const waiting = router('/echo').stats.dump().connectionsActive;
  const connection = new HttpConnection(port);
  connection.send({ path: '/echo/websocket', headers: UPGRADE });
  assert.equal((await connection.readHead()).status, 101);
  await receivers(router('/echo'), waiting + 1);
  await new Promise((resolve) => connection.socket.write(Buffer.from([0x81, 0x85, 1]), resolve));
  connection.abort();
  await receivers(router('/echo'), waiting);
});

test('a reset of a poll that was sent away', async () => {
  const session = newSession();
  const first = new Receiver(port, session, XHR_STREAMING);
  assert.equal(await first.frame(), 'o');
  const second = new Receiver(port, session, XHR);
  assert.match((await second.frame()) ?? '', /^c\[2010,/);
  second.connection.abort();
  await send(port, session, 'x');
  assert.equal(await first.frame(), 'a["x"]');
  first.connection.close();
});

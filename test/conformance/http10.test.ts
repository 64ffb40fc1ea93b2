/** PROTOCOL "Headers", the last line: HTTP/1.0, chunking and keep-alive. Requirements of HTTP/1.1. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServices } from './services.ts';
import {
  HTTP_TRANSPORTS,
  POLLING_TRANSPORTS,
  STREAMING_TRANSPORTS,
  XHR_STREAMING,
  newSession,
} from '../../testkit/transports.ts';
import { httpConnection } from '../../testkit/raw-http.ts';
import { Receiver, poll, sendMessages } from '../../testkit/sockjs-http.ts';

const { port } = await startServices();
const KEEP_ALIVE = [['Connection', 'keep-alive']] as const;
const GREETING = 'Welcome to SockJS!\n';

test('1.0: the greeting has a length and no chunks, and ends the connection', async (t) => {
  const connection = httpConnection(t, port).send({ path: '/echo', version: '1.0' });
  const head = await connection.readHead();
  assert.equal(head.status, 200);
  assert.equal(head.header('Transfer-Encoding'), undefined);
  assert.equal(head.header('Content-Length'), '19');
  assert.equal(await connection.readToEnd(), GREETING);
});

test('1.0: a requested keep-alive is granted', async (t) => {
  const connection = httpConnection(t, port);
  const request = { path: '/echo', version: '1.0', headers: KEEP_ALIVE } as const;
  const { head, body } = await connection.request(request);
  assert.equal(head.header('Connection')?.toLowerCase(), 'keep-alive');
  assert.equal(head.header('Transfer-Encoding'), undefined);
  assert.equal(body, GREETING);
  assert.equal((await connection.request(request)).body, GREETING);
});

for (const transport of POLLING_TRANSPORTS) {
  test(`1.0: a response of ${transport.name} is not chunked`, async (t) => {
    const session = newSession();
    const { method, path } = transport;
    const request = { method, path: `${session}/${path}`, version: '1.0' } as const;
    const connection = httpConnection(t, port).send(request);
    const head = await connection.readHead();
    assert.equal(head.header('Transfer-Encoding'), undefined);
    assert.equal(await connection.readToEnd(), transport.encode('o'));
    await sendMessages(port, session, 'x');
    const next = httpConnection(t, port).send(request);
    await next.readHead();
    assert.equal(await next.readToEnd(), transport.encode('a["x"]'));
  });
}

for (const transport of STREAMING_TRANSPORTS) {
  for (const headers of [[], KEEP_ALIVE]) {
    const suffix = headers.length > 0 ? ' although keep-alive was requested' : '';
    test(`1.0: ${transport.name} has neither length nor chunks and ends with the connection${suffix}`, async (t) => {
      const { method, path } = transport;
      const url = `${newSession('/close')}/${path}`;
      const connection = httpConnection(t, port).send({
        method,
        path: url,
        version: '1.0',
        headers,
      });
      const head = await connection.readHead();
      assert.equal(head.status, 200);
      assert.equal(head.header('Transfer-Encoding'), undefined);
      assert.equal(head.header('Content-Length'), undefined);
      assert.notEqual(head.header('Connection')?.toLowerCase(), 'keep-alive');
      const frames = transport.encode('o') + transport.encode('c[3000,"Go away!"]');
      assert.equal(await connection.readToEnd(), transport.prelude + frames);
    });
  }

  test(`1.0: frames of ${transport.name} arrive at once, up to the limit`, async (t) => {
    const session = newSession();
    const { method, path } = transport;
    const url = `${session}/${path}`;
    const connection = httpConnection(t, port).send({ method, path: url, version: '1.0' });
    await connection.readHead();
    for (const text of [transport.prelude, transport.encode('o')])
      assert.equal(await connection.read(text.length), text);
    await sendMessages(port, session, 'x');
    const frame = transport.encode('a["x"]');
    assert.equal(await connection.read(frame.length), frame);
    await sendMessages(port, session, 'y'.repeat(4096));
    assert.equal(await connection.readToEnd(), transport.encode(`a["${'y'.repeat(4096)}"]`));
  });
}

test('1.0: xhr_send gets an empty 204 and ends the connection', async (t) => {
  const session = newSession();
  await poll(port, session);
  const path = `${session}/xhr_send`;
  const connection = httpConnection(t, port);
  connection.send({ method: 'POST', path, version: '1.0', body: '["x"]' });
  const head = await connection.readHead();
  assert.equal(head.status, 204);
  assert.equal(head.header('Transfer-Encoding'), undefined);
  assert.equal(await connection.readToEnd(), '');
  assert.equal(await poll(port, session), 'a["x"]');
});

// HTTP/1.1

for (const transport of STREAMING_TRANSPORTS) {
  test(`1.1: ${transport.name} is chunked, and the connection serves another request after it`, async () => {
    const receiver = new Receiver(port, newSession('/close'), transport);
    const head = await receiver.head();
    assert.equal(head.version, '1.1');
    assert.deepEqual(head.all('Transfer-Encoding'), ['chunked']);
    assert.deepEqual(head.all('Content-Length'), []);
    assert.deepEqual(await receiver.frames(), ['o', 'c[3000,"Go away!"]']);
    assert.equal((await receiver.connection.request({ path: '/echo' })).body, GREETING);
    receiver.close();
  });
}

for (const transport of HTTP_TRANSPORTS) {
  test(`1.1: ${transport.name} with Connection: close ends the connection`, async () => {
    const headers = [['Connection', 'close']] as const;
    const receiver = new Receiver(port, newSession('/close'), transport, { headers });
    assert.equal((await receiver.head()).header('Connection')?.toLowerCase(), 'close');
    assert.equal((await receiver.frames())[0], 'o');
    assert.equal(await receiver.connection.readToEnd(), '');
  });
}

test('1.1: responses to polls have either a length or chunks', async () => {
  for (const transport of POLLING_TRANSPORTS) {
    const receiver = new Receiver(port, newSession(), transport);
    const head = await receiver.head();
    const framings = [...head.all('Content-Length'), ...head.all('Transfer-Encoding')];
    assert.equal(framings.length, 1);
    receiver.close();
  }
});

test('1.1: one connection serves all requests of a session', async (t) => {
  const session = newSession();
  const connection = httpConnection(t, port);
  const xhr = { method: 'POST', path: `${session}/xhr` } as const;
  const xhrSend = { method: 'POST', path: `${session}/xhr_send` } as const;
  assert.equal((await connection.request({ path: '/echo/info' })).status, 200);
  assert.equal((await connection.request(xhr)).body, 'o\n');
  for (const message of ['a', 'b', 'c']) {
    assert.equal((await connection.request({ ...xhrSend, body: `["${message}"]` })).status, 204);
    assert.equal((await connection.request(xhr)).body, `a["${message}"]\n`);
  }
});

test('1.1: 204 has neither body nor length', async (t) => {
  const session = newSession();
  await poll(port, session);
  const connection = httpConnection(t, port);
  const path = `${session}/xhr_send`;
  const { head } = await connection.request({ method: 'POST', path, body: '["x"]' });
  assert.equal(head.status, 204);
  assert.equal(head.header('Content-Length'), undefined);
  assert.equal(head.header('Transfer-Encoding'), undefined);
  assert.equal((await connection.request({ path: '/echo' })).body, GREETING);
});

for (const path of [
  '/echo',
  '/echo/info',
  '/echo/iframe.html',
  '/echo/sockjs.js',
  '/echo/client.js',
]) {
  test(`1.1: HEAD ${path} has the head of GET and no body`, async (t) => {
    const connection = httpConnection(t, port);
    const get = await connection.request({ path });
    const { head } = await connection.request({ method: 'HEAD', path });
    assert.equal(head.status, 200);
    assert.equal(head.header('Content-Type'), get.head.header('Content-Type'));
    assert.equal((await connection.request({ path: '/echo' })).body, GREETING);
  });
}

test('pipelining: responses come in the order of the requests', async (t) => {
  const connection = httpConnection(t, port);
  for (const path of ['/echo', '/echo/nothing', '/echo/info', '/echo/']) connection.send({ path });
  assert.equal((await connection.response()).body, GREETING);
  assert.equal((await connection.response()).status, 404);
  assert.match((await connection.response()).body, /^\{"websocket":true/);
  assert.equal((await connection.response()).body, GREETING);
});

test('pipelining: a poll gets the message of the request before it', async (t) => {
  const session = newSession();
  const connection = httpConnection(t, port);
  const xhr = { method: 'POST', path: `${session}/xhr` } as const;
  connection.send(xhr);
  connection.send({ method: 'POST', path: `${session}/xhr_send`, body: '["x"]' });
  connection.send(xhr);
  assert.equal((await connection.response()).body, 'o\n');
  assert.equal((await connection.response()).status, 204);
  assert.equal((await connection.response()).body, 'a["x"]\n');
});

test('pipelining: a poll gets the message of the request behind it', async (t) => {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  const connection = httpConnection(t, port);
  connection.send({ method: 'POST', path: `${session}/xhr` });
  connection.send({ method: 'POST', path: `${session}/xhr_send`, body: '["x"]' });
  assert.equal((await connection.response()).body, 'a["x"]\n');
  assert.equal((await connection.response()).status, 204);
});

for (const { name, target } of [
  { name: 'a host', target: 'http://example.com' },
  { name: 'host and port', target: 'http://127.0.0.1:8081' },
  { name: 'an IPv6 address', target: 'http://[::1]:8081' },
  { name: 'another scheme', target: 'https://example.com' },
]) {
  test(`a request target in absolute form with ${name} is served`, async (t) => {
    const session = newSession();
    const connection = httpConnection(t, port);
    assert.equal((await connection.request({ path: `${target}/echo` })).body, GREETING);
    assert.equal((await connection.request({ path: `${target}/echo/nothing` })).status, 404);
    const xhr = { method: 'POST', path: `${target}${session}/xhr?t=1` };
    assert.equal((await connection.request(xhr)).body, 'o\n');
    await sendMessages(port, session, 'x');
    assert.equal(await poll(port, session), 'a["x"]');
  });
}

test('Expect: 100-continue gets a 100 before the body', async (t) => {
  const session = newSession();
  await poll(port, session);
  const connection = httpConnection(t, port);
  const headers = [
    ['Expect', '100-continue'],
    ['Content-Length', '5'],
  ] as const;
  connection.send({ method: 'POST', path: `${session}/xhr_send`, headers });
  assert.equal((await connection.readHead()).status, 100);
  connection.send('["x"]');
  assert.equal((await connection.response()).status, 204);
  assert.equal(await poll(port, session), 'a["x"]');
});

test('a request may arrive byte by byte', async (t) => {
  const session = newSession();
  const connection = httpConnection(t, port);
  connection.socket.setNoDelay(true);
  for (const byte of `POST ${session}/xhr HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`)
    await new Promise((resolve) => connection.socket.write(byte, resolve));
  assert.equal((await connection.response()).body, 'o\n');
});

test('the body of a receiving request is ignored', async (t) => {
  const session = newSession();
  const connection = httpConnection(t, port);
  const xhr = { method: 'POST', path: `${session}/xhr`, body: 'whatever' } as const;
  assert.equal((await connection.request(xhr)).body, 'o\n');
  assert.equal((await connection.request({ path: '/echo' })).body, GREETING);
  const streaming = new Receiver(port, newSession(), XHR_STREAMING, { body: '["x"]' });
  assert.equal(await streaming.frame(), 'o');
  streaming.close();
});

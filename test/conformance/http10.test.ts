/** PROTOCOL "Headers", its last line: HTTP/1.0, chunking, keep-alive; and what HTTP/1.1 itself demands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpConnection } from '../support/http.ts';
import { DIALECTS, POLLING, Receiver, STREAMING, XHR_STREAMING, poll, send } from './dialects.ts';
import { newSession, startServices } from './services.ts';

const { port } = await startServices();
const KEEP_ALIVE = [['Connection', 'keep-alive']] as const;
const GREETING = 'Welcome to SockJS!\n';

test('1.0: the greeting has a length and no chunks, and ends the connection', async () => {
  const connection = new HttpConnection(port).send({ path: '/echo', version: '1.0' });
  const head = await connection.readHead();
  assert.equal(head.status, 200);
  assert.equal(head.header('Transfer-Encoding'), undefined);
  assert.equal(head.header('Content-Length'), '19');
  assert.equal(await connection.readToEnd(), GREETING);
});

test('1.0: keep-alive that is asked for is given', async () => {
  const connection = new HttpConnection(port);
  const request = { path: '/echo', version: '1.0', headers: KEEP_ALIVE } as const;
  const { head, body } = await connection.ask(request);
  assert.equal(head.header('Connection')?.toLowerCase(), 'keep-alive');
  assert.equal(head.header('Transfer-Encoding'), undefined);
  assert.equal(body, GREETING);
  assert.equal((await connection.ask(request)).body, GREETING);
  connection.close();
});

for (const dialect of POLLING) {
  test(`1.0: ${dialect.name} is not chunked`, async () => {
    const session = newSession();
    const { method, target } = dialect;
    const request = { method, path: `${session}/${target}`, version: '1.0' } as const;
    const connection = new HttpConnection(port).send(request);
    const head = await connection.readHead();
    assert.equal(head.header('Transfer-Encoding'), undefined);
    assert.equal(await connection.readToEnd(), dialect.wrap('o'));
    await send(port, session, 'x');
    const next = new HttpConnection(port).send(request);
    await next.readHead();
    assert.equal(await next.readToEnd(), dialect.wrap('a["x"]'));
  });
}

for (const dialect of STREAMING) {
  for (const headers of [[], KEEP_ALIVE]) {
    const asked = headers.length > 0 ? ', keep-alive asked for' : '';
    test(`1.0: ${dialect.name} has neither length nor chunks and ends with the connection${asked}`, async () => {
      const { method, target } = dialect;
      const path = `${newSession('/close')}/${target}`;
      const connection = new HttpConnection(port).send({ method, path, version: '1.0', headers });
      const head = await connection.readHead();
      assert.equal(head.status, 200);
      assert.equal(head.header('Transfer-Encoding'), undefined);
      assert.equal(head.header('Content-Length'), undefined);
      assert.notEqual(head.header('Connection')?.toLowerCase(), 'keep-alive');
      const frames = dialect.wrap('o') + dialect.wrap('c[3000,"Go away!"]');
      assert.equal(await connection.readToEnd(), dialect.prelude + frames);
    });
  }

  test(`1.0: frames of ${dialect.name} arrive as soon as they exist, up to the limit`, async () => {
    const session = newSession();
    const { method, target } = dialect;
    const path = `${session}/${target}`;
    const connection = new HttpConnection(port).send({ method, path, version: '1.0' });
    await connection.readHead();
    for (const text of [dialect.prelude, dialect.wrap('o')])
      assert.equal(await connection.read(text.length), text);
    await send(port, session, 'x');
    const frame = dialect.wrap('a["x"]');
    assert.equal(await connection.read(frame.length), frame);
    await send(port, session, 'y'.repeat(4096));
    assert.equal(await connection.readToEnd(), dialect.wrap(`a["${'y'.repeat(4096)}"]`));
  });
}

test('1.0: xhr_send', async () => {
  const session = newSession();
  await poll(port, session);
  const path = `${session}/xhr_send`;
  const connection = new HttpConnection(port);
  connection.send({ method: 'POST', path, version: '1.0', body: '["x"]' });
  const head = await connection.readHead();
  assert.equal(head.status, 204);
  assert.equal(head.header('Transfer-Encoding'), undefined);
  assert.equal(await connection.readToEnd(), '');
  assert.equal(await poll(port, session), 'a["x"]');
});

// HTTP/1.1

for (const dialect of STREAMING) {
  test(`1.1: ${dialect.name} is chunked, and the connection lives on after its end`, async () => {
    const receiver = new Receiver(port, newSession('/close'), dialect);
    const head = await receiver.head();
    assert.equal(head.version, '1.1');
    assert.deepEqual(head.all('Transfer-Encoding'), ['chunked']);
    assert.deepEqual(head.all('Content-Length'), []);
    assert.deepEqual(await receiver.frames(), ['o', 'c[3000,"Go away!"]']);
    assert.equal((await receiver.connection.ask({ path: '/echo' })).body, GREETING);
    receiver.connection.close();
  });
}

for (const dialect of DIALECTS) {
  test(`1.1: ${dialect.name} with Connection: close ends the connection`, async () => {
    const headers = [['Connection', 'close']] as const;
    const receiver = new Receiver(port, newSession('/close'), dialect, { headers });
    assert.equal((await receiver.head()).header('Connection')?.toLowerCase(), 'close');
    assert.equal((await receiver.frames())[0], 'o');
    assert.equal(await receiver.connection.readToEnd(), '');
  });
}

test('1.1: polling answers have either a length or chunks, never both', async () => {
  for (const dialect of POLLING) {
    const receiver = new Receiver(port, newSession(), dialect);
    const head = await receiver.head();
    const framings = [...head.all('Content-Length'), ...head.all('Transfer-Encoding')];
    assert.equal(framings.length, 1);
    receiver.connection.close();
  }
});

test('1.1: a whole session on one connection', async () => {
  const session = newSession();
  const connection = new HttpConnection(port);
  const xhr = { method: 'POST', path: `${session}/xhr` } as const;
  const xhrSend = { method: 'POST', path: `${session}/xhr_send` } as const;
  assert.equal((await connection.ask({ path: '/echo/info' })).status, 200);
  assert.equal((await connection.ask(xhr)).body, 'o\n');
  for (const message of ['a', 'b', 'c']) {
    assert.equal((await connection.ask({ ...xhrSend, body: `["${message}"]` })).status, 204);
    assert.equal((await connection.ask(xhr)).body, `a["${message}"]\n`);
  }
  connection.close();
});

test('1.1: 204 has neither body nor length', async () => {
  const session = newSession();
  await poll(port, session);
  const connection = new HttpConnection(port);
  const path = `${session}/xhr_send`;
  const { head } = await connection.ask({ method: 'POST', path, body: '["x"]' });
  assert.equal(head.status, 204);
  assert.equal(head.header('Content-Length'), undefined);
  assert.equal(head.header('Transfer-Encoding'), undefined);
  assert.equal((await connection.ask({ path: '/echo' })).body, GREETING);
  connection.close();
});

for (const path of ['/echo', '/echo/info', '/echo/iframe.html', '/echo/sockjs.js']) {
  test(`1.1: HEAD ${path} has the head of GET and no body`, async () => {
    const connection = new HttpConnection(port);
    const got = await connection.ask({ path });
    const { head } = await connection.ask({ method: 'HEAD', path });
    assert.equal(head.status, 200);
    assert.equal(head.header('Content-Type'), got.head.header('Content-Type'));
    assert.equal((await connection.ask({ path: '/echo' })).body, GREETING);
    connection.close();
  });
}

test('pipelining: requests that come together are answered in order', async () => {
  const connection = new HttpConnection(port);
  for (const path of ['/echo', '/echo/nothing', '/echo/info', '/echo/']) connection.send({ path });
  assert.equal((await connection.answer()).body, GREETING);
  assert.equal((await connection.answer()).status, 404);
  assert.match((await connection.answer()).body, /^\{"websocket":true/);
  assert.equal((await connection.answer()).body, GREETING);
  connection.close();
});

test('pipelining: a poll, a message and the poll that fetches it', async () => {
  const session = newSession();
  const connection = new HttpConnection(port);
  const xhr = { method: 'POST', path: `${session}/xhr` } as const;
  connection.send(xhr);
  connection.send({ method: 'POST', path: `${session}/xhr_send`, body: '["x"]' });
  connection.send(xhr);
  assert.equal((await connection.answer()).body, 'o\n');
  assert.equal((await connection.answer()).status, 204);
  assert.equal((await connection.answer()).body, 'a["x"]\n');
  connection.close();
});

test('pipelining: a message behind the poll that waits for it', async () => {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  const connection = new HttpConnection(port);
  connection.send({ method: 'POST', path: `${session}/xhr` });
  connection.send({ method: 'POST', path: `${session}/xhr_send`, body: '["x"]' });
  assert.equal((await connection.answer()).body, 'a["x"]\n');
  assert.equal((await connection.answer()).status, 204);
  connection.close();
});

for (const { name, target } of [
  { name: 'a host', target: 'http://example.com' },
  { name: 'host and port', target: 'http://127.0.0.1:8081' },
  { name: 'an IPv6 address', target: 'http://[::1]:8081' },
  { name: 'another scheme', target: 'https://example.com' },
]) {
  test(`a request target in absolute form with ${name}`, async () => {
    const session = newSession();
    const connection = new HttpConnection(port);
    assert.equal((await connection.ask({ path: `${target}/echo` })).body, GREETING);
    assert.equal((await connection.ask({ path: `${target}/echo/nothing` })).status, 404);
    const xhr = { method: 'POST', path: `${target}${session}/xhr?t=1` };
    assert.equal((await connection.ask(xhr)).body, 'o\n');
    await send(port, session, 'x');
    assert.equal(await poll(port, session), 'a["x"]');
    connection.close();
  });
}

test('Expect: 100-continue is answered before the body is sent', async () => {
  const session = newSession();
  await poll(port, session);
  const connection = new HttpConnection(port);
  const headers = [
    ['Expect', '100-continue'],
    ['Content-Length', '5'],
  ] as const;
  connection.send({ method: 'POST', path: `${session}/xhr_send`, headers });
  assert.equal((await connection.readHead()).status, 100);
  connection.send('["x"]');
  assert.equal((await connection.answer()).status, 204);
  assert.equal(await poll(port, session), 'a["x"]');
  connection.close();
});

test('a request may come byte by byte', async () => {
  const session = newSession();
  const connection = new HttpConnection(port);
  connection.socket.setNoDelay(true);
  for (const byte of `POST ${session}/xhr HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`)
    await new Promise((resolve) => connection.socket.write(byte, resolve));
  assert.equal((await connection.answer()).body, 'o\n');
  connection.close();
});

test('a receiving request may have a body, which does not matter', async () => {
  const session = newSession();
  const connection = new HttpConnection(port);
  const xhr = { method: 'POST', path: `${session}/xhr`, body: 'whatever' } as const;
  assert.equal((await connection.ask(xhr)).body, 'o\n');
  assert.equal((await connection.ask({ path: '/echo' })).body, GREETING);
  connection.close();
  const streaming = new Receiver(port, newSession(), XHR_STREAMING, { body: '["x"]' });
  assert.equal(await streaming.frame(), 'o');
  streaming.connection.close();
});

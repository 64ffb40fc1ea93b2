import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type Server, type Socket, createServer as createTcpServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { selfSignedCertificate } from '../../testkit/certificate.ts';
import {
  type RawHttpConnection,
  encodeRequest,
  httpConnection,
  httpRequest,
  neverReadingClient,
} from '../../testkit/raw-http.ts';
import { listen, startServer } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

/** A server that writes given bytes to each connection. */
async function scripted(
  t: TestContext,
  script: (socket: Socket) => void,
): Promise<{ port: number; sockets: AsyncQueue<Socket> }> {
  const sockets = new AsyncQueue<Socket>('a connection');
  const server: Server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    t.after(() => void socket.destroy());
    sockets.push(socket);
    script(socket);
  });
  const port = await listen(server);
  t.after(() => void server.close());
  return { port, sockets };
}

async function answering(t: TestContext, bytes: string): Promise<RawHttpConnection> {
  const { port } = await scripted(t, (socket) => socket.write(bytes));
  return httpConnection(t, port);
}

test('a request gets Host and Content-Length where they are missing', () => {
  const text = (...[request]: Parameters<typeof encodeRequest>): string =>
    encodeRequest(request).toString();
  assert.equal(text({ path: '/a' }), 'GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.equal(text({ path: '/a', version: '1.0' }), 'GET /a HTTP/1.0\r\n\r\n');
  assert.equal(
    text({ method: 'POST', path: '/', headers: [['host', 'x']], body: '€' }),
    'POST / HTTP/1.1\r\nhost: x\r\nContent-Length: 3\r\n\r\n€',
  );
  assert.equal(
    text({ path: '/', headers: [['Transfer-Encoding', 'chunked']], body: '0\r\n\r\n' }),
    'GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  );
});

test('headers keep their order and repetition', async (t) => {
  const bytes = 'HTTP/1.1 200 OK\r\nB: 1\r\nA: 2\r\nb: 3\r\nContent-Length: 0\r\n\r\n';
  const { head } = await (await answering(t, bytes)).response();
  assert.deepEqual(head.headers.slice(0, 3), [
    ['B', '1'],
    ['A', '2'],
    ['b', '3'],
  ]);
  assert.deepEqual(head.all('B'), ['1', '3']);
  assert.equal(head.header('a'), '2');
  assert.equal(head.header('c'), undefined);
  assert.throws(() => head.header('b'), /came 2 times/);
});

test('responses of every framing are read in order', async (t) => {
  const connection = await answering(
    t,
    'HTTP/1.1 100 Continue\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n€' +
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n' +
      'HTTP/1.1 204 No Content\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n' +
      'HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno',
  );
  assert.equal((await connection.response()).status, 100);
  assert.equal((await connection.response()).body, '€');
  assert.equal((await connection.response()).body, 'a0123456789');
  assert.equal((await connection.response()).status, 204);
  assert.equal((await connection.response('HEAD')).body, '');
  const { status, body } = await connection.response();
  assert.deepEqual({ status, body }, { status: 404, body: 'no' });
  assert.equal(connection.raw.available, 0);
});

test('a body without a length lasts until the end of the connection', async (t) => {
  const { port } = await scripted(t, (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it'));
  const { head, body } = await httpRequest(port, { path: '/' });
  assert.equal(body, 'all of it');
  assert.ok(head.closesConnection);
});

test('chunks come as they arrive', async (t) => {
  const { port, sockets } = await scripted(t, () => {});
  const connection = httpConnection(t, port);
  const socket = await sockets.next();
  socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\no');
  assert.ok((await connection.readHead()).isChunked);
  const chunk = connection.nextChunk();
  socket.write('ne\r');
  socket.write('\n4\r\ntail\r\n0\r\n\r\n');
  assert.equal(await chunk, 'one');
  assert.deepEqual(await connection.chunks(), ['tail']);
});

test('a chunk that is longer than its size is an error', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  const connection = await answering(t, `${head}1\r\nab\r\n`);
  await assert.rejects(connection.response(), /longer than its size/);
  await assert.rejects((await answering(t, `${head}x\r\n`)).response(), /Not a chunk size: "x"/);
});

test('a response that is none is an error', async (t) => {
  await assert.rejects((await answering(t, 'HTTQ\r\n\r\n')).readHead(), /Not a status line/);
});

test('a read that waits too long throws an error with what came', async (t) => {
  const connection = await answering(t, 'HTTP/1.1 200 OK\r\nA: b');
  await assert.rejects(connection.response('GET', { timeout: 50 }), {
    name: 'TimeoutError',
    message: /50 ms waiting for a line after "A: b"/,
  });
});

test('a connection that ends too early is an error with what came', async (t) => {
  const { port } = await scripted(t, (socket) => socket.end('HTTP/1.1 200'));
  await assert.rejects(httpRequest(port, { path: '/' }), {
    name: 'ConnectionEndedError',
    message: /before a line came, after "HTTP\/1.1 200"/,
  });
});

test('a connection that is refused is an error with its cause', async (t) => {
  const server = createServer();
  const port = await startServer(t, server);
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(httpRequest(port, { path: '/' }), (error: Error) => {
    assert.match(String(error.cause), /ECONNREFUSED/);
    return true;
  });
});

test('writeSlowly writes in pieces', async (t) => {
  const chunks: string[] = [];
  const { port } = await scripted(t, (socket) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  });
  await httpConnection(t, port).raw.writeSlowly('abcdef', 2, 100);
  await until(() => chunks.join('') === 'abcdef', 'all pieces');
  assert.ok(chunks.length > 1, `${chunks.length} pieces`);
});

test('a client that never reads leaves the response at the server, until it resumes', async (t) => {
  const body = Buffer.alloc(30_000_000, 'x');
  const responses = new AsyncQueue<{ readonly writableLength: number }>('a response');
  const server = createServer((_request, response) => {
    response.end(body);
    responses.push(response);
  });
  const client = neverReadingClient(t, await startServer(t, server), { path: '/' });
  const response = await responses.next();
  await new Promise((resolve) => {
    setTimeout(resolve, 100);
  });
  assert.ok(response.writableLength > 0);
  client.raw.resume();
  assert.equal((await client.response()).body.length, body.length);
});

test('an abort is a reset for the server', async (t) => {
  const { port, sockets } = await scripted(t, () => {});
  const connection = httpConnection(t, port);
  const socket = await sockets.next();
  const error = new Promise((resolve) => {
    socket.once('error', resolve);
  });
  connection.abort();
  assert.match(String(await error), /ECONNRESET/);
});

test('activity waits for bytes or the end, no longer than asked', async (t) => {
  const { port, sockets } = await scripted(t, () => {});
  const { raw } = httpConnection(t, port);
  const socket = await sockets.next();
  assert.equal(await raw.activity(10), false);
  socket.write('x');
  assert.equal(await raw.activity(5000), true);
  assert.equal(raw.takeAvailable().toString(), 'x');
  socket.end();
  assert.equal(await raw.activity(5000), true);
  assert.ok(raw.isEnded);
});

test('HTTPS is spoken with a certificate made for the test', async (t) => {
  const certificate = selfSignedCertificate();
  const server = createSecureServer(certificate, (_request, response) => response.end('secret'));
  const port = await startServer(t, server);
  const target = { port, tls: { ca: [certificate.cert] } };
  assert.equal((await httpRequest(target, { path: '/' })).body, 'secret');
  const stranger = { port, tls: { ca: [selfSignedCertificate().cert] } };
  await assert.rejects(httpRequest(stranger, { path: '/' }));
});

test('a connection from a chosen local address', async (t) => {
  const server = createServer(({ socket }, response) => response.end(socket.remoteAddress));
  const target = { port: await startServer(t, server), localAddress: '127.0.0.2' };
  assert.equal((await httpRequest(target, { path: '/' })).body, '127.0.0.2');
});

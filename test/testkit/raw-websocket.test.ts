import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { httpConnection } from '../../testkit/raw-http.ts';
import {
  HANDSHAKE_ACCEPT,
  HandshakeError,
  RawWebSocket,
  handshakeHeaders,
  openWebSocket,
  upgradeRequest,
} from '../../testkit/raw-websocket.ts';
import { startServer } from '../../testkit/server.ts';
import { OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';

/** A client, and the server's end of it in `ws`. */
async function connect(
  t: TestContext,
  options?: Parameters<typeof openWebSocket>[3],
): Promise<{ client: RawWebSocket; server: WebSocket; received: AsyncQueue<string> }> {
  const http = createServer();
  const accepted = new AsyncQueue<WebSocket>('a connection');
  const received = new AsyncQueue<string>('a message at the server');
  new WebSocketServer({ server: http }).on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data: Buffer, isBinary) => {
      received.push(isBinary ? data.toString('hex') : data.toString());
    });
    socket.on('ping', (data) => received.push(`ping ${data.toString()}`));
    socket.on('pong', (data) => received.push(`pong ${data.toString()}`));
    socket.on('close', (code, reason) => received.push(`close ${code} ${reason.toString()}`));
    accepted.push(socket);
  });
  const port = await startServer(t, http);
  const client = await openWebSocket(t, port, '/', options);
  return { client, server: await accepted.next(), received };
}

test('the handshake of RFC 6455, 1.3, has its documented value', () => {
  assert.equal(HANDSHAKE_ACCEPT, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

test('messages go both ways, text and binary', async (t) => {
  const { client, server, received } = await connect(t);
  client.send('Grüße').send(Buffer.from([0, 255]));
  assert.deepEqual(await received.take(2), ['Grüße', '00ff']);
  server.send('back');
  server.send(Buffer.from([1]));
  assert.equal(await client.nextText(), 'back');
  assert.deepEqual(await client.next(), Buffer.from([1]));
  server.send('x'.repeat(70_000));
  assert.equal((await client.nextText()).length, 70_000);
});

test('fragments of either side are one message', async (t) => {
  const { client, server, received } = await connect(t);
  client.sendFragments('a', 'b', 'c');
  assert.equal(await received.next(), 'abc');
  server.send('a', { fin: false });
  server.ping();
  server.send('b', { fin: true });
  assert.equal(await client.next(), 'ab');
  const frames = await client.frames.take(3);
  assert.deepEqual(
    frames.map(({ opcode, fin }) => ({ opcode, fin })),
    [
      { opcode: OPCODE.text, fin: false },
      { opcode: OPCODE.ping, fin: true },
      { opcode: OPCODE.continuation, fin: true },
    ],
  );
});

test('a ping is answered, unless the test wants to do it', async (t) => {
  const polite = await connect(t);
  polite.server.ping('one');
  assert.equal(await polite.received.next(), 'pong one');
  assert.equal(String(await polite.client.pings.next()), 'one');
  const silent = await connect(t, { autoPong: false });
  silent.server.ping('two');
  assert.equal(String(await silent.client.pings.next()), 'two');
  silent.client.pong('by hand').ping('mine');
  assert.deepEqual(await silent.received.take(2), ['pong by hand', 'ping mine']);
  assert.equal(String(await silent.client.pongs.next()), 'mine');
});

test('a close by the client carries code and reason', async (t) => {
  const { client, received } = await connect(t);
  client.close(4000, 'enough');
  assert.equal(await received.next(), 'close 4000 enough');
  assert.equal((await client.closed()).code, 4000);
});

test('a close by the server is answered, and ends the connection', async (t) => {
  const { client, server, received } = await connect(t);
  server.send('last');
  server.close(3001, 'over');
  assert.deepEqual(await client.closed(), { code: 3001, reason: 'over' });
  assert.equal(await received.next(), 'close 3001 ');
  assert.equal(await client.next(), 'last');
  await assert.rejects(client.next(), /has closed: 3001 over/);
});

test('without autoClose the client stays', async (t) => {
  const { client, server } = await connect(t, { autoClose: false });
  server.close(3001);
  assert.equal((await client.frames.next()).opcode, OPCODE.close);
  assert.equal(client.raw.isClosed, false);
  assert.equal(server.readyState, server.CLOSING);
});

test('a connection that breaks off is 1006', async (t) => {
  const { client, server } = await connect(t);
  server.terminate();
  assert.equal((await client.closed()).code, 1006);
});

test('a server that breaks RFC 6455 is an error', async (t) => {
  const server = createServer().on('upgrade', (_request, socket) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${HANDSHAKE_ACCEPT}\r\n\r\n`,
    );
    socket.end(encodeFrame(OPCODE.text, 'masked'));
  });
  const client = await openWebSocket(t, await startServer(t, server), '/');
  await assert.rejects(client.closed(), /a frame of a server is masked/);
  await assert.rejects(client.next(), /a frame of a server is masked/);
});

test('a refused handshake is an error with its response', async (t) => {
  const server = createServer().on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  });
  const port = await startServer(t, server);
  await assert.rejects(RawWebSocket.open(port, '/'), (error) => {
    assert.ok(error instanceof HandshakeError);
    assert.deepEqual({ status: error.status, body: error.body }, { status: 403, body: 'no' });
    return true;
  });
});

test('a handshake can be changed', async (t) => {
  const server = createServer().on('upgrade', (request, socket) => {
    const version = String(request.headers['sec-websocket-version']);
    socket.end(`HTTP/1.1 400 Bad Request\r\nContent-Length: ${version.length}\r\n\r\n${version}`);
  });
  const connection = httpConnection(t, await startServer(t, server));
  const headers = handshakeHeaders({
    'Sec-WebSocket-Version': '7',
    'Sec-WebSocket-Key': undefined,
  });
  assert.equal(headers.length, 3);
  assert.equal((await connection.request({ path: '/', headers })).body, '7');
});

test('an upgrade request has the headers of a handshake before the given ones', () => {
  const { headers = [] } = upgradeRequest('/x', { headers: [['Origin', 'http://a.example']] });
  assert.equal(headers[0]?.[0], 'Connection');
  assert.deepEqual(headers.at(-1), ['Origin', 'http://a.example']);
});

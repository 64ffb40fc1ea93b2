/** Connections that are not sockets: streams that the application passes to its server, and Unix domain sockets. */
import assert from 'node:assert/strict';
import { type Server, createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { NodeExchange } from '../../../src/hosts/node/node-exchange.ts';
import type { SockJSSettings } from '../../../src/index.ts';
import { selfSignedCertificate } from '../../../testkit/certificate.ts';
import { temporaryDirectory } from '../../../testkit/process.ts';
import { httpConnection, httpRequest } from '../../../testkit/raw-http.ts';
import { RawWebSocket, UPGRADE_HEADERS } from '../../../testkit/raw-websocket.ts';
import { createRouter } from '../../../testkit/server.ts';
import { Receiver } from '../../../testkit/sockjs-http.ts';
import { HTTP_TRANSPORTS, newSession } from '../../../testkit/transports.ts';
import { until } from '../../../testkit/until.ts';

/** One end of a connection in memory, without the methods, counters and addresses of a socket. */
class StreamEnd extends Duplex {
  #other: StreamEnd | undefined;
  #onTaken: (() => void) | undefined;

  static pair(): readonly [StreamEnd, StreamEnd] {
    const one = new StreamEnd();
    const other = new StreamEnd();
    one.#other = other;
    other.#other = one;
    return [one, other];
  }

  override _read(): void {
    const other = this.#other;
    const onTaken = other === undefined ? undefined : other.#onTaken;
    if (other !== undefined) other.#onTaken = undefined;
    onTaken?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const other = this.#other;
    if (other === undefined || other.destroyed || other.push(Buffer.from(chunk))) done();
    else this.#onTaken = done;
  }

  override _final(done: () => void): void {
    this.#other?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    setImmediate(() => this.#other?.destroy());
    done(error);
  }
}

/** Connects to a server through a pair of streams. */
function connectStream(t: TestContext, server: Server): Duplex {
  const [client, connection] = StreamEnd.pair();
  t.after(() => {
    client.destroy();
    connection.destroy();
  });
  server.emit('connection', connection);
  return client;
}

function attach(t: TestContext, settings: SockJSSettings): Server {
  const server = createServer((_request, response) => response.end('own'));
  createRouter(t, settings).attach(server);
  return server;
}

for (const disableNagle of [true, false]) {
  test(`with disableNagle ${disableNagle}, a WebSocket on a stream echoes, closes and is refused`, async (t) => {
    const server = attach(t, { disableNagle });
    const socket = await RawWebSocket.open(connectStream(t, server), '/echo/websocket');
    socket.send('hello');
    assert.equal(await socket.next(), 'hello');
    socket.send(Buffer.alloc(100_000, 'x'));
    assert.equal((await socket.next()).length, 100_000);
    socket.close(1000, 'bye');
    assert.deepEqual(await socket.closed(), { code: 1000, reason: 'bye' });
    const refused = httpConnection(t, connectStream(t, server));
    const path = '/echo/nothing/websocket';
    assert.equal((await refused.request({ path, headers: UPGRADE_HEADERS })).status, 404);
    await refused.readToEnd();
  });

  test(`with disableNagle ${disableNagle}, requests on a stream get their responses`, async (t) => {
    const server = attach(t, { disableNagle });
    const connection = httpConnection(t, connectStream(t, server));
    for (const path of ['/echo', '/echo/info', '/echo/nothing', '/other']) {
      const { status } = await connection.request({ path });
      assert.equal(status, path === '/echo/nothing' ? 404 : 200);
    }
    for (const transport of HTTP_TRANSPORTS) {
      const receiver = new Receiver(connectStream(t, server), newSession(), transport);
      assert.equal(await receiver.frame(), 'o');
    }
  });
}

test('an upgrade on a stream that is not handled is served as a plain request', async (t) => {
  const server = attach(t, {});
  const connection = httpConnection(t, connectStream(t, server));
  for (const path of ['/a', '/b']) {
    assert.equal((await connection.request({ path, headers: UPGRADE_HEADERS })).body, 'own');
  }
});

test('a WebSocket on a stream whose client responds to pings stays open, and a silent one is closed', async (t) => {
  const server = attach(t, { heartbeatDelay: 20, pingTimeout: 40, sessionCheckInterval: 10 });
  const alive = await RawWebSocket.open(connectStream(t, server), '/echo/websocket');
  const path = '/echo/websocket';
  const silent = await RawWebSocket.open(connectStream(t, server), path, { autoPong: false });
  assert.equal((await silent.closed()).code, 1006);
  await delay(200);
  alive.send('still here');
  assert.equal(await alive.next(), 'still here');
});

test('a client on a stream that never reads is closed after writeTimeout', async (t) => {
  const server = createServer();
  const router = createRouter(t, { writeTimeout: 100, disconnectDelay: 100 });
  router.attach(server);
  const client = connectStream(t, server);
  const socket = await RawWebSocket.open(client, '/echo/websocket');
  socket.pause();
  await until(() => [...router.connections].length === 1, 'the connection');
  const [connection] = router.connections;
  connection?.send('x'.repeat(100_000));
  connection?.send('x'.repeat(100_000));
  await until(() => connection?.isClosed, 'the close');
  socket.abort();
});

test('over TLS, a stream carries WebSockets and requests', async (t) => {
  const certificate = selfSignedCertificate();
  const server = createSecureServer(certificate);
  createRouter(t, { disableNagle: false, jsessionid: true }).attach(server);
  for (const isWebSocket of [true, false]) {
    const socket = connectStream(t, server);
    const tls = connect({ socket, ca: certificate.cert, host: '127.0.0.1' });
    t.after(() => void tls.destroy());
    if (isWebSocket) {
      const webSocket = await RawWebSocket.open(tls, '/echo/websocket');
      webSocket.send('hello');
      assert.equal(await webSocket.next(), 'hello');
    } else {
      const request = { method: 'POST', path: `${newSession()}/xhr` };
      const { head, body } = await httpConnection(t, tls).request(request);
      assert.equal(body, 'o\n');
      assert.match(head.header('Set-Cookie') ?? '', /; Secure;/);
    }
  }
});

test('a connection counts as encrypted only if its socket has encrypted: true', () => {
  for (const [socket, encrypted] of [
    [{ encrypted: true }, true],
    [{ encrypted: false }, false],
    [{}, false],
  ] as const) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the part of a request that is read
    const request = { socket } as never;
    const target = { path: '', query: '' };
    const limits = { writeTimeout: 1000, sendTimeLimit: 1000 };
    const exchange = new NodeExchange(request, undefined, target, limits, { type: 'none' });
    assert.equal(exchange.encrypted, encrypted);
  }
});

test('a server on a Unix domain socket serves WebSockets and requests', async (t) => {
  const server = attach(t, { disableNagle: false });
  const path = join(await temporaryDirectory(t), 'server.sock');
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  t.after(() => void server.close());
  const socket = await RawWebSocket.open(createConnection(path), '/echo/websocket');
  socket.send('hello');
  assert.equal(await socket.next(), 'hello');
  socket.raw.close();
  const client = createConnection(path);
  assert.equal((await httpRequest(client, { path: '/echo/info' })).status, 200);
  client.destroy();
});

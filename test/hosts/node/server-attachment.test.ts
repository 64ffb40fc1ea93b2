/** What is left on a server and on its connections by those that wanted an upgrade, and by a router that was there. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type TLSSocket, connect as connectSecurely } from 'node:tls';
import { SockJSConnection, SockJSRouter } from '../../../src/index.ts';
import { RawHttpConnection, encodeRequest } from '../../../testkit/raw-http.ts';
import { listen, stop } from '../../../testkit/server.ts';
import { selfSignedCertificate } from '../../../testkit/certificate.ts';

const H2C = [
  ['Connection', 'Upgrade, HTTP2-Settings'],
  ['Upgrade', 'h2c'],
  ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
] as const;

const TO_WEB_SOCKET = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
] as const;

/** More than the ten listeners of which Node warns. */
const MANY = 15;

function attached(server: Server): SockJSRouter {
  return new SockJSRouter(SockJSConnection, '/echo', { logger: false }).attach(server);
}

async function started(t: TestContext, server: Server): Promise<number> {
  t.after(() => stop(server));
  return listen(server);
}

function listenersOf(socket: Socket): Record<string, number> {
  return Object.fromEntries(
    socket.eventNames().map((name) => [String(name), socket.listenerCount(name)]),
  );
}

for (const { what, headers } of [
  { what: 'to HTTP/2', headers: H2C },
  { what: 'to a WebSocket that nobody serves', headers: TO_WEB_SOCKET },
]) {
  test(`many upgrades ${what} leave no listeners on their connection`, async (t) => {
    const server = createServer((_incoming, response) => response.end('own'));
    attached(server);
    const port = await started(t, server);
    const accepted = once(server, 'connection');
    const connection = new RawHttpConnection(port);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what Node documents for this event
    const [socket] = (await accepted) as [Socket];
    assert.equal((await connection.request({ path: '/plain' })).body, 'own');
    const before = listenersOf(socket);
    for (let count = 0; count < MANY; count++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other, on one connection
      assert.equal((await connection.request({ path: '/other', headers })).body, 'own');
    }
    assert.deepEqual(listenersOf(socket), before);
    assert.ok(socket.listenerCount('error') > 0, 'a reset must not end the process');
    connection.close();
  });
}

test('a connection that wanted upgrades is new to the application once', async (t) => {
  const server = createServer((_incoming, response) => response.end('own'));
  attached(server);
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  const port = await started(t, server);
  const connection = new RawHttpConnection(port);
  for (const path of ['/a', '/b', '/c']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other, on one connection
    assert.equal((await connection.request({ path, headers: H2C })).body, 'own');
  }
  assert.equal(connections, 1);
  connection.close();
});

test('over TLS, too, an upgrade that nobody gives is answered as a plain request', async (t) => {
  const certified = selfSignedCertificate();
  const server = createSecureServer(certified, (incoming, response) => {
    response.end(`own ${incoming.url}`);
  });
  attached(server);
  const port = await started(t, server);
  const socket: TLSSocket = connectSecurely({ port, host: '127.0.0.1', ca: certified.cert });
  for (const path of ['/a', '/b', '/c']) {
    socket.write(encodeRequest({ path, headers: H2C }));
    // oxlint-disable-next-line no-await-in-loop -- one after the other, on one connection
    const data: unknown[] = await once(socket, 'data', { signal: AbortSignal.timeout(10_000) });
    assert.match(String(data[0]), new RegExp(`^HTTP/1.1 200 [^]*own ${path}$`));
  }
  socket.destroy();
});

test('a head of which Node may have forgotten a part is not parsed once more', async (t) => {
  const seen: (string | undefined)[] = [];
  const server = createServer((incoming, response) => {
    seen.push(incoming.url);
    incoming.resume();
    response.end('own');
  });
  server.maxHeadersCount = 50;
  attached(server);
  const connection = new RawHttpConnection(await started(t, server));
  // If the last header is lost, the body is taken for a request.
  const many = Array.from({ length: 100 }, () => ['A', 'b'] as const);
  const body = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
  connection.send({ method: 'POST', path: '/outer', headers: [...H2C, ...many], body });
  await connection.readToEnd();
  assert.deepEqual(seen, []);
});

test('a router that left a server whose emit was covered meanwhile gives no upgrade away', async (t) => {
  const server = createServer((_incoming, response) => response.end('plain'));
  const router = attached(server);
  // oxlint-disable-next-line typescript/unbound-method -- the Proxy passes `this` on
  server.emit = new Proxy(server.emit, {});
  router.detach(server);
  server.on('upgrade', (_incoming, socket) => {
    socket.end('HTTP/1.1 426 Own\r\nContent-Length: 0\r\n\r\n');
  });
  const connection = new RawHttpConnection(await started(t, server));
  const { status } = await connection.request({ path: '/ws', headers: TO_WEB_SOCKET });
  assert.equal(status, 426);
  connection.close();
});

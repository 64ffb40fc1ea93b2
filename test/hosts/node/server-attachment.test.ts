/** Upgrades that no router handles, and the state of a server and its connections after them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { SockJSConnection, SockJSRouter } from '../../../src/index.ts';
import { httpConnection } from '../../../testkit/raw-http.ts';
import { UPGRADE_HEADERS } from '../../../testkit/raw-websocket.ts';
import { startServer } from '../../../testkit/server.ts';
import { selfSignedCertificate } from '../../../testkit/certificate.ts';

const H2C = [
  ['Connection', 'Upgrade, HTTP2-Settings'],
  ['Upgrade', 'h2c'],
  ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
] as const;

/** More than the 10 listeners of one event after which Node warns. */
const MANY_REQUESTS = 15;

function attachRouter(server: Server): SockJSRouter {
  return new SockJSRouter(SockJSConnection, '/echo', { logger: false }).attach(server);
}

function countListeners(socket: Socket): Record<string, number> {
  return Object.fromEntries(
    socket.eventNames().map((name) => [String(name), socket.listenerCount(name)]),
  );
}

for (const { target, headers } of [
  { target: 'to HTTP/2', headers: H2C },
  { target: 'to a WebSocket at another path', headers: UPGRADE_HEADERS },
]) {
  test(`upgrades ${target} that are not handled leave no listeners on their connection`, async (t) => {
    const server = createServer((_incoming, response) => response.end('own'));
    attachRouter(server);
    const port = await startServer(t, server);
    const accepted = once(server, 'connection');
    const connection = httpConnection(t, port);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the argument that Node documents for this event
    const [socket] = (await accepted) as [Socket];
    assert.equal((await connection.request({ path: '/plain' })).body, 'own');
    const before = countListeners(socket);
    for (let count = 0; count < MANY_REQUESTS; count++) {
      assert.equal((await connection.request({ path: '/other', headers })).body, 'own');
    }
    assert.deepEqual(countListeners(socket), before);
    assert.ok(socket.listenerCount('error') > 0, 'a reset must not end the process');
  });
}

test('the application gets one connection event for a connection with several upgrades', async (t) => {
  const server = createServer((_incoming, response) => response.end('own'));
  attachRouter(server);
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  const port = await startServer(t, server);
  const connection = httpConnection(t, port);
  for (const path of ['/a', '/b', '/c']) {
    assert.equal((await connection.request({ path, headers: H2C })).body, 'own');
  }
  assert.equal(connections, 1);
});

test('over TLS, an upgrade that is not handled is served as a plain request', async (t) => {
  const certificate = selfSignedCertificate();
  const server = createSecureServer(certificate, (incoming, response) => {
    response.end(`own ${incoming.url}`);
  });
  attachRouter(server);
  const port = await startServer(t, server);
  const connection = httpConnection(t, { port, tls: { ca: certificate.cert } });
  for (const path of ['/a', '/b', '/c']) {
    const { status, body } = await connection.request({ path, headers: H2C });
    assert.deepEqual({ status, body }, { status: 200, body: `own ${path}` });
  }
});

test('a request of which Node may have dropped headers is not parsed again', async (t) => {
  const urls: (string | undefined)[] = [];
  const server = createServer((incoming, response) => {
    urls.push(incoming.url);
    incoming.resume();
    response.end('own');
  });
  server.maxHeadersCount = 50;
  attachRouter(server);
  const connection = httpConnection(t, await startServer(t, server));
  // Without the last header, Content-Length, the body would be parsed as a request.
  const many = Array.from({ length: 100 }, () => ['A', 'b'] as const);
  const body = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
  connection.send({ method: 'POST', path: '/outer', headers: [...H2C, ...many], body });
  await connection.readToEnd();
  assert.deepEqual(urls, []);
});

test('a detached router leaves upgrades to the application where emit was replaced after it', async (t) => {
  const server = createServer((_incoming, response) => response.end('plain'));
  const router = attachRouter(server);
  // oxlint-disable-next-line typescript/unbound-method -- the Proxy passes `this` on
  server.emit = new Proxy(server.emit, {});
  router.detach(server);
  server.on('upgrade', (_incoming, socket) => {
    socket.end('HTTP/1.1 426 Own\r\nContent-Length: 0\r\n\r\n');
  });
  const connection = httpConnection(t, await startServer(t, server));
  const { status } = await connection.request({ path: '/ws', headers: UPGRADE_HEADERS });
  assert.equal(status, 426);
});

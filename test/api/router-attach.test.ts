/** Arguments and order of `attach` and `listen`. test/client/shared-servers.test.ts covers requests of a shared server. */
import assert from 'node:assert/strict';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { Server, createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import connect from 'connect';
import express from 'express';
import Koa from 'koa';
import { WebSocketServer } from 'ws';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { Echo, createRouter, listen, startServer, stop } from '../../testkit/server.ts';

const server = createServer();

class Nest {
  getHttpServer(): unknown {
    return server;
  }
}

class Throwing {
  get server(): never {
    throw new Error('not initialized');
  }
}

const WRONG_ARGUMENTS: readonly (readonly [title: string, value: unknown, advice: RegExp])[] = [
  ['an Express application', express(), /router\.attach\(server\)/],
  ['a Connect application', connect(), /const server = createServer\(app\)/],
  ['a request listener', () => {}, /createServer\(app\)/],
  ['a Koa application', new Koa(), /instance of Application.*createServer\(app\.callback\(\)\)/],
  ['an object with its server, such as Fastify', { server, register: () => {} }, /app\.server/],
  ['an object with its httpServer, such as socket.io', { httpServer: server }, /app\.httpServer/],
  ['an object with its listener, such as hapi', { listener: server }, /app\.listener/],
  ['a Nest application', new Nest(), /app\.getHttpServer\(\)/],
  ['a WebSocketServer', new WebSocketServer({ noServer: true }), /instance of WebSocketServer/],
  ['a net.Server', createTcpServer(), /does not parse HTTP.*node:http/],
  ['a tls.Server', createTlsServer(), /does not parse HTTP.*node:https/],
  ['an object with an HTTP/2 server', { server: createHttp2Server() }, /app\.server/],
  ['another router', new SockJSRouter(SockJSConnection, '/other'), /Attach each of them/],
  ['a promise of a server', Promise.resolve(server), /Await/],
  ['undefined', undefined, /not undefined\. Create the server before/],
  ['null', null, /not null/],
  ['a port', 9999, /not 9999.*router\.listen\(port\)/],
  ['a URL', 'http://localhost:9999', /a string.*router\.listen\(port\)/],
  ['an object without a prototype', Object.create(null), /an object/],
  ['an object whose getter throws', new Throwing(), /instance of Throwing/],
];

for (const [title, value, advice] of WRONG_ARGUMENTS) {
  test(`attach of ${title} throws an error that names the remedy`, () => {
    const router = new SockJSRouter(Echo, '/echo');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a mistake in JavaScript
    assert.throws(() => router.attach(value as never), { code: 'ERR_ARGUMENT', message: advice });
  });
}

test('attach of a cluster worker names the worker process', async () => {
  cluster.setupPrimary({ exec: join(import.meta.dirname, 'idle-worker.ts') });
  const worker = cluster.fork();
  try {
    const router = new SockJSRouter(Echo, '/echo');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a mistake in JavaScript
    const call = () => router.attach(worker as never);
    assert.throws(call, { code: 'ERR_ARGUMENT', message: /in the worker/ });
  } finally {
    worker.kill('SIGKILL');
    await once(worker, 'exit');
  }
});

for (const [title, wrapped] of [
  ['an https.Server', createHttpsServer()],
  ['a Proxy of a server', new Proxy(createServer(), {})],
  ['a server of a subclass', new (class extends Server {})()],
] as const) {
  test(`attach accepts ${title}`, () => {
    const router = new SockJSRouter(Echo, '/echo');
    router.attach(wrapped).detach(wrapped);
  });
}

test('attach and listen after close throw', async () => {
  const router = new SockJSRouter(Echo, '/echo');
  const closed = router.close();
  assert.throws(() => router.attach(createServer()), { code: 'ERR_CLOSED' });
  await closed;
  assert.throws(() => router.attach(createServer()), { code: 'ERR_CLOSED', message: /create/ });
  assert.throws(() => router.listen(0), { code: 'ERR_CLOSED' });
  router.detach(server);
});

test('a server that was closed can be attached, and serves once it listens again', async (t) => {
  const own = createServer();
  await listen(own);
  await stop(own);
  createRouter(t).attach(own);
  const port = await startServer(t, own);
  assert.equal((await httpRequest(port, { path: '/echo' })).status, 200);
});

/** Upgrades of a shared server: each is handled by its owner, or refused, whatever other code does with listeners. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { cpSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, Server, createServer } from 'node:http';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { attach as attachEngine } from 'engine.io';
import { WebSocketServer } from 'ws';
import * as library from '../../../src/index.ts';
import { RecordingLogger } from '../../../testkit/logger.ts';
import { temporaryDirectory } from '../../../testkit/process.ts';
import { httpConnection, httpRequest } from '../../../testkit/raw-http.ts';
import { UPGRADE_HEADERS, openWebSocket } from '../../../testkit/raw-websocket.ts';
import { createRouter, startServer } from '../../../testkit/server.ts';
import { assertServes, poll, postBody } from '../../../testkit/sockjs-http.ts';
import { newSession } from '../../../testkit/transports.ts';
import { until } from '../../../testkit/until.ts';

const OWN = (_request: IncomingMessage, socket: Duplex): void => {
  socket.end('HTTP/1.1 426 Own\r\nContent-Length: 0\r\n\r\n');
};

const H2C = [
  ['Connection', 'Upgrade, HTTP2-Settings'],
  ['Upgrade', 'h2c'],
  ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
] as const;

function createOwnServer(): Server {
  return createServer((request, response) => response.end(`own ${request.url}`));
}

/** Sends an upgrade. @returns the status of its response */
async function upgrade(t: TestContext, port: number, path: string): Promise<number> {
  const connection = httpConnection(t, port);
  return (await connection.request({ path, headers: UPGRADE_HEADERS })).status;
}

async function assertEchoes(t: TestContext, port: number, prefix = '/echo'): Promise<void> {
  const socket = await openWebSocket(t, port, `${prefix}/websocket`);
  socket.send('hello');
  assert.equal(await socket.next(), 'hello');
}

for (const [title, remove] of [
  ["removeAllListeners('upgrade')", (server: Server) => server.removeAllListeners('upgrade')],
  ['removeAllListeners()', (server: Server) => server.removeAllListeners()],
] as const) {
  test(`after ${title} the router and later listeners get their upgrades`, async (t) => {
    const server = createServer();
    const port = await startServer(t, server);
    const connectionListeners = server.listeners('connection');
    createRouter(t).attach(server);
    remove(server);
    if (server.listenerCount('connection') === 0) {
      for (const listener of connectionListeners)
        server.on('connection', listener as (socket: Duplex) => void);
    }
    await assertEchoes(t, port);
    server.on('request', (_request, response) => response.end('plain'));
    assert.equal(await upgrade(t, port, '/own'), 200, 'without a listener it is a plain request');
    server.on('upgrade', OWN);
    assert.equal(await upgrade(t, port, '/own'), 426);
    await assertEchoes(t, port);
  });
}

test('attach adds no listener that other code could wrap', (t) => {
  const server = createOwnServer();
  const router = createRouter(t).attach(server);
  assert.deepEqual(server.listeners('upgrade'), []);
  router.detach(server);
  assert.equal(server.listenerCount('upgrade'), 0);
});

for (const order of ['before', 'after'] as const) {
  test(`where on() wraps listeners ${order} attach, each upgrade has its owner`, async (t) => {
    const server = createOwnServer();
    const wrapOn = (): void => {
      const on = server.on.bind(server);
      Reflect.set(server, 'on', (name: string, listener: (...args: unknown[]) => void) =>
        on(name, (...args: unknown[]) => listener(...args)),
      );
    };
    if (order === 'before') wrapOn();
    createRouter(t).attach(server);
    if (order === 'after') wrapOn();
    const port = await startServer(t, server);
    assert.equal(await upgrade(t, port, '/own'), 200);
    server.on('upgrade', OWN);
    assert.equal(await upgrade(t, port, '/own'), 426);
    await assertEchoes(t, port);
  });

  test(`where emit is wrapped ${order} attach by code that returns nothing, each upgrade has its owner`, async (t) => {
    const server = createOwnServer();
    const wrapEmit = (): void => {
      const emit = server.emit.bind(server);
      Reflect.set(server, 'emit', (...args: [string]) => {
        emit(...args);
      });
    };
    if (order === 'before') wrapEmit();
    createRouter(t).attach(server);
    if (order === 'after') wrapEmit();
    const port = await startServer(t, server);
    await assertServes(port);
    await assertEchoes(t, port);
    assert.equal((await httpRequest(port, { path: '/own' })).body, 'own /own');
    assert.equal(await upgrade(t, port, '/own'), 200);
    server.on('upgrade', OWN);
    assert.equal(await upgrade(t, port, '/own'), 426);
  });

  test(`WebSockets of the application by noServer work with a listener added ${order} attach`, async (t) => {
    const server = createOwnServer();
    const sockets = new WebSocketServer({ noServer: true });
    sockets.on('connection', (socket) => socket.send('from ws'));
    const listen = (): void => {
      server.on('upgrade', (request, socket, head) => {
        if (request.url !== '/ws') socket.destroy();
        // Decides after a while, as a lookup in a database does.
        else setTimeout(() => sockets.handleUpgrade(request, socket, head, emitConnection), 50);
      });
    };
    const emitConnection = (socket: unknown): void => void sockets.emit('connection', socket);
    if (order === 'before') listen();
    createRouter(t).attach(server);
    if (order === 'after') listen();
    const port = await startServer(t, server);
    const socket = await openWebSocket(t, port, '/ws');
    assert.equal(await socket.next(), 'from ws');
    await assertEchoes(t, port);
  });

  test(`engine.io attached ${order} the router keeps its requests and WebSockets`, async (t) => {
    const server = createOwnServer();
    const addEngine = (): void => {
      const engine = attachEngine(server, {});
      t.after(() => void engine.close());
    };
    if (order === 'before') addEngine();
    createRouter(t).attach(server);
    if (order === 'after') addEngine();
    const port = await startServer(t, server);
    const poll0 = await httpRequest(port, { path: '/engine.io/?EIO=4&transport=polling' });
    assert.match(poll0.body, /"upgrades":\["websocket"\]/);
    const socket = await openWebSocket(t, port, '/engine.io/?EIO=4&transport=websocket');
    assert.match(await socket.nextText(), /^0\{"sid"/);
    await assertEchoes(t, port);
    await assertServes(port);
    assert.equal((await httpRequest(port, { path: '/own' })).body, 'own /own');
  });
}

// Another copy of this package, for example a dependency of a dependency.

async function importCopy(t: TestContext): Promise<typeof library> {
  const directory = await temporaryDirectory(t);
  cpSync('src', join(directory, 'src'), { recursive: true });
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  const url = pathToFileURL(join(directory, 'src', 'index.ts')).href;
  return (await import(url)) as typeof library;
}

for (const hasListeners of [false, true]) {
  test(`two copies of the package share a server ${hasListeners ? 'with' : 'without'} listeners`, async (t) => {
    const copy = await importCopy(t);
    assert.notEqual(copy.SockJSRouter, library.SockJSRouter);
    class Echo extends copy.SockJSConnection {
      override onMessage(message: string): void {
        this.send(message);
      }
    }
    const server = hasListeners ? createOwnServer() : createServer();
    if (hasListeners) server.on('upgrade', OWN);
    const first = createRouter(t, {}, undefined, { prefix: '/first' }).attach(server);
    const second = new copy.SockJSRouter(Echo, '/second', { logger: false }).attach(server);
    const port = await startServer(t, server);
    const assertForeign = async (): Promise<void> => {
      assert.equal((await httpRequest(port, { path: '/own' })).status, hasListeners ? 200 : 404);
      assert.equal(await upgrade(t, port, '/own'), hasListeners ? 426 : 404);
    };
    for (const prefix of ['/first', '/second']) {
      await assertEchoes(t, port, prefix);
      assert.equal(await poll(port, newSession(prefix)), 'o');
    }
    await assertForeign();
    first.detach(server); // The first one is below the second one.
    await assertEchoes(t, port, '/second');
    assert.equal(await upgrade(t, port, '/first/websocket'), hasListeners ? 426 : 404);
    await assertForeign();
    first.attach(server);
    second.detach(server);
    await assertEchoes(t, port, '/first');
    await assertForeign();
    await second.close();
  });
}

test('an upgrade that a listener ignores is refused after 3 s and logged, one that it uses is not', async (t) => {
  const logger = new RecordingLogger();
  const server = createOwnServer();
  createRouter(t, {}, undefined, { logger }).attach(server);
  server.on('upgrade', (request, socket) => {
    if (request.url === '/ignored') return;
    socket.on('error', () => {});
    setTimeout(() => OWN(request, socket), 3500);
  });
  const port = await startServer(t, server);
  const start = performance.now();
  const used = upgrade(t, port, '/used');
  const ignored = await Promise.all(['a', 'b'].map(() => upgrade(t, port, '/ignored')));
  assert.deepEqual(ignored, [404, 404]);
  assert.ok(performance.now() - start > 2500);
  await assertEchoes(t, port);
  assert.equal(await used, 426);
  const [warning, ...others] = logger.take().filter(({ level }) => level === 'warn');
  assert.match(warning?.line ?? '', /'upgrade' listener/);
  assert.deepEqual(others, []);
});

for (const [title, request] of [
  ['an upgrade to HTTP/2', { path: '/echo/info', headers: H2C }],
  [
    'a POST with an upgrade to HTTP/2',
    { method: 'POST', path: `${newSession()}/xhr`, headers: H2C },
  ],
  [
    'a POST with an upgrade to WebSocket',
    { method: 'POST', path: `${newSession()}/xhr`, headers: UPGRADE_HEADERS },
  ],
] as const) {
  for (const hasListener of [false, true]) {
    test(`${title} below the prefix is served as a plain request ${hasListener ? 'beside' : 'without'} an upgrade listener`, async (t) => {
      const server = createOwnServer();
      if (hasListener) server.on('upgrade', OWN);
      createRouter(t).attach(server);
      const connection = httpConnection(t, await startServer(t, server));
      assert.equal((await connection.request(request)).status, 200);
      assert.equal((await connection.request({ path: '/echo' })).status, 200);
      const foreign = await connection.request({ path: '/own', headers: H2C });
      assert.equal(foreign.status, hasListener ? 426 : 200);
    });
  }
}

test('a message with an upgrade to HTTP/2 arrives', async (t) => {
  const server = createOwnServer();
  server.on('upgrade', OWN);
  createRouter(t).attach(server);
  const port = await startServer(t, server);
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  assert.equal((await postBody(port, session, '["hello"]', { headers: H2C })).status, 204);
  assert.equal(await poll(port, session), 'a["hello"]');
});

test('a shouldUpgradeCallback of the application does not reject WebSockets of the router', async (t) => {
  const options = { shouldUpgradeCallback: ({ url }: IncomingMessage) => url === '/ws' };
  const server = createServer(options, (request, response) => response.end(`own ${request.url}`));
  server.on('upgrade', OWN);
  const router = createRouter(t).attach(server);
  const port = await startServer(t, server);
  await assertEchoes(t, port);
  assert.equal(await upgrade(t, port, '/ws'), 426);
  assert.equal(await upgrade(t, port, '/other'), 200);
  router.detach(server);
  assert.equal(await upgrade(t, port, '/echo/websocket'), 200);
});

test('the diagnostics channels of Node have the requests of the router', async (t) => {
  const server = createOwnServer();
  createRouter(t).attach(server);
  const port = await startServer(t, server);
  const names: string[] = [];
  for (const name of ['http.server.request.start', 'http.server.response.finish']) {
    const onMessage = (message: unknown): void => {
      const request: unknown = Reflect.get(message as object, 'request');
      if (Reflect.get(request as object, 'url') === '/echo/info') names.push(name);
    };
    subscribe(name, onMessage);
    t.after(() => void unsubscribe(name, onMessage));
  }
  assert.equal((await httpRequest(port, { path: '/echo/info' })).status, 200);
  await until(() => names.length === 2, 'the end of the response');
  assert.deepEqual(names, ['http.server.request.start', 'http.server.response.finish']);
});

test('a tracer that replaces emit of the prototype sees the requests of the router', async (t) => {
  const server = createOwnServer();
  const router = createRouter(t).attach(server);
  const port = await startServer(t, server);
  const seen: unknown[] = [];
  const wasOwn = Object.hasOwn(Server.prototype, 'emit');
  const original: unknown = Reflect.get(Server.prototype, 'emit');
  assert.ok(typeof original === 'function');
  Reflect.set(Server.prototype, 'emit', function emit(this: Server, ...args: unknown[]): unknown {
    const [event, request] = args;
    if (event === 'request') seen.push(Reflect.get(request as object, 'url'));
    return Reflect.apply(original as () => unknown, this, args) as unknown;
  });
  t.after(() => {
    if (wasOwn) Reflect.set(Server.prototype, 'emit', original);
    else Reflect.deleteProperty(Server.prototype, 'emit');
  });
  let ownRequests = 0;
  server.on('request', () => {
    ownRequests += 1;
  });
  for (const path of ['/echo/info', '/own']) {
    assert.equal((await httpRequest(port, { path })).status, 200);
  }
  assert.deepEqual(seen, ['/echo/info', '/own']);
  assert.equal(ownRequests, 1);
  await assertEchoes(t, port);
  router.detach(server);
  assert.equal((await httpRequest(port, { path: '/echo/info' })).body, 'own /echo/info');
});

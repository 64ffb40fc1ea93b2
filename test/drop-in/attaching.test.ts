/** `attach` and `detach` of the drop-in, in any order. */
import assert from 'node:assert/strict';
import { type Server, createServer as createHttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer } from '../../src/extras/sockjs.ts';
import { RawHttpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { upgradeRequest } from '../../testkit/raw-websocket.ts';
import { startServer } from '../../testkit/server.ts';
import { poll, sendMessages } from '../../testkit/sockjs-http.ts';

const LISTENER_EVENTS = ['request', 'upgrade'] as const;

function listenerCounts(http: Server): number[] {
  return LISTENER_EVENTS.map((event) => http.listenerCount(event));
}

function createService(prefix: string): ReturnType<typeof createServer> {
  return createServer({ prefix, log: () => {} });
}

/** Starts a server of an application, which records the URLs that it gets. */
async function startApplication(
  t: TestContext,
): Promise<{ http: Server; port: number; urls: string[] }> {
  const urls: string[] = [];
  const http = createHttpServer(({ url = '' }, response) => {
    urls.push(url);
    response.end('the application');
  });
  return { http, port: await startServer(t, http), urls };
}

async function bodiesOf(port: number, paths: readonly string[]): Promise<string[]> {
  const responses = await Promise.all(paths.map((path) => httpRequest(port, { path })));
  return responses.map(({ body }) => body.trim());
}

const PATHS = ['/a', '/b', '/c'] as const;
const GREETING = 'Welcome to SockJS!';
const APPLICATION = 'the application';

for (const order of ['reverse', 'the same'] as const) {
  test(`servers can be detached in ${order} order`, async (t) => {
    const { http, port, urls } = await startApplication(t);
    const [first, last] = [createService('/a'), createService('/b')];
    const before = listenerCounts(http);
    first.attach(http);
    last.attach(http);
    assert.deepEqual(await bodiesOf(port, PATHS), [GREETING, GREETING, APPLICATION]);

    (order === 'the same' ? first : last).detach(http);
    const expected =
      order === 'the same'
        ? [APPLICATION, GREETING, APPLICATION]
        : [GREETING, APPLICATION, APPLICATION];
    assert.deepEqual(await bodiesOf(port, PATHS), expected);

    (order === 'the same' ? last : first).detach(http);
    assert.deepEqual(await bodiesOf(port, PATHS), [APPLICATION, APPLICATION, APPLICATION]);
    assert.equal(urls.length, 1 + 2 + 3);
    assert.deepEqual(listenerCounts(http), before);
  });
}

test('a listener that another library keeps passes requests on after detach', async (t) => {
  const { http, port, urls } = await startApplication(t);
  const service = createService('/a');
  service.attach(http);
  const [kept] = http.listeners('request');
  http.removeAllListeners('request');
  http.on('request', (...args) => {
    Reflect.apply(kept ?? assert.fail(), http, args);
  });
  service.detach(http);
  assert.deepEqual(await bodiesOf(port, PATHS), [APPLICATION, APPLICATION, APPLICATION]);
  assert.equal(urls.length, 3);
});

test('a connection has one error listener, however many prefixes pass its upgrade on', async (t) => {
  const { http, port } = await startApplication(t);
  const service = createService('/a');
  for (const prefix of PATHS) service.installHandlers(http, { prefix });
  const listeners = new Promise<number>((resolve) => {
    http.on('upgrade', (_request, socket: Socket) => {
      resolve(socket.listenerCount('error'));
      socket.destroy();
    });
  });
  const connection = new RawHttpConnection(port);
  t.after(() => connection.close());
  connection.send(upgradeRequest('/other'));
  assert.equal(await listeners, 1);
});

test('a second attach has no effect', async (t) => {
  const { http, port } = await startApplication(t);
  const service = createService('/a');
  const before = listenerCounts(http);
  service.attach(http);
  service.attach(http);
  service.detach(http);
  assert.deepEqual(await bodiesOf(port, ['/a']), [APPLICATION]);
  assert.deepEqual(listenerCounts(http), before);
});

test('sessions stay while a server is detached', async (t) => {
  const { http, port } = await startApplication(t);
  const service = createService('/a');
  service.on('connection', (connection) => connection.write('first'));
  service.attach(http);
  assert.equal(await poll(port, '/a/000/session'), 'o');
  service.detach(http);
  service.attach(http);
  assert.equal(await poll(port, '/a/000/session'), 'a["first"]');
  await service.close({ timeout: 0 });
});

test('a server that is attached after close serves new sessions', async (t) => {
  const { http, port } = await startApplication(t);
  const service = createService('/a');
  service.attach(http);
  await service.close();
  service.detach(http);
  service.attach(http);
  assert.equal(await poll(port, '/a/000/session'), 'o');
  await service.close({ timeout: 0 });
});

test('HTTP servers without options of their own share the sessions of a server', async (t) => {
  const service = createService('/a');
  const [first, second] = [await startApplication(t), await startApplication(t)];
  service.installHandlers(first.http);
  service.installHandlers(second.http);
  t.after(() => service.close({ timeout: 0 }));
  assert.equal(await poll(first.port, '/a/000/session'), 'o');
  await sendMessages(second.port, '/a/000/session', 'hello');
});

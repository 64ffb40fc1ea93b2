/** Requests over HTTP/2. The conformance tests over HTTP/2 are in test/conformance/over-http2.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type Http2Server,
  type ServerOptions,
  constants,
  createServer,
} from 'node:http2';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Refusal, type SockJSConnection, type SockJSSettings } from '../../../src/index.ts';
import {
  extendedConnect,
  http2Connection,
  http2Request,
  http2WebSocket,
  startHttp2Server,
} from '../../../testkit/http2-client.ts';
import { RecordingLogger } from '../../../testkit/logger.ts';
import { Echo, createRouter } from '../../../testkit/server.ts';
import { newSession } from '../../../testkit/transports.ts';
import { until } from '../../../testkit/until.ts';

interface Running {
  readonly router: ReturnType<typeof createRouter>;
  readonly server: Http2Server;
  readonly client: ClientHttp2Session;
  readonly url: string;
  readonly logger: RecordingLogger;
}

const WITH_CONNECT: ServerOptions = { settings: { enableConnectProtocol: true } };

async function start(
  t: TestContext,
  settings: SockJSSettings = {},
  connection: new () => SockJSConnection = Echo,
  server: Http2Server = createServer(WITH_CONNECT),
): Promise<Running> {
  const logger = new RecordingLogger();
  const router = createRouter(t, settings, connection, { logger });
  router.attach(server);
  const url = `http://127.0.0.1:${await startHttp2Server(t, server)}`;
  return { router, server, logger, client: await http2Connection(t, url), url };
}

const post = (path: string): Record<string, string> => ({ ':method': 'POST', ':path': path });

test('a server without a request listener serves its router, and other paths get 404', async (t) => {
  const { client } = await start(t);
  assert.equal((await http2Request(client, { ':path': '/echo/info' })).status, 200);
  assert.equal((await http2Request(client, { ':path': '/elsewhere' })).status, 404);
});

test('an application gets all other requests, and none of the router', async (t) => {
  const paths: (string | undefined)[] = [];
  const server = createServer(WITH_CONNECT, (request, response) => {
    paths.push(request.url);
    response.end('own');
  });
  const { client } = await start(t, {}, Echo, server);
  assert.equal((await http2Request(client, { ':path': '/own' })).body, 'own');
  assert.equal((await http2Request(client, { ':path': '/echo/info' })).status, 200);
  assert.deepEqual(paths, ['/own']);
});

test('an application may push, and serve WebSockets of its own paths', async (t) => {
  const server = createServer(WITH_CONNECT);
  server.on('stream', (stream, headers) => {
    if (headers[':method'] === 'CONNECT') {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
      return;
    }
    stream.pushStream({ ':path': '/pushed' }, (error, push) => {
      assert.ifError(error);
      push.respond({ ':status': 200 });
      push.end('pushed');
    });
    stream.respond({ ':status': 200 });
    stream.end('own');
  });
  const { client } = await start(t, {}, Echo, server);
  const pushed = once(client, 'stream');
  assert.equal((await http2Request(client, { ':path': '/own' })).body, 'own');
  const [, headers] = (await pushed) as [unknown, Record<string, unknown>];
  assert.equal(headers[':path'], '/pushed');
  const { stream, response } = await extendedConnect(client, '/own');
  assert.equal(response[':status'], 200);
  stream.write('raw');
  const [echo] = (await once(stream, 'data')) as [Buffer];
  assert.equal(echo.toString(), 'raw');
});

test('WebSockets and polling sessions share one connection', async (t) => {
  const { client, server } = await start(t);
  const connections: unknown[] = [];
  server.on('session', (session) => connections.push(session));
  const sockets = await Promise.all(
    Array.from({ length: 20 }, () => http2WebSocket(client, `${newSession()}/websocket`)),
  );
  for (const socket of sockets) {
    assert.equal(await socket.messages.next(), 'o');
    socket.send('["hi"]');
    assert.equal(await socket.messages.next(), 'a["hi"]');
  }
  const session = newSession();
  assert.equal((await http2Request(client, post(`${session}/xhr`))).body, 'o\n');
  assert.equal((await http2Request(client, post(`${session}/xhr_send`), '["x"]')).status, 204);
  assert.equal((await http2Request(client, post(`${session}/xhr`))).body, 'a["x"]\n');
  assert.deepEqual(connections, []);
});

// Headers

test(':authority is the host of same-origin pages, allowedHosts and headers', async (t) => {
  const hosts: (string | undefined)[] = [];
  class Recording extends Echo {
    override onOpen(): void {
      hosts.push(this.info.headers['host']);
    }
  }
  const { client, router, logger } = await start(t, { allowedHosts: ['app.example'] }, Recording);
  const open = async (host: string, headers: Record<string, string>): Promise<number> =>
    (await http2Request(client, { ...post(`${newSession()}/xhr`), ':authority': host, ...headers }))
      .status;
  assert.equal(await open('app.example', { origin: 'https://app.example' }), 200);
  assert.equal(await open('app.example', { origin: 'https://other.example' }), 403);
  assert.equal(await open('other.example', {}), 403);
  assert.equal(
    await open('app.example', { host: 'other.example' }),
    200,
    ':authority is preferred',
  );
  assert.deepEqual(hosts, ['app.example', 'app.example']);
  assert.equal(router.stats.dump().refused.hostNotAllowed, 1);
  const warnings = logger.take().map(({ line }) => line);
  assert.equal(warnings.length, 2);
  assert.match(warnings.join('\n'), /origin "https:\/\/other\.example".*\n.*host "other\.example"/);
});

test('no pseudo-header reaches the application, since :path has the session id', async (t) => {
  const names: string[] = [];
  const texts: string[] = [];
  class Recording extends Echo {
    override onOpen(): void {
      names.push(...Object.keys(this.info.headers));
      texts.push(JSON.stringify(this.info.headers), this.info.path);
      for (const name of [':path', ':method', ':authority'])
        assert.equal(this.info.getHeader(name), undefined);
    }
  }
  const { client } = await start(t, {}, Recording);
  const session = newSession();
  await http2Request(client, { ...post(`${session}/xhr`), 'x-own': 'yes' });
  const socket = await http2WebSocket(client, `${session}/websocket`);
  await socket.messages.next();
  assert.ok(names.includes('x-own') && names.includes('host'));
  assert.deepEqual(
    names.filter((name) => name.startsWith(':')),
    [],
  );
  const id = session.split('/').at(-1) ?? '';
  assert.ok(!texts.join(' ').includes(id));
});

test('cookies that a client sends one by one are one header', async (t) => {
  const cookies: unknown[] = [];
  class Recording extends Echo {
    override onOpen(): void {
      cookies.push(this.info.getHeader('cookie'), this.info.cookies['c150']);
    }
  }
  const { client } = await start(t, {}, Recording);
  const crumbs = Array.from({ length: 90 }, (_, index) => `c${index + 100}=${index}`);
  const { status } = await http2Request(client, { ...post(`${newSession()}/xhr`), cookie: crumbs });
  assert.equal(status, 200);
  assert.deepEqual(cookies, [crumbs.join('; '), '50']);
});

test('a refusal may set headers that only HTTP/1.1 has', async (t) => {
  const refusal = new Refusal(426, 'no', { Connection: 'close', Upgrade: 'other', 'X-Own': 'yes' });
  const { client } = await start(t, { authorize: () => refusal });
  const { status, headers, body } = await http2Request(client, post(`${newSession()}/xhr`));
  assert.deepEqual([status, headers['x-own'], body], [426, 'yes', 'no']);
});

test('HEAD has no body', async (t) => {
  const { client } = await start(t);
  const { status, headers, body } = await http2Request(client, {
    ':method': 'HEAD',
    ':path': '/echo/info',
  });
  assert.deepEqual([status, body], [200, '']);
  assert.ok(Number(headers['content-length']) > 0);
});

test('Expect: 100-continue gets 100', async (t) => {
  const { client } = await start(t);
  const session = newSession();
  await http2Request(client, post(`${session}/xhr`));
  const stream = client.request({ ...post(`${session}/xhr_send`), expect: '100-continue' });
  await once(stream, 'continue');
  stream.end('["x"]');
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  assert.equal(headers[':status'], 204);
});

test('after a body over maxMessageBytes the stream ends, and the connection serves others', async (t) => {
  const { client, logger } = await start(t, { maxMessageBytes: 100 });
  const session = newSession();
  await http2Request(client, post(`${session}/xhr`));
  const stream = client.request(post(`${session}/xhr_send`));
  stream.on('error', () => {});
  stream.write('x'.repeat(1000)); // It does not end its side.
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  assert.equal(headers[':status'], 413);
  await once(stream.resume(), 'close');
  assert.equal((await http2Request(client, { ':path': '/echo/info' })).status, 200);
  assert.equal(logger.take().length, 1);
});

// Extended CONNECT

test('CONNECT opens a WebSocket only at the path of one', async (t) => {
  const { client, router } = await start(t);
  for (const path of ['/info', '/000/s/xhr', '/000/s/eventsource', '/sockjs.js', '']) {
    const { response } = await extendedConnect(client, `/echo${path}`);
    assert.equal(response[':status'], 405, path);
  }
  const { response } = await extendedConnect(client, '/echo/000/s/nothing');
  assert.equal(response[':status'], 404);
  assert.equal(router.stats.dump().sessionsTotal, 0);
});

test('CONNECT for another protocol, or an unknown version, is refused', async (t) => {
  const { client } = await start(t);
  const path = `${newSession()}/websocket`;
  const other = await extendedConnect(client, path, { ':protocol': 'connect-udp' });
  assert.equal(other.response[':status'], 400);
  const old = await extendedConnect(client, path, { 'sec-websocket-version': '7' });
  assert.equal(old.response[':status'], 426);
  assert.equal(old.response['sec-websocket-version'], '13, 8');
});

test('the first subprotocol is accepted', async (t) => {
  const { client } = await start(t);
  const { response } = await extendedConnect(client, '/echo/websocket', {
    'sec-websocket-protocol': 'one, two',
  });
  assert.equal(response['sec-websocket-protocol'], 'one');
});

test('a WebSocket closes with the code of either side, and its stream ends without an error', async (t) => {
  const codes: number[] = [];
  class Recording extends Echo {
    override onClose(code: number): void {
      codes.push(code);
    }
  }
  const { client, router } = await start(t, {}, Recording);
  const first = await http2WebSocket(client, '/echo/websocket');
  first.close(4001);
  await first.raw.closed();
  const second = await http2WebSocket(client, '/echo/websocket');
  await until(() => [...router.connections].length === 1, 'the connection');
  for (const connection of router.connections) connection.close(4002, 'bye');
  assert.deepEqual(await second.closed(), { code: 4002, reason: 'bye' });
  await second.raw.closed();
  assert.equal(second.raw.error, undefined);
  assert.deepEqual(codes, [4001, 4002]);
});

test('a WebSocket whose client resets the stream ends with 1006, and others stay open', async (t) => {
  const codes: number[] = [];
  class Recording extends Echo {
    override onClose(code: number): void {
      codes.push(code);
    }
  }
  const { client, router } = await start(t, {}, Recording);
  const kept = await http2WebSocket(client, '/echo/websocket');
  const { stream } = await extendedConnect(client, '/echo/websocket');
  await until(() => [...router.connections].length === 2, 'two connections');
  stream.close(constants.NGHTTP2_CANCEL);
  await until(() => codes.length === 1, 'the end of the WebSocket');
  assert.deepEqual(codes, [1006]);
  kept.send('still here');
  assert.equal(await kept.messages.next(), 'still here');
});

test('the end of a connection ends all its sessions', async (t) => {
  const { client, router } = await start(t);
  await http2WebSocket(client, '/echo/websocket');
  await http2WebSocket(client, `${newSession()}/websocket`);
  await until(() => router.stats.dump().connectionsActive === 2, 'two WebSockets');
  client.destroy();
  await until(() => router.stats.dump().connectionsActive === 0, 'their end');
});

test('a client that disconnects while authorize is pending aborts its signal', async (t) => {
  let signal: AbortSignal | undefined;
  const { client } = await start(t, {
    authorize: (request) => {
      ({ signal } = request);
      return new Promise(() => {});
    },
  });
  for (const headers of [
    post(`${newSession()}/xhr`),
    { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/echo/websocket' },
  ]) {
    signal = undefined;
    const stream = client.request(
      { ...headers, 'sec-websocket-version': '13' },
      { endStream: false },
    );
    stream.on('error', () => {});
    await until(() => signal !== undefined, 'the call of authorize');
    stream.close(constants.NGHTTP2_CANCEL);
    await until(() => signal?.aborted === true, 'the abort');
  }
});

test('a WebSocket opens once an asynchronous authorize has settled', async (t) => {
  let allow: ((user: object) => void) | undefined;
  const { client } = await start(t, {
    authorize: () => new Promise((resolve) => (allow = resolve)),
  });
  const opening = http2WebSocket(client, '/echo/websocket');
  await until(() => allow !== undefined, 'the call of authorize');
  await delay(50);
  allow?.({});
  const socket = await opening;
  socket.send('hello');
  assert.equal(await socket.messages.next(), 'hello');
});

// Closing

test('closing a router ends its streams, but not the connection or the streams of the application', async (t) => {
  const server = createServer(WITH_CONNECT, (_request, response) => {
    response.write('first');
    setTimeout(() => response.end('last'), 300);
  });
  const { client, router } = await start(t, {}, Echo, server);
  const socket = await http2WebSocket(client, `${newSession()}/websocket`);
  const session = newSession();
  const streaming = http2Request(client, post(`${session}/xhr_streaming`));
  await until(() => router.stats.dump().connectionsActive === 2, 'two receivers');
  const own = http2Request(client, { ':path': '/own' });
  await router.close({ timeout: 1000 });
  assert.equal((await socket.closed()).code, 1001);
  assert.match((await streaming).body, /c\[1001,"[^"]+"\]\n$/);
  assert.equal((await own).body, 'firstlast');
  assert.equal(client.destroyed, false);
  assert.equal((await http2Request(client, post(`${newSession()}/xhr`))).status, 503);
  router.detach(server);
  assert.equal((await http2Request(client, { ':path': '/echo/info' })).body, 'firstlast');
});

test('server.setTimeout ends idle connections, and no others', async (t) => {
  const server = createServer(WITH_CONNECT).setTimeout(1500);
  const { client, url } = await start(t, { heartbeatDelay: 100 }, Echo, server);
  const idle = await http2Connection(t, url);
  const closed = once(idle, 'close');
  const socket = await http2WebSocket(client, `${newSession()}/websocket`);
  await closed;
  await delay(1500);
  assert.equal(client.destroyed, false);
  assert.equal(await socket.messages.next(), 'o');
  assert.equal(await socket.messages.next(), 'h');
});

test('detach restores the server', async (t) => {
  const server = createServer(WITH_CONNECT);
  const before = Object.getOwnPropertyNames(server);
  const router = createRouter(t);
  router.attach(server);
  router.detach(server);
  assert.deepEqual(Object.getOwnPropertyNames(server), before);
});

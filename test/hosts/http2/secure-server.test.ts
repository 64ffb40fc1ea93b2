/** Servers of createSecureServer({ allowHTTP1: true }): HTTP/2 and HTTP/1.1 on one port. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type Http2SecureServer,
  type SecureClientSessionOptions,
  type SecureServerOptions,
  createSecureServer,
} from 'node:http2';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import type { SockJSSettings } from '../../../src/index.ts';
import { selfSignedCertificate } from '../../../testkit/certificate.ts';
import {
  http2Connection,
  http2Request,
  http2WebSocket,
  startHttp2Server,
} from '../../../testkit/http2-client.ts';
import { RecordingLogger } from '../../../testkit/logger.ts';
import { RawWebSocket } from '../../../testkit/raw-websocket.ts';
import { Echo, createRouter } from '../../../testkit/server.ts';
import { newSession } from '../../../testkit/transports.ts';
import { until } from '../../../testkit/until.ts';

const ours = selfSignedCertificate();
const clients = selfSignedCertificate();
const strangers = selfSignedCertificate();

type RequestListener = NonNullable<Parameters<typeof createSecureServer>[1]>;

function createServer(
  enableConnectProtocol: boolean,
  options: SecureServerOptions = {},
  listener?: RequestListener,
): Http2SecureServer {
  const all = { ...ours, allowHTTP1: true, settings: { enableConnectProtocol }, ...options };
  return listener === undefined ? createSecureServer(all) : createSecureServer(all, listener);
}

async function start(
  t: TestContext,
  server: Http2SecureServer,
  settings: SockJSSettings = {},
): Promise<{ router: ReturnType<typeof createRouter>; logger: RecordingLogger; port: number }> {
  const logger = new RecordingLogger();
  const router = createRouter(t, settings, Echo, { logger });
  router.attach(server);
  return { router, logger, port: await startHttp2Server(t, server) };
}

const openHttp2 = async (
  t: TestContext,
  port: number,
  options: SecureClientSessionOptions = {},
): ReturnType<typeof http2Connection> =>
  http2Connection(t, `https://127.0.0.1:${port}`, { ca: [ours.cert], ...options });

/** Sends a request over HTTP/1.1. */
async function http1Request(
  port: number,
  path: string,
  method = 'GET',
): Promise<{ status: number | undefined; body: string }> {
  const options = { host: '127.0.0.1', port, path, method, ca: ours.cert, agent: false as const };
  const sent = request(options).end();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve).once('error', reject);
  });
  return { status: response.statusCode, body: await text(response) };
}

async function http1WebSocket(
  t: TestContext,
  port: number,
  path: string,
  origin?: string,
): Promise<RawWebSocket> {
  const tls = { ca: [ours.cert], ALPNProtocols: ['http/1.1'] };
  const headers = origin === undefined ? [] : ([['Origin', origin]] as const);
  const socket = await RawWebSocket.open({ port, tls }, path, { headers });
  t.after(() => socket.abort());
  return socket;
}

test('requests and WebSockets over HTTP/2 and HTTP/1.1 share one port', async (t) => {
  const { port, router } = await start(t, createServer(true));
  const client = await openHttp2(t, port);
  assert.equal(client.alpnProtocol, 'h2');
  assert.equal((await http2Request(client, { ':path': '/echo/info' })).status, 200);
  assert.equal((await http2Request(client, { ':path': '/other' })).status, 404);
  assert.equal((await http1Request(port, '/echo/info')).status, 200);
  assert.equal((await http1Request(port, '/other')).status, 404);
  const session = newSession();
  assert.equal((await http1Request(port, `${session}/xhr`, 'POST')).body, 'o\n');
  const sent = await http2Request(
    client,
    { ':method': 'POST', ':path': `${session}/xhr_send` },
    '["x"]',
  );
  assert.equal(sent.status, 204);
  assert.equal((await http1Request(port, `${session}/xhr`, 'POST')).body, 'a["x"]\n');
  for (const socket of [
    await http2WebSocket(client, `${newSession()}/websocket`),
    await http1WebSocket(t, port, `${newSession()}/websocket`),
  ]) {
    assert.equal(await socket.next(), 'o');
    socket.send('["hello"]');
    assert.equal(await socket.next(), 'a["hello"]');
  }
  await router.close({ timeout: 500 });
  assert.equal(router.stats.dump().sessionsActive, 0);
});

test('an application gets its requests over both HTTP versions', async (t) => {
  const versions: string[] = [];
  const server = createServer(true, {}, (received, response) => {
    versions.push(received.httpVersion);
    response.end('own');
  });
  const { port } = await start(t, server);
  const client = await openHttp2(t, port);
  assert.equal((await http2Request(client, { ':path': '/own' })).body, 'own');
  assert.equal((await http1Request(port, '/own')).body, 'own');
  assert.equal((await http2Request(client, { ':path': '/echo/info' })).status, 200);
  assert.equal((await http1Request(port, '/echo/info')).status, 200);
  assert.deepEqual(versions, ['2.0', '1.1']);
});

test('a server of ws serves its upgrades on the same server', async (t) => {
  const server = createServer(true);
  const { port } = await start(t, server);
  const other = new WebSocketServer({ noServer: true });
  server.on('upgrade', (received: IncomingMessage, socket: Duplex, head: Buffer) => {
    other.handleUpgrade(received, socket, head, (accepted) => accepted.send('from ws'));
  });
  const options = { ca: [ours.cert] };
  const socket = new WebSocket(`wss://127.0.0.1:${port}/other`, options);
  t.after(() => socket.terminate());
  const [message] = (await once(socket, 'message')) as [Buffer];
  assert.equal(message.toString(), 'from ws');
  const own = await http1WebSocket(t, port, `${newSession()}/websocket`);
  assert.equal(await own.next(), 'o');
});

test('two routers share a server, over both HTTP versions', async (t) => {
  const server = createServer(true);
  const { port } = await start(t, server);
  const second = createRouter(t, {}, Echo, { prefix: '/echo/second' });
  second.attach(server);
  const client = await openHttp2(t, port);
  const path = '/echo/second/000/s/websocket';
  assert.equal(await (await http2WebSocket(client, path)).next(), 'o');
  assert.equal(await (await http1WebSocket(t, port, path)).next(), 'o');
  assert.equal(await (await http2WebSocket(client, `${newSession()}/websocket`)).next(), 'o');
  assert.equal(second.stats.dump().sessionsTotal, 2);
  second.detach(server);
  assert.equal((await http2Request(client, { ':path': '/echo/second/info' })).status, 404);
  assert.equal((await http2Request(client, { ':path': '/echo/info' })).status, 200);
});

// The client's certificate

test('authorize gets the client certificate, on requests and WebSockets', async (t) => {
  const raws: (string | undefined)[] = [];
  const secure: boolean[] = [];
  const options = { ca: [clients.cert], requestCert: true, rejectUnauthorized: false };
  const { port } = await start(t, createServer(true, options), {
    authorize: (received) => {
      raws.push(received.certificate?.raw.toString('base64'));
      secure.push(received.secure);
      return {};
    },
  });
  for (const credentials of [clients, strangers, {}]) {
    const client = await openHttp2(t, port, credentials);
    await http2Request(client, { ':method': 'POST', ':path': `${newSession()}/xhr` });
    await (await http2WebSocket(client, `${newSession()}/websocket`)).next();
  }
  const verified = clients.cert.replace(/-----[A-Z ]+-----|\n/g, '');
  assert.deepEqual(raws, [verified, verified, undefined, undefined, undefined, undefined]);
  assert.deepEqual(secure, [true, true, true, true, true, true]);
});

// Closing

test('closing a router that owns no server ends only its streams', async (t) => {
  const { port, router } = await start(t, createServer(true));
  const client = await openHttp2(t, port);
  const sockets = [
    await http2WebSocket(client, '/echo/websocket'),
    await http1WebSocket(t, port, '/echo/websocket'),
  ];
  await until(() => router.stats.dump().connectionsActive === 2, 'both WebSockets');
  await router.close({ timeout: 1000 });
  for (const socket of sockets) assert.equal((await socket.closed()).code, 1001);
  const error = await new Promise((resolve) => client.ping((failure) => resolve(failure)));
  assert.equal(error, null, 'the connection is open');
});

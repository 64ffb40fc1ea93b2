/**
 * Uses every entry of the package as an application would. It is compiled with each module setting of
 * each compiler, bundled, and called from tests of Jest and Vitest. It imports only what all of them
 * resolve: no relative path, no default import.
 */
import { ok, strictEqual } from 'node:assert';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Registry } from 'prom-client';
import {
  type ConnectionInfo,
  MemoryHub,
  type SockJSCluster,
  SockJSConnection,
  SockJSError,
  SockJSRouter,
  createCluster,
  memoryBackplane,
} from 'sockjs-server';
import { type Socket, connect } from 'sockjs-server/client';
import { connect as connectCore, xhrPolling } from 'sockjs-server/client/core';
import { SockJS } from 'sockjs-server/client/sockjs';
import { ipcBackplane, startIpcHub } from 'sockjs-server/ipc';
import { multiplex } from 'sockjs-server/multiplex';
import { MultiplexClient, type MultiplexSocket } from 'sockjs-server/multiplex-client';
import { natsBackplane } from 'sockjs-server/nats';
import { registerMetrics } from 'sockjs-server/prometheus';
import { redisBackplane } from 'sockjs-server/redis';
import { type Connection, type ServerOptions, createServer } from 'sockjs-server/sockjs';
import { type Session, Transport } from 'sockjs-server/sockjs/transport';
import { openConnection } from 'sockjs-server/testing';
import { webSocketHandler } from 'sockjs-server/ws-compat';

/** `never` for `any`: a compiler that does not find a declaration uses `any` in its place. */
type Known<T> = 0 extends 1 & T ? never : true;

const known: [
  Known<ReturnType<ConnectionInfo['getHeader']>>,
  Known<ReturnType<SockJSRouter['listen']>>,
  Known<ReturnType<SockJSRouter['stats']['dump']>>,
  Known<ReturnType<SockJSConnection['send']>>,
  Known<ReturnType<typeof multiplex>>,
  Known<ReturnType<MultiplexClient['channel']>>,
  Known<ReturnType<typeof registerMetrics>>,
  Known<Parameters<typeof webSocketHandler>[0]>,
  Known<ReturnType<SockJSCluster['ready']>>,
  Known<ReturnType<typeof startIpcHub>>,
  Known<ReturnType<typeof ipcBackplane>>,
  Known<Parameters<typeof natsBackplane>[0]>,
  Known<ReturnType<Parameters<typeof natsBackplane>[0]['isClosed']>>,
  Known<Parameters<typeof redisBackplane>[0]>,
  Known<Awaited<ReturnType<typeof openConnection<Echo>>>['connection']>,
  Known<ReturnType<Socket['send']>>,
  Known<ReturnType<typeof connectCore>>,
  Known<ReturnType<Connection['write']>>,
  Known<ReturnType<Session['close']>>,
] = [
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
  true,
];

class Echo extends SockJSConnection {
  override onOpen(info: ConnectionInfo): boolean {
    return info.ip === '127.0.0.1';
  }

  override onMessage(message: string): void {
    this.send(message);
  }
}

/**
 * Sends messages by XHR polling and checks what comes back.
 * @returns the poll that is pending at the end, once the server has it
 */
async function converse(
  router: SockJSRouter,
  origin: string,
  messages: readonly string[],
  reply: string,
): Promise<{ readonly poll: Promise<Response> }> {
  const post = (path: string, body = ''): Promise<Response> =>
    fetch(`${origin}${router.prefix}/000/session${path}`, { method: 'POST', body });
  strictEqual(await (await post('/xhr')).text(), 'o\n');
  strictEqual((await post('/xhr_send', JSON.stringify(messages))).status, 204);
  strictEqual(await (await post('/xhr')).text(), `a${JSON.stringify([reply])}\n`);
  const poll = post('/xhr');
  while (router.stats.dump().connectionsActive === 0) await delay(1);
  return { poll };
}

/** Sends a message over a connection of the browser client, which works in Node too, and closes it. */
async function echoOver(socket: Socket): Promise<void> {
  const data = await new Promise<string>((resolve) => {
    socket.onopen = () => socket.send('hello');
    socket.onmessage = (event) => resolve(event.data);
  });
  strictEqual(data, 'hello');
  socket.close();
}

async function openChannel(): Promise<void> {
  const sent: string[] = [];
  const socket: MultiplexSocket = {
    readyState: 1,
    send: (text) => sent.push(text),
    addEventListener: () => {},
  };
  const channel = new MultiplexClient(socket).channel('news');
  await once(channel, 'open');
  channel.send('hello');
  strictEqual(sent.join(' '), 'sub,news msg,news,hello');
}

/** Joins a cluster of one node, and leaves it. */
async function joinCluster(): Promise<void> {
  const cluster = createCluster({
    backplane: memoryBackplane(new MemoryHub()),
    listen: { host: '127.0.0.1' },
  });
  await cluster.ready();
  strictEqual(cluster.stats.members, 1);
  strictEqual(startIpcHub().dropped, 0);
  await cluster.close();
}

async function testEcho(): Promise<void> {
  const client = await openConnection(Echo);
  await client.send('hello');
  strictEqual(await client.next(), 'hello');
  await client.close();
}

/** Serves an echo written for npm `sockjs` and `@types/sockjs`. @returns its router */
function serveDropIn(server: Server, options: ServerOptions): SockJSRouter {
  const service = createServer(options);
  service.on('connection', (connection: Connection) => {
    strictEqual(connection.readyState, Transport.OPEN);
    connection.on('data', (message: string) => {
      connection.write(message);
    });
    connection.on('close', () => strictEqual(connection.readyState, Transport.CLOSED));
  });
  const listener = service.listener();
  server.on('request', listener.getHandler());
  return listener.router;
}

/** Every entry throws the error class of the main entry. */
function checkErrors(): void {
  const wrong: readonly (() => unknown)[] = [
    () => multiplex({}),
    () => ipcBackplane(),
    () => natsBackplane(undefined as never),
    () => redisBackplane(undefined as never),
  ];
  for (const call of wrong) {
    let thrown: unknown;
    try {
      call();
    } catch (error) {
      thrown = error;
    }
    ok(thrown instanceof SockJSError, String(thrown));
  }
}

export async function exercise(): Promise<void> {
  const echo = new SockJSRouter(Echo, '/echo');
  const server: Server = echo.listen(0, '127.0.0.1');
  const channels = new SockJSRouter(multiplex({ echo: Echo }), '/channels').attach(server);
  const migrated = new SockJSRouter(
    webSocketHandler((socket, { url }) => {
      socket.on('message', (data) => socket.send(`${url.split('/')[1]}: ${data.toString()}`));
    }),
    '/migrated',
  ).attach(server);
  const dropIn = serveDropIn(server, { prefix: '/drop-in', log: () => undefined });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;

  const info = (await (await fetch(`${origin}/echo/info`)).json()) as { websocket: boolean };
  strictEqual(info.websocket, true);
  strictEqual((await fetch(`${origin}/echo/sockjs.js`)).status, 200, 'the client is found');
  const pending = [
    await converse(echo, origin, ['hello'], 'hello'),
    await converse(channels, origin, ['sub,echo', 'msg,echo,hello'], 'msg,echo,hello'),
    await converse(migrated, origin, ['hello'], 'migrated: hello'),
    await converse(dropIn, origin, ['hello'], 'hello'),
  ];
  await openChannel();
  const url = `${origin}/echo`;
  await echoOver(connect(url, { transports: ['xhr-polling'] }));
  await echoOver(connectCore(url, { transports: [xhrPolling] }));
  await echoOver(new SockJS(url, null, { transports: 'xhr-polling' }));
  ok(known.every(Boolean));

  const metrics = await registerMetrics([echo, channels, migrated], new Registry()).metrics();
  ok(metrics.includes('sockjs_sessions_opened_total{prefix="/migrated"} 1'), metrics);
  checkErrors();
  await testEcho();
  await joinCluster();

  // The clients above have left, and poll no more for their close frames.
  const options = { timeout: 100 };
  await Promise.all([migrated, dropIn, channels, echo].map((router) => router.close(options)));
  for (const { poll } of pending) strictEqual((await (await poll).text())[0], 'c');
}

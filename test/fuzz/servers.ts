/**
 * The servers under test: one with the default settings, one with low limits and short delays, and one that
 * shares its `http.Server` with an application and other routers. Messages are commands to their connections,
 * so that inputs reach everything that an application can do.
 */
import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { multiplex } from '../../src/extras/multiplex.ts';
import { webSocketHandler } from '../../src/extras/ws-compat.ts';
import {
  type ConnectionInfo,
  type SockJSLogger,
  Refusal,
  SockJSConnection,
  SockJSRouter,
  type SockJSSettings,
} from '../../src/index.ts';
import { listen, portOf, stop } from '../../testkit/server.ts';

/** Message that the server broadcasts to all its clients. */
export const BROADCAST = 'all';
export const CLOSE_STATUS = { code: 3001, reason: 'As requested' } as const;

export interface ServerUnderTest {
  readonly port: number;
  readonly routers: readonly SockJSRouter[];
  /** Sessions live long enough for healthy clients to check the server. */
  readonly hasHealthyClients: boolean;
  readonly server: Server;
}

const HANDLER_DELAY_MS = 5;
const FLOOD_MESSAGES = 64;

class CommandConnection extends SockJSConnection {
  override onOpen(info: ConnectionInfo): boolean | Promise<boolean> {
    const open = info.getArgument('open') ?? '';
    const isAccepted = !open.startsWith('refuse');
    return open.endsWith('later') ? delay(HANDLER_DELAY_MS, isAccepted) : isAccepted;
  }

  override onMessage(message: string): void | Promise<void> {
    switch (message) {
      case 'close':
        return this.close(CLOSE_STATUS.code, CLOSE_STATUS.reason);
      case 'flood':
        for (let count = 0; count < FLOOD_MESSAGES; count += 1) this.send('x'.repeat(200));
        return undefined;
      case 'huge':
        this.send('\u2028'.repeat(20_000));
        return undefined;
      case 'later':
        return delay(HANDLER_DELAY_MS);
      default:
        this.send(message);
        return undefined;
    }
  }

  override onBinary(data: Uint8Array): void {
    this.send(data);
  }

  override onDrain(): void {
    this.send('drained');
  }
}

/** Adds the command to broadcast. */
class BroadcastConnection extends CommandConnection {
  static router: SockJSRouter | undefined;

  override onMessage(message: string): void | Promise<void> {
    if (message !== BROADCAST) return super.onMessage(message);
    if (BroadcastConnection.router !== undefined)
      this.broadcast(BroadcastConnection.router.connections, message);
    return undefined;
  }
}

const Handler = webSocketHandler((socket) => {
  socket.on('message', (data) => socket.send(data));
  socket.on('close', () => {});
});

const LOW_LIMITS: SockJSSettings = {
  sessionCheckInterval: 20,
  disconnectDelay: 150,
  heartbeatDelay: 100,
  pingTimeout: 80,
  streamRenewalDelay: 200,
  bodyTimeout: 100,
  headersTimeout: 200,
  writeTimeout: 150,
  responseLimit: 512,
  maxMessageBytes: 1024,
  maxMessagesPerBody: 4,
  maxMessagesPerSecond: 40,
  maxConcurrentHandlers: 2,
  openTimeout: 100,
  maxSessionAge: 400,
  sendTimeLimit: 300,
  maxSessions: 40,
  maxSessionsPerAddress: 30,
  highWaterMark: 512,
  maxBufferedBytes: 4096,
  maxTotalBufferedBytes: 512 * 1024,
  maxBufferedBytesPerAddress: 128 * 1024,
  slowConsumer: ({ transport }) => (transport === 'xhr' ? 'drop-oldest' : 'close'),
  allowedOrigins: (origin) => delay(1, !origin.includes('evil')),
  authorize: (request) =>
    request.getHeader('sec-fetch-site') === 'x'
      ? new Refusal(403, 'Not authorized.')
      : delay(1, {}),
  verifyIp: (request) => request.getCookie('JSESSIONID') ?? '',
  trustedProxies: ['loopback'],
};

/** The defaults, except for delays that would make the end of a run slow. */
const COMMON: SockJSSettings = { disconnectDelay: 2500, heartbeatDelay: 4000, pingTimeout: 3000 };

export async function startServers(logger: SockJSLogger): Promise<ServerUnderTest[]> {
  const common: SockJSSettings = { ...COMMON, logger };

  const plain = createServer();
  BroadcastConnection.router = new SockJSRouter(BroadcastConnection, '/echo', common).attach(plain);

  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the type of the users does not matter here
  const settings = { ...LOW_LIMITS, logger, rateLimitPolicy: 'close' } as never;
  const limited = new SockJSRouter(CommandConnection, '/echo', settings);
  const ownServer = limited.listen(0, '127.0.0.1');

  const shared = createServer((_request, response) => response.writeHead(404).end('Not found.'));
  shared.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', () => socket.destroy());
  });
  const routers = [
    new SockJSRouter(CommandConnection, '/echo', {
      ...common,
      rateLimitPolicy: 'close',
      immediateFlush: false,
    }),
    new SockJSRouter(multiplex({ a: CommandConnection, b: CommandConnection }), '/all', common),
    new SockJSRouter(Handler, '/ws', { ...common, slowConsumer: 'drop-oldest', noKeepAlive: true }),
  ];
  for (const router of routers) router.attach(shared);

  await once(ownServer, 'listening');
  return [
    {
      port: await listen(plain),
      routers: [BroadcastConnection.router],
      hasHealthyClients: true,
      server: plain,
    },
    {
      port: portOf(ownServer),
      routers: [limited],
      hasHealthyClients: false,
      server: ownServer,
    },
    { port: await listen(shared), routers, hasHealthyClients: true, server: shared },
  ];
}

export async function stopServers(servers: readonly ServerUnderTest[]): Promise<void> {
  for (const { routers, server } of servers) {
    await Promise.all(routers.map((router) => router.close({ timeout: 100 })));
    if (server.listening) await stop(server);
  }
}

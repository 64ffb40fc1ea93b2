/**
 * The servers under test: one with the settings that everybody has, one where every limit is tight and every
 * delay short, one that shares its `http.Server` with an application and other routers. Their connections do
 * what a message asks for, so that inputs reach all that an application can do.
 */
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
import { listening, stopped } from '../support/service.ts';

export interface Target {
  readonly port: number;
  readonly routers: readonly SockJSRouter[];
  /** Whether sessions live long enough there for a healthy client to be watched. */
  readonly isControlled: boolean;
  readonly server: Server;
}

const MOMENT = 5;
const FLOOD = 64;

class Talker extends SockJSConnection {
  override onOpen(info: ConnectionInfo): boolean | Promise<boolean> {
    const open = info.getArgument('open') ?? '';
    const answer = !open.startsWith('refuse');
    return open.endsWith('later') ? delay(MOMENT, answer) : answer;
  }

  override onMessage(message: string): void | Promise<void> {
    switch (message) {
      case 'close':
        return this.close(3001, 'As you asked');
      case 'flood':
        for (let count = 0; count < FLOOD; count += 1) this.send('x'.repeat(200));
        return undefined;
      case 'huge':
        this.send('\u2028'.repeat(20_000));
        return undefined;
      case 'later':
        return delay(MOMENT);
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

/** With one more thing to ask for: a message to everybody. */
class Town extends Talker {
  static router: SockJSRouter | undefined;

  override onMessage(message: string): void | Promise<void> {
    if (message !== 'all') return super.onMessage(message);
    if (Town.router !== undefined) this.broadcast(Town.router.connections, message);
    return undefined;
  }
}

const Handler = webSocketHandler((socket) => {
  socket.on('message', (data) => socket.send(data));
  socket.on('close', () => {});
});

const TIGHT: SockJSSettings = {
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
  maxSessions: 40,
  maxSessionsPerAddress: 30,
  highWaterMark: 512,
  maxBufferedBytes: 4096,
  maxTotalBufferedBytes: 512 * 1024,
  slowConsumer: ({ transport }) => (transport === 'xhr' ? 'drop-oldest' : 'close'),
  allowedOrigins: (origin) => delay(1, !origin.includes('evil')),
  authorize: (request) =>
    request.getHeader('sec-fetch-site') === 'x'
      ? new Refusal(403, 'Not authorized.')
      : delay(1, {}),
  verifyIp: (request) => request.getCookie('JSESSIONID') ?? '',
  trustedProxies: ['loopback'],
};

/** The defaults, but for delays in which nobody wants to wait at the end. */
const COMMON: SockJSSettings = { disconnectDelay: 2500, heartbeatDelay: 4000, pingTimeout: 3000 };

export async function start(logger: SockJSLogger): Promise<Target[]> {
  const common: SockJSSettings = { ...COMMON, logger };

  const plain = createServer();
  Town.router = new SockJSRouter(Town, '/echo', common).attach(plain);

  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- who the users are does not matter here
  const settings = { ...TIGHT, logger, rateLimitPolicy: 'close' } as never;
  const tight = new SockJSRouter(Talker, '/echo', settings);
  const own = tight.listen(0, '127.0.0.1');

  const shared = createServer((_request, response) => response.writeHead(404).end('Not found.'));
  shared.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', () => socket.destroy());
  });
  const routers = [
    new SockJSRouter(Talker, '/echo', {
      ...common,
      rateLimitPolicy: 'close',
      immediateFlush: false,
    }),
    new SockJSRouter(multiplex({ a: Talker, b: Talker }), '/all', common),
    new SockJSRouter(Handler, '/ws', { ...common, slowConsumer: 'drop-oldest', noKeepAlive: true }),
  ];
  for (const router of routers) router.attach(shared);

  await new Promise((resolve) => own.once('listening', resolve));
  const address = own.address();
  const ownPort = typeof address === 'object' && address !== null ? address.port : 0;
  return [
    { port: await listening(plain), routers: [Town.router], isControlled: true, server: plain },
    { port: ownPort, routers: [tight], isControlled: false, server: own },
    { port: await listening(shared), routers, isControlled: true, server: shared },
  ];
}

export async function stop(targets: readonly Target[]): Promise<void> {
  for (const { routers, server } of targets) {
    await Promise.all(routers.map((router) => router.close({ timeout: 100 })));
    if (server.listening) await stopped(server);
  }
}

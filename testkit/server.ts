/** Servers and routers on an ephemeral port of 127.0.0.1, closed at the end of the test. */
import assert from 'node:assert/strict';
import { type Server, createServer } from 'node:http';
import type { Socket, Server as TcpServer } from 'node:net';
import { SockJSConnection, SockJSRouter, type SockJSSettings } from '../src/index.ts';
import { createTestServers } from './http2-gateway.ts';
import { RecordingLogger } from './logger.ts';
import type { TestScope } from './scope.ts';
import { within } from './until.ts';

/** Time for a router to close at the end of a test, in milliseconds. */
const CLOSE_TIMEOUT_MS = 100;

export class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }

  override onBinary(data: Uint8Array): void {
    this.send(data);
  }
}

/** Returns the port that a server listens on. */
export function portOf(server: TcpServer): number {
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null, 'the server does not listen');
  return address.port;
}

/** Starts a server on a port of 127.0.0.1. @param port 0 for any free port. @returns the port */
export async function listen(server: TcpServer, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  return portOf(server);
}

/**
 * Stops a server, and closes its HTTP connections.
 * @throws TimeoutError if an upgraded connection is open, which the test has to close
 */
export async function stop(server: Server): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeAllConnections();
  await within(stopped, 'the server to stop, which still has connections');
}

/** Starts an HTTP or HTTPS server that stops, with all its connections, at the end of the test. @returns the port */
export async function startServer(scope: TestScope, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    // No listener on the socket, since a test may count listeners.
    for (const other of sockets) if (other.destroyed) sockets.delete(other);
    sockets.add(socket);
  });
  const port = await listen(server);
  scope.after(async () => {
    const stopped = stop(server);
    for (const socket of sockets) socket.destroy();
    await stopped;
  });
  return port;
}

/** Free ports, for a program whose configuration has to name them. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(servers.map((server) => listen(server)));
  await Promise.all(servers.map((server) => stop(server)));
  return ports;
}

/** Ports that Linux does not choose for connections and for servers on port 0. */
const RESERVED_PORTS = { first: 20_000, count: 12_000 };

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await listen(server, port);
    await stop(server);
    return true;
  } catch {
    return false;
  }
}

/** Free ports that the system gives to nobody else, for a program that starts again on its port. */
export async function reservedPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = RESERVED_PORTS.first + Math.floor(Math.random() * RESERVED_PORTS.count);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

export interface RouterOptions {
  /** Default: `/echo`. */
  readonly prefix?: string;
  /** Default: a new `http.Server`. An `https.Server` works too. */
  readonly server?: Server;
  /** Default: a new one. */
  readonly logger?: RecordingLogger;
}

/**
 * A router that logs to a `RecordingLogger`, without the JSESSIONID cookie. It closes at the end of the
 * test, which fails if a warning or an error was logged that it has not taken.
 */
export function createRouter<C extends SockJSConnection = Echo>(
  scope: TestScope,
  settings: SockJSSettings = {},
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- C is Echo where no class is given
  connection: new () => C = Echo as never,
  { prefix = '/echo', logger = new RecordingLogger() }: RouterOptions = {},
): SockJSRouter<C> {
  const all = { jsessionid: false, logger, ...settings };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a class with users is given its `authorize`
  const router = new SockJSRouter(connection, ...([prefix, all] as never));
  scope.after(async () => {
    await router.close({ timeout: CLOSE_TIMEOUT_MS });
    logger.assertNoProblems();
  });
  return router;
}

export interface RunningRouter<C extends SockJSConnection> {
  readonly router: SockJSRouter<C>;
  readonly server: Server;
  readonly logger: RecordingLogger;
  readonly port: number;
  /** `http://127.0.0.1:port/prefix` */
  readonly url: string;
}

/** A router on a running server. Default: an echo service at `/echo`. */
export async function startRouter<C extends SockJSConnection = Echo>(
  scope: TestScope,
  settings: SockJSSettings = {},
  connection?: new () => C,
  options: RouterOptions = {},
): Promise<RunningRouter<C>> {
  const { prefix = '/echo', logger = new RecordingLogger() } = options;
  const { front: server, back } =
    options.server === undefined
      ? createTestServers()
      : { front: options.server, back: options.server };
  const router = createRouter<C>(scope, settings, connection, { prefix, logger });
  router.attach(back);
  const port = await listen(server);
  // Not `startServer`: a connection that the router leaves behind fails the test.
  scope.after(() => stop(server));
  const scheme = 'setSecureContext' in server ? 'https' : 'http';
  return { router, server, logger, port, url: `${scheme}://127.0.0.1:${port}${prefix}` };
}

/** Servers on the ports that the file of a proxy names, and their connections. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import { type Http2Server, createServer as createHttp2Server } from 'node:http2';
import type { Socket } from 'node:net';
import { SockJSConnection, SockJSRouter, type SockJSSettings } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { resetSocket } from '../../testkit/reset-socket.ts';
import { listen, stop } from '../../testkit/server.ts';

export interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

/** Closes by `close CODE REASON`, and echoes everything else. */
export class ProxiedConnection extends SockJSConnection {
  readonly closings: AsyncQueue<CloseStatus> = new AsyncQueue('onClose');

  override onMessage(message: string): void {
    const [command, code, ...reason] = message.split(' ');
    if (command === 'close') this.close(Number(code), reason.join(' '));
    else this.send(message);
  }

  override onClose(code: number, reason: string): void {
    this.closings.push({ code, reason });
  }
}

const BEHIND_A_PROXY: SockJSSettings = { trustedProxies: ['127.0.0.1'] };
/** Its test lets a session wait for its next poll while other clients leave and come. */
const ROLLING: SockJSSettings = { ...BEHIND_A_PROXY, disconnectDelay: 30_000 };

function watchSockets(server: Server | Http2Server, sockets: Set<Socket>): void {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
}

export class ServerNode {
  readonly logger: RecordingLogger;
  readonly #port: number;
  /** Port for HTTP/2; undefined without HTTP/2. */
  readonly #http2Port: number | undefined;
  readonly #sockets = new Set<Socket>();
  /** Connections over HTTP/2. */
  readonly #shared = new Set<Socket>();
  #http2Streams = 0;
  #server: Server;
  #http2Server: Http2Server;
  #rolling: SockJSRouter<ProxiedConnection>;
  /** Its clients leave before the end of a test, so that its counters start at 0. */
  leaving: SockJSRouter<ProxiedConnection>;
  #routers: SockJSRouter<ProxiedConnection>[];

  constructor(port: number, http2Port?: number, logger: RecordingLogger = new RecordingLogger()) {
    this.#port = port;
    this.#http2Port = http2Port;
    this.logger = logger;
    this.#server = createServer();
    this.#http2Server = createHttp2Server({ settings: { enableConnectProtocol: true } });
    this.#rolling = this.#serve('/rolling', ROLLING);
    this.leaving = this.#serve('/leaving', BEHIND_A_PROXY);
    this.#routers = [
      this.leaving,
      this.#rolling,
      this.#serve('/echo', BEHIND_A_PROXY),
      this.#serve('/untrusting', {}),
      this.#serve('/heartbeats', { ...BEHIND_A_PROXY, heartbeatDelay: 300 }),
      this.#serve('/no-keep-alive', { ...BEHIND_A_PROXY, noKeepAlive: true }),
    ];
  }

  /** A router that closes while the others go on. */
  get rolling(): SockJSRouter<ProxiedConnection> {
    return this.#rolling;
  }

  get connections(): readonly ProxiedConnection[] {
    return this.#routers.flatMap((router) => [...router.connections]);
  }

  /** The number of open connections over HTTP/2. */
  get http2Connections(): number {
    return this.#shared.size;
  }

  /** The number of requests and WebSockets over HTTP/2 so far. */
  get http2Streams(): number {
    return this.#http2Streams;
  }

  async start(): Promise<this> {
    watchSockets(this.#server, this.#sockets);
    watchSockets(this.#http2Server, this.#shared);
    this.#http2Server.on('session', (session) => {
      session.on('stream', () => (this.#http2Streams += 1));
    });
    await listen(this.#server, this.#port);
    if (this.#http2Port !== undefined) await listen(this.#http2Server, this.#http2Port);
    return this;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#routers.map((router) => router.close({ timeout: 100 })));
    await stop(this.#server);
    for (const socket of this.#shared) socket.destroy();
    if (this.#http2Server.listening) {
      this.#http2Server.close();
      await once(this.#http2Server, 'close');
    }
    this.logger.assertNoProblems();
  }

  /** Resets all connections, as the end of a process does. */
  async kill(): Promise<void> {
    for (const socket of [...this.#sockets, ...this.#shared]) resetSocket(socket);
    await this.stop();
  }

  /** Starts new routers and a new server, as a new process would. */
  async restart(): Promise<void> {
    const fresh = new ServerNode(this.#port, this.#http2Port, this.logger);
    this.#server = fresh.#server;
    this.#http2Server = fresh.#http2Server;
    this.#rolling = fresh.#rolling;
    this.leaving = fresh.leaving;
    this.#routers = fresh.#routers;
    await this.start();
  }

  #serve(prefix: string, settings: SockJSSettings): SockJSRouter<ProxiedConnection> {
    const router = new SockJSRouter(ProxiedConnection, prefix, {
      logger: this.logger,
      ...settings,
    });
    return router.attach(this.#server).attach(this.#http2Server);
  }
}

/** @returns the only connection that opens at a node while `open` runs */
export async function openedAt<T>(
  nodes: readonly ServerNode[],
  open: () => Promise<T>,
): Promise<{
  readonly opened: T;
  readonly connection: ProxiedConnection;
  readonly node: ServerNode;
}> {
  const before = new Set(nodes.flatMap((node) => node.connections));
  const opened = await open();
  const added = nodes.flatMap((node) =>
    node.connections
      .filter((connection) => !before.has(connection))
      .map((connection) => ({ node, connection })),
  );
  const [first, ...others] = added;
  assert.ok(first !== undefined, 'no connection has opened');
  assert.equal(others.length, 0, 'several connections have opened');
  return { opened, ...first };
}

/** Two of our servers on the ports that a proxy's file names, and what tests do with what runs on them. */
import assert from 'node:assert/strict';
import { type Server, createServer } from 'node:http';
import { SockJSConnection, SockJSRouter, type SockJSSettings } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { listen, stop } from '../../testkit/server.ts';

export interface End {
  readonly code: number;
  readonly reason: string;
}

/** An echo that is told to close by `close CODE REASON`. */
export class Visitor extends SockJSConnection {
  readonly ends: AsyncQueue<End> = new AsyncQueue<End>('onClose');

  override onMessage(message: string): void {
    const [command, code, ...reason] = message.split(' ');
    if (command === 'close') this.close(Number(code), reason.join(' '));
    else this.send(message);
  }

  override onClose(code: number, reason: string): void {
    this.ends.push({ code, reason });
  }
}

const BEHIND_A_PROXY: SockJSSettings = { trustedProxies: ['127.0.0.1'] };

export class ServerNode {
  readonly logger: RecordingLogger;
  readonly #port: number;
  #server: Server;
  #rolling: SockJSRouter<Visitor>;
  /** Nobody stays on it beyond the end of a test. */
  leaving: SockJSRouter<Visitor>;
  #routers: SockJSRouter<Visitor>[];

  constructor(port: number, logger: RecordingLogger = new RecordingLogger()) {
    this.#port = port;
    this.logger = logger;
    this.#server = createServer();
    this.#rolling = this.#serve('/rolling', BEHIND_A_PROXY);
    this.leaving = this.#serve('/leaving', BEHIND_A_PROXY);
    this.#routers = [
      this.leaving,
      this.#rolling,
      this.#serve('/echo', BEHIND_A_PROXY),
      this.#serve('/untrusting', {}),
      this.#serve('/hasty', { ...BEHIND_A_PROXY, heartbeatDelay: 300 }),
      this.#serve('/no-keep-alive', { ...BEHIND_A_PROXY, noKeepAlive: true }),
    ];
  }

  /** To be closed while the others go on. */
  get rolling(): SockJSRouter<Visitor> {
    return this.#rolling;
  }

  get visitors(): readonly Visitor[] {
    return this.#routers.flatMap((router) => [...router.connections]);
  }

  async start(): Promise<this> {
    await listen(this.#server, this.#port);
    return this;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#routers.map((router) => router.close({ timeout: 100 })));
    await stop(this.#server);
    this.logger.assertNoProblems();
  }

  /** A new process, as far as anyone outside can see. */
  async restart(): Promise<void> {
    const fresh = new ServerNode(this.#port, this.logger);
    this.#server = fresh.#server;
    this.#rolling = fresh.#rolling;
    this.leaving = fresh.leaving;
    this.#routers = fresh.#routers;
    await this.start();
  }

  #serve(prefix: string, settings: SockJSSettings): SockJSRouter<Visitor> {
    const router = new SockJSRouter(Visitor, prefix, { logger: this.logger, ...settings });
    return router.attach(this.#server);
  }
}

/** The visitor that comes while `open` runs. */
export async function arrival<T>(
  nodes: readonly ServerNode[],
  open: () => Promise<T>,
): Promise<{ readonly opened: T; readonly visitor: Visitor; readonly node: ServerNode }> {
  const before = new Set(nodes.flatMap((node) => node.visitors));
  const opened = await open();
  const arrived = nodes.flatMap((node) =>
    node.visitors.filter((visitor) => !before.has(visitor)).map((visitor) => ({ node, visitor })),
  );
  const [first, ...others] = arrived;
  assert.ok(first !== undefined);
  assert.equal(others.length, 0, 'one visitor at a time');
  return { opened, ...first };
}

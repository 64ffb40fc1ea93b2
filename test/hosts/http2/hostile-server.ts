/**
 * The server of attack.ts, as a separate process whose memory and event loop can be measured. The first argument has its
 * options as JSON. Each message from its parent makes it report.
 */
import { type Http2Session, type ServerOptions, createServer } from 'node:http2';
import type { Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type SockJSSettings, type SockJSStatsDump, SockJSRouter } from '../../../src/index.ts';
import { PROCESS_MEMORY_BUDGET } from '../../../src/base/memory-budget.ts';
import { collectGarbage } from '../../../testkit/memory.ts';
import { Echo, listen } from '../../../testkit/server.ts';

export interface ServerReport {
  /** Bytes on the heap and in buffers, after a garbage collection. */
  readonly bytes: number;
  /** Largest resident memory since the last report, in bytes. */
  readonly rss: number;
  /** Longest time in which the event loop was blocked since the last report, in milliseconds. */
  readonly longestStall: number;
  readonly connections: number;
  /** Open sockets. A connection may end before its socket. */
  readonly sockets: number;
  readonly streams: number;
  /** Calls of `authorize` whose client is connected. */
  readonly decisions: number;
  /** Bytes in the memory budget of the process. */
  readonly budget: number;
  readonly stats: SockJSStatsDump;
}

export interface ServerArguments {
  readonly settings?: SockJSSettings;
  readonly options?: ServerOptions;
  /** Lets `authorize` stay pending. */
  readonly pending?: boolean;
}

/** Sends as many characters as the query parameter `send` says, or stays pending with `opening`. */
class Sending extends Echo {
  override async onOpen(): Promise<void> {
    const length = Number(this.info.getArgument('send') ?? 0);
    if (length > 0) this.send('x'.repeat(length));
    if (this.info.getArgument('opening') !== undefined) await new Promise<never>(() => {});
  }
}

const {
  settings = {},
  options = {},
  pending = false,
} = JSON.parse(process.argv[2] ?? '{}') as ServerArguments;
/** Calls of `authorize` whose client is connected. */
let decisions = 0;
const authorize = {
  authorize: async ({ signal }: { readonly signal: AbortSignal }) => {
    decisions += 1;
    signal.addEventListener('abort', () => (decisions -= 1));
    return new Promise<never>(() => {});
  },
};
const router = new SockJSRouter(Sending, '/echo', {
  logger: false,
  ...(pending ? authorize : {}),
  ...settings,
});
const server = createServer({ settings: { enableConnectProtocol: true }, ...options });
router.attach(server);

const sockets = new Set<Socket>();
server.on('connection', (socket: Socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});

const sessions = new Set<Http2Session>();
let streams = 0;
server.on('session', (session) => {
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
  session.on('stream', (stream) => {
    if (stream.destroyed) return;
    streams += 1;
    stream.on('close', () => (streams -= 1));
  });
});

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
let rss = 0;
setInterval(() => (rss = Math.max(rss, process.memoryUsage.rss())), 20);

async function report(): Promise<ServerReport> {
  const longestStall = delay.max / 1e6;
  const highest = rss;
  await collectGarbage();
  delay.reset();
  rss = 0;
  const { heapUsed, external } = process.memoryUsage();
  const stats = router.stats.dump();
  return {
    bytes: heapUsed + external,
    rss: highest,
    longestStall,
    connections: sessions.size,
    sockets: sockets.size,
    streams,
    decisions,
    budget: PROCESS_MEMORY_BUDGET.bytes,
    stats,
  };
}

process.on('message', () => {
  void report().then((result) => process.send?.(result));
});
process.send?.({ port: await listen(server) });

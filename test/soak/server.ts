/** The server under test, in a process of its own: it answers what it is asked about itself, and goes when nobody asks. */
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import {
  type SockJSLogger,
  SockJSConnection,
  SockJSRouter,
  type SockJSStatsDump,
} from '../../src/index.ts';
import { CLOSE, FAREWELL, FLOOD, FLOOD_BYTES, FLOOD_COUNT, LIMITS, PREFIX } from './settings.ts';

export interface State {
  readonly stats: SockJSStatsDump;
  /** Kinds of what keeps the process alive. */
  readonly handles: string;
  readonly heap: number;
  readonly resident: number;
  readonly errors: readonly string[];
  /** In milliseconds, since the last time. */
  readonly longestBlock: number;
}

export type Question = 'state' | 'collected state' | { readonly broadcast: string };

const errors: string[] = [];
const logger: SockJSLogger = {
  debug() {},
  info() {},
  warn() {},
  error: (line) => errors.push(line),
};
const PADDING = '.'.repeat(FLOOD_BYTES);

class Village extends SockJSConnection {
  #floods = 0;

  override onMessage(message: string): void {
    if (message === CLOSE) this.close(FAREWELL.code, FAREWELL.reason);
    else if (message === FLOOD) this.#flood();
    else this.send(message);
  }

  override onBinary(data: Uint8Array): void {
    this.send(data);
  }

  #flood(): void {
    for (let count = 0; count < FLOOD_COUNT; count += 1) {
      this.send(`${this.#floods * FLOOD_COUNT + count} ${PADDING}`);
    }
    this.#floods += 1;
  }
}

// Every client of the load says which address it has: all of them come from this machine.
const settings = { ...LIMITS, trustedProxies: ['loopback'], logger };
const router = new SockJSRouter(Village, PREFIX, settings);
const server = createServer();
router.attach(server);
const delays = monitorEventLoopDelay({ resolution: 10 });
delays.enable();

function state(isCollected: boolean): State {
  if (isCollected) {
    globalThis.gc?.();
    globalThis.gc?.(); // What the first one finalised.
  }
  const { heapUsed, rss } = process.memoryUsage();
  const longestBlock = delays.max / 1e6;
  delays.reset();
  const handles = process.getActiveResourcesInfo().toSorted().join(' ');
  return {
    stats: router.stats.dump(),
    handles,
    heap: heapUsed,
    resident: rss,
    errors,
    longestBlock,
  };
}

process.on('uncaughtExceptionMonitor', (error) => console.error('The server dies of', error));
process.on('message', (question: Question) => {
  if (typeof question === 'object') router.broadcast(router.connections, question.broadcast);
  else process.send?.(state(question === 'collected state'));
});
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {}); // The load gets it too, and ends this process.
server.listen({ port: 0, host: '127.0.0.1', budget: 2048 }, () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
});

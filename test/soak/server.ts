/** The server under test, in its own process. It reports its state over IPC, and exits when the channel closes. */
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import {
  type SockJSLogger,
  SockJSConnection,
  SockJSRouter,
  type SockJSStatsDump,
} from '../../src/index.ts';
import { activeResources, collectGarbage } from '../../testkit/memory.ts';
import { portOf } from '../../testkit/server.ts';
import {
  CLOSE,
  CLOSE_STATUS,
  FLOOD,
  FLOOD_BYTES,
  FLOOD_MESSAGES,
  LIMITS,
  PREFIX,
} from './settings.ts';

export interface State {
  readonly stats: SockJSStatsDump;
  /** Handles and requests that keep the process alive, counted by kind. */
  readonly handles: Readonly<Record<string, number>>;
  /** Bytes of heap in use. */
  readonly heap: number;
  /** Bytes of resident memory. */
  readonly resident: number;
  readonly errors: readonly string[];
  /** Longest block of the event loop since the last report, in milliseconds. */
  readonly longestBlock: number;
}

/** `collected state`: after a forced garbage collection. */
export type Command = 'state' | 'collected state' | { readonly broadcast: string };

const errors: string[] = [];
const logger: SockJSLogger = {
  debug() {},
  info() {},
  warn() {},
  error: (line) => errors.push(line),
};
const PADDING = '.'.repeat(FLOOD_BYTES);

class SoakConnection extends SockJSConnection {
  #floods = 0;

  override onMessage(message: string): void {
    if (message === CLOSE) this.close(CLOSE_STATUS.code, CLOSE_STATUS.reason);
    else if (message === FLOOD) this.#flood();
    else this.send(message);
  }

  override onBinary(data: Uint8Array): void {
    this.send(data);
  }

  #flood(): void {
    for (let count = 0; count < FLOOD_MESSAGES; count += 1) {
      this.send(`${this.#floods * FLOOD_MESSAGES + count} ${PADDING}`);
    }
    this.#floods += 1;
  }
}

// All clients connect from this machine, so each sends its address in a header.
const settings = { ...LIMITS, trustedProxies: ['loopback'], logger };
const router = new SockJSRouter(SoakConnection, PREFIX, settings);
const server = createServer();
router.attach(server);
const delays = monitorEventLoopDelay({ resolution: 10 });
delays.enable();

async function state(isCollected: boolean): Promise<State> {
  if (isCollected) await collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  const longestBlock = delays.max / 1e6;
  delays.reset();
  return {
    stats: router.stats.dump(),
    handles: activeResources(),
    heap: heapUsed,
    resident: rss,
    errors,
    longestBlock,
  };
}

process.on('uncaughtExceptionMonitor', (error) => console.error('The server has failed:', error));
async function execute(command: Command): Promise<void> {
  if (typeof command === 'object') router.broadcast(router.connections, command.broadcast);
  else process.send?.(await state(command === 'collected state'));
}

process.on('message', (command: Command) => void execute(command));
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {}); // The parent process receives it too, and ends this one.
server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 }, () => {
  process.send?.({ port: portOf(server) });
});

/**
 * The server of memory.test.ts, as a separate process whose memory can be measured. Its settings are the default ones,
 * with the changes in the first argument as JSON. A message from its parent makes it report.
 */
import { createServer } from 'node:http';
import { type SockJSSettings, type SockJSStatsDump, SockJSRouter } from '../../src/index.ts';
import { collectGarbage } from '../../testkit/memory.ts';
import { Echo, listen } from '../../testkit/server.ts';

export interface MemoryReport {
  /** Bytes on the heap and in buffers, after a garbage collection. */
  readonly bytes: number;
  readonly stats: SockJSStatsDump;
}

/**
 * Sends one text of as many characters as the query parameter `send` says, or stays pending with `opening`. Each text
 * differs, since equal texts share their memory.
 */
class Sending extends Echo {
  static #count = 0;

  override async onOpen(): Promise<void> {
    const length = Number(this.info.getArgument('send') ?? 0);
    if (length > 0) {
      Sending.#count += 1;
      this.send(String(Sending.#count).padEnd(length, 'x'));
    }
    if (this.info.getArgument('opening') !== undefined) await new Promise<never>(() => {});
  }
}

const changes = JSON.parse(process.argv[2] ?? '{}') as SockJSSettings & { readonly pending?: true };
const { pending, ...settings } = changes;
const authorize = pending === true ? { authorize: () => new Promise<never>(() => {}) } : {};
const router = new SockJSRouter(Sending, '/echo', { logger: false, ...authorize, ...settings });
const server = createServer();
router.attach(server);
const port = await listen(server);
process.send?.({ port });

async function report(): Promise<MemoryReport> {
  await collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return { bytes: heapUsed + external, stats: router.stats.dump() };
}

process.on('message', () => {
  void report().then((result) => process.send?.(result));
});

/**
 * The server of never-reading-clients.test.ts, as a separate process whose memory can be measured. It has the default
 * settings except for the policy and `disconnectDelay`. On a message from its parent it sends to every client, and
 * reports the result.
 */
import { createServer } from 'node:http';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';

const MESSAGE = 64 * 1024;
/** 12.5 MiB to each client. */
const ROUNDS = 200;

export interface Report {
  /** Number of calls of `send`. */
  readonly sent: number;
  readonly dropped: number;
  readonly closed: number;
  /** Maximum of `bufferedBytes` in the statistics. */
  readonly mostBuffered: number;
  readonly milliseconds: number;
  /** Resident memory in bytes, with all clients connected, before the first message. */
  readonly before: number;
  /** Maximum of the resident memory in each quarter of the rounds. */
  readonly quarters: readonly number[];
}

const bytes = Buffer.alloc(MESSAGE, 'x');

/** Creates a text that shares no memory with another one. */
function freshText(): string {
  return bytes.toString('latin1');
}

async function flood(router: SockJSRouter): Promise<Report> {
  const before = process.memoryUsage.rss();
  const quarters = [0, 0, 0, 0];
  const began = performance.now();
  let sent = 0;
  let mostBuffered = 0;
  for (let round = 0; round < ROUNDS && router.stats.dump().sessionsActive > 0; round += 1) {
    const shared = freshText();
    for (const connection of router.connections) {
      const waitsAsText = connection.transport === 'xhr' && slowConsumer === 'close';
      connection.send(waitsAsText ? freshText() : shared);
      sent += 1;
    }
    mostBuffered = Math.max(mostBuffered, router.stats.dump().bufferedBytes);
    await new Promise(setImmediate);
    const quarter = Math.floor((round * 4) / ROUNDS);
    quarters[quarter] = Math.max(quarters[quarter] ?? 0, process.memoryUsage.rss());
  }
  const { packetsDroppedTotal: dropped, closed } = router.stats.dump();
  const milliseconds = performance.now() - began;
  return {
    sent,
    dropped,
    closed: closed.slowConsumer,
    mostBuffered,
    milliseconds,
    before,
    quarters,
  };
}

const slowConsumer = process.argv[2] === 'drop-oldest' ? 'drop-oldest' : 'close';
// No session may time out during the flood: the policy alone decides.
const settings = { slowConsumer, disconnectDelay: 60_000 } as const;
const router = new SockJSRouter(SockJSConnection, '/echo', settings);
const server = createServer();
router.attach(server);
server.listen(0, '127.0.0.1', () => process.send?.({ address: server.address() }));
process.on('message', () => {
  void flood(router).then((report) => process.send?.({ report }));
});

/**
 * The server of never-reading.test.ts, in a process of its own whose memory can be measured: the default
 * settings, but for the policy, and for how long a session may stay between polls. When it is told to, it sends to every client, and says what became of it.
 */
import { createServer } from 'node:http';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';

const MESSAGE = 64 * 1024;
/** 25 MiB to each client. */
const ROUNDS = 400;

export interface Report {
  /** Messages that were given to `send`, in all. */
  readonly sent: number;
  readonly dropped: number;
  readonly closed: number;
  /** The most that waited at once, as the statistics count it. */
  readonly mostBuffered: number;
  readonly milliseconds: number;
  /** Resident memory, in bytes: with all clients there, before anything is sent. */
  readonly before: number;
  /** And the most in each quarter of the rounds. */
  readonly quarters: readonly number[];
}

const bytes = Buffer.alloc(MESSAGE, 'x');

/** A text that shares its memory with no other. */
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
// While the flood lasts, nobody vanishes: the policy decides what becomes of them.
const settings = { slowConsumer, disconnectDelay: 60_000 } as const;
const router = new SockJSRouter(SockJSConnection, '/echo', settings);
const server = createServer();
router.attach(server);
server.listen(0, '127.0.0.1', () => process.send?.({ address: server.address() }));
process.on('message', () => {
  void flood(router).then((report) => process.send?.({ report }));
});

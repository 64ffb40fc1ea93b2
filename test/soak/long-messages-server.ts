/**
 * The server of long-messages.ts. It broadcasts on a message of its parent, and measures each turn of its event loop
 * until all clients have got the broadcast.
 */
import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';

export interface Broadcast {
  readonly unit: string;
  readonly bytes: number;
}

export interface Stall {
  /** Longest turn of the event loop, in milliseconds. */
  readonly longest: number;
  /** Longest turn without the time in which the system took data. */
  readonly longestWithoutWrites: number;
  /** Longest turn by the processor time that this process spent outside the system. */
  readonly longestUserTime: number;
  readonly milliseconds: number;
  readonly residentBytes: number;
  readonly bufferedBytes: number;
  readonly closed: number;
}

let writeTime = 0;

/** Measures the time that the system takes for writes. */
function measureWrites(): void {
  for (const name of ['_write', '_writev']) {
    const write: unknown = Reflect.get(Socket.prototype, name);
    if (typeof write !== 'function') throw new TypeError(`Socket has no ${name}.`);
    Reflect.set(Socket.prototype, name, function timed(this: Socket, ...args: unknown[]) {
      const began = performance.now();
      Reflect.apply(write, this, args);
      writeTime += performance.now() - began;
    });
  }
}

async function measure(router: SockJSRouter, { unit, bytes }: Broadcast): Promise<Stall> {
  const text = unit.repeat(Math.floor(bytes / Buffer.byteLength(unit)));
  const clients = router.stats.dump().sessionsActive;
  const sent = router.stats.dump().packetsSentTotal + clients;
  let [longest, longestWithoutWrites, longestUserTime] = [0, 0, 0];
  let [residentBytes, bufferedBytes] = [0, 0];
  const began = performance.now();
  const isUnderWay = (): boolean => {
    const { packetsSentTotal, sessionsActive } = router.stats.dump();
    return packetsSentTotal < sent - (clients - sessionsActive);
  };
  let isFirst = true;
  do {
    const [start, writes, cpu] = [performance.now(), writeTime, process.threadCpuUsage()];
    if (isFirst) router.broadcast(text);
    isFirst = false;
    await new Promise(setImmediate);
    const time = performance.now() - start;
    longest = Math.max(longest, time);
    longestWithoutWrites = Math.max(longestWithoutWrites, time - (writeTime - writes));
    longestUserTime = Math.max(longestUserTime, process.threadCpuUsage(cpu).user / 1000);
    residentBytes = Math.max(residentBytes, process.memoryUsage.rss());
    bufferedBytes = Math.max(bufferedBytes, router.stats.dump().bufferedBytes);
  } while (isUnderWay());
  const milliseconds = performance.now() - began;
  const closed = router.stats.dump().closed.slowConsumer;
  return {
    longest,
    longestWithoutWrites,
    longestUserTime,
    milliseconds,
    residentBytes,
    bufferedBytes,
    closed,
  };
}

measureWrites();
// The clients share one process, which may take long to read.
const settings = { disconnectDelay: 60_000, writeTimeout: 60_000, pingTimeout: 60_000 };
const router = new SockJSRouter(SockJSConnection, '/echo', settings);
const server = createServer({ keepAliveTimeout: 60_000 });
router.attach(server);
server.listen(0, '127.0.0.1', () => process.send?.({ address: server.address() }));
process.on('message', (message: Broadcast | 'attached') => {
  if (message === 'attached') process.send?.({ attached: router.stats.dump().connectionsActive });
  else void measure(router, message).then((stall) => process.send?.({ stall }));
});
process.on('disconnect', () => process.exit());

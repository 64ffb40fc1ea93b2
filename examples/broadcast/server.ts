/**
 * A load generator. It broadcasts a message of SIZE characters (128), RATE times per second (10), to every client of
 * `/broadcast` on PORT (9999), and prints its statistics every 5 s.
 */
import { SockJSConnection, SockJSRouter } from 'sockjs-server';

const { PORT = '9999', SIZE = '128', RATE = '10' } = process.env;
const TICK = 10;
const REPORT = 5000;

const router = new SockJSRouter(SockJSConnection, '/broadcast');
const message = 'x'.repeat(Number(SIZE));
const messagesPerTick = (Number(RATE) * TICK) / 1000;

const start = performance.now();
let sent = 0;

// Counts from the start, so that a late tick sends the missing messages and keeps the rate.
function tick(): void {
  const due = Math.floor(((performance.now() - start) / TICK) * messagesPerTick);
  for (; sent < due; sent += 1) router.broadcast(router.connections, message);
}

function report(): void {
  const { sessionsActive, packetsSentPs } = router.stats.dump();
  console.log(`${sessionsActive} clients, ${packetsSentPs} messages per second`);
}

async function stop(): Promise<void> {
  await router.close({ timeout: 1000 });
  process.exit();
}

const server = router.listen(Number(PORT));
server.on('listening', () => {
  console.log(`Broadcast of ${RATE} × ${SIZE} characters a second on`, server.address());
  setInterval(tick, TICK);
  setInterval(report, REPORT);
});
process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());

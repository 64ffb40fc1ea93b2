/** One worker: a node of the cluster, which serves any request of any session. */
import { createServer } from 'node:http';
import { SockJSConnection, SockJSRouter, createCluster } from 'sockjs-server';
import { ipcBackplane } from 'sockjs-server/ipc';

const DRAIN_TIMEOUT = 1000;
const FLUSH_TIMEOUT = 300;

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

// All workers are on this machine.
const cluster = createCluster({ backplane: ipcBackplane(), listen: { host: '127.0.0.1' } });
const router = new SockJSRouter(Echo, '/echo', { cluster });
// Other routes, or Express, belong here.
const server = createServer();
router.attach(server);

async function drain(): Promise<void> {
  await router.close({ timeout: DRAIN_TIMEOUT });
  process.send?.('drained');
}

function end(): void {
  server.close(() => process.exit());
  setTimeout(() => process.exit(), FLUSH_TIMEOUT);
}

process.on('message', (message: unknown) => {
  if (message === 'drain') void drain();
  if (message === 'end') end();
});
// The terminal and systemd signal every process. The primary decides when workers exit.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

await cluster.ready();
server.listen(Number(process.env['PORT'] ?? 9999));

/**
 * One worker: a complete server on a private port, behind the port that all workers share. Workers share nothing else:
 * `router.connections` has only the clients of this worker.
 */
import { type RequestListener, createServer } from 'node:http';
import { SockJSConnection, SockJSRouter } from 'sockjs-server';
import { ownerOf, relay } from './relay.ts';

const { INDEX, WORKERS, PORT = '9999' } = process.env;
const DRAIN_TIMEOUT = 1000;
const FLUSH_TIMEOUT = 300;

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

// Relayed requests come from this machine, with the address of the client in a header.
const router = new SockJSRouter(Echo, '/echo', { trustedProxies: ['loopback'] });
// As without a cluster. Other routes, or Express, belong here. The other workers close idle connections.
const privateServer = createServer({ keepAliveTimeout: 0 });
router.attach(privateServer);

/** The private ports of all workers. */
let ports: readonly number[] = [];

const route: RequestListener = (request, response) => {
  const owner = ownerOf(request.url ?? '', Number(WORKERS)) ?? Number(INDEX);
  if (owner === Number(INDEX)) privateServer.emit('request', request, response);
  else relay(request, response, ports[owner]);
};

const shared = createServer(route);
shared.on('upgrade', (...upgrade) => privateServer.emit('upgrade', ...upgrade));

async function drain(): Promise<void> {
  await router.close({ timeout: DRAIN_TIMEOUT });
  process.send?.('drained');
}

function end(): void {
  shared.close(() => process.exit());
  setTimeout(() => process.exit(), FLUSH_TIMEOUT);
}

process.on('message', (message: unknown) => {
  if (message === 'drain') void drain();
  if (message === 'end') end();
  if (!Array.isArray(message)) return;
  ports = message.map(Number);
  if (!shared.listening) shared.listen(Number(PORT));
});
// The terminal and systemd signal every process. The primary decides when workers exit.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

privateServer.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
  const address = privateServer.address();
  if (typeof address === 'object') process.send?.(address?.port);
});

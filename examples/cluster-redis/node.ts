/** One node of the cluster. It serves any request of any session, and the page. */
import { type IncomingMessage, createServer } from 'node:http';
import { createClient } from 'redis';
import { SockJSConnection, SockJSRouter, createCluster } from 'sockjs-server';
import { redisBackplane } from 'sockjs-server/redis';
import { filesFor, serveFiles } from '../site/files.ts';

const { NAME = '', PORT, REDIS_SOCKET = '' } = process.env;
const DRAIN_TIMEOUT = 2000;

const backplane = redisBackplane(createClient({ socket: { path: REDIS_SOCKET, tls: false } }));
// All nodes are on this machine.
const cluster = createCluster({ backplane, listen: { host: '127.0.0.1' } });

/** Returns each message. Its session is on this node, whichever node receives its requests. */
class Echo extends SockJSConnection {
  override onOpen(): void {
    void this.join('clients', { presence: { node: NAME, transport: this.transport } });
  }

  override onMessage(text: string): void {
    this.send(text);
  }
}

/** A page, which gets the requests and the clients of all nodes. */
class Page extends SockJSConnection {
  override onOpen(): void {
    void this.join('pages');
    void showClients();
  }
}

// HAProxy is on this machine too.
const settings = { cluster, trustedProxies: ['loopback'] };
const echo = new SockJSRouter(Echo, '/echo', settings);
const pages = new SockJSRouter(Page, '/pages', settings);

/** Sends something to the pages on all nodes. */
function show(event: object): void {
  pages.group('pages').broadcast(JSON.stringify(event));
}

async function showClients(): Promise<void> {
  const members = await echo.group('clients').presence();
  const clients = members.map(({ id, presence }) => ({ id, presence }));
  show({ type: 'clients', nodes: cluster.members.length, clients });
}

/** Shows a request of a session: `/echo/<server>/<session>/<transport>`. */
function showRequest({ url = '' }: IncomingMessage): void {
  const [path = ''] = url.split('?', 1);
  const [, prefix, , session, transport] = path.split('/');
  if (prefix !== 'echo' || transport === undefined) return;
  show({ type: 'request', node: NAME, session, transport });
}

const files = serveFiles(filesFor(['cluster-redis']));
const server = createServer((request, response) => {
  showRequest(request);
  if (!echo.handle(request, response) && !pages.handle(request, response)) files(request, response);
});
server.on('upgrade', (request, socket, head) => {
  showRequest(request);
  if (!echo.handleUpgrade(request, socket, head) && !pages.handleUpgrade(request, socket, head))
    socket.destroy();
});

async function stop(): Promise<void> {
  await Promise.all([echo, pages].map((router) => router.close({ timeout: DRAIN_TIMEOUT })));
  await cluster.close();
  process.exit();
}

await cluster.ready();
const update = (): void => void showClients().catch(() => {});
echo.group('clients').watch({ joined: update, updated: update, left: update, missed: update });
process.on('message', () => void stop());
process.on('disconnect', () => process.exit()); // The program that starts the nodes has ended.
// A terminal and systemd signal every process. The program that starts the nodes sends a message.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
server.listen(Number(PORT), '127.0.0.1', () => process.send?.('listening'));

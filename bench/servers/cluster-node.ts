/**
 * One node of a cluster over Redis, with the built package. Arguments: interval of heartbeats, URL of Redis, namespace,
 * number of nodes, `disconnectDelay`. It reports its port once it sees all nodes.
 */
import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { createClient } from 'redis';
import { SockJSConnection, SockJSRouter, createCluster } from 'sockjs-server';
import { redisBackplane } from 'sockjs-server/redis';
import { HEARTBEAT_MS, serveMeasured } from './measured.ts';

const [, , , url = '', namespace = '', nodes = '', disconnectDelay = ''] = process.argv;

/** Group of all WebSockets. */
const GROUP = 'all';

class Echo extends SockJSConnection {
  override onOpen(): void {
    if (this.transport === 'websocket') void this.join(GROUP);
  }

  override onMessage(message: string): void {
    this.send(message);
  }
}

const cluster = createCluster({
  backplane: redisBackplane(createClient({ url })),
  listen: { host: '127.0.0.1' },
  namespace,
});
const server = createServer({ keepAliveTimeout: 0 }); // A client keeps a connection to each node.
const router = new SockJSRouter(Echo, '/echo', {
  cluster,
  jsessionid: false,
  heartbeatDelay: HEARTBEAT_MS,
  responseLimit: 2 ** 30, // A stream lasts for a whole measurement.
  disconnectDelay: Number(disconnectDelay),
  // All clients have one address.
  maxSessions: 1_000_000,
  maxSessionsPerAddress: 1_000_000,
  maxPendingDecisions: 1_000_000,
  maxPendingDecisionsPerAddress: 1_000_000,
}).attach(server);
await cluster.ready();
while (cluster.members.length < Number(nodes)) await setTimeout(20);
serveMeasured(
  server,
  (text) => router.group(GROUP).broadcast(text),
  () => cluster.stats.relayedOut,
);

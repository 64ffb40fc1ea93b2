/** The process of one node: a router that echoes, and reports of what it has received. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';
import { createClient } from 'redis';
import type { Backplane, BackplaneListener, Membership } from '../../src/backplane/backplane.ts';
import { natsBackplane } from '../../src/extras/nats.ts';
import { redisBackplane } from '../../src/extras/redis.ts';
import { SockJSConnection, SockJSRouter, createCluster } from '../../src/index.ts';
import type { NodeCommand, NodeOptions, NodeReport } from './node-messages.ts';

const { name, engine, engineUrl, port, relayPort, routes, disconnectDelay } = JSON.parse(
  process.argv[2] ?? '',
) as NodeOptions;

const PUBLISH_INTERVAL_MS = 10;
/** Delay in publishing that the next messages make up for. */
const MAX_DELAY_MS = 100;

type PublishCommand = Extract<NodeCommand, { readonly type: 'publish' }>;

function report(message: NodeReport): void {
  process.send?.(message);
}

let received: string[] = [];

function reportReceived(text: string): void {
  if (received.length === 0)
    setImmediate(() => {
      report({ type: 'messages', texts: received });
      received = [];
    });
  received.push(text);
}

class Echo extends SockJSConnection {
  override onOpen(): void {
    this.send(`node ${name}`);
  }

  override onMessage(text: string): void {
    reportReceived(text);
    if (text === 'close') this.close(3000, 'closed by the client');
    else this.send(text);
  }
}

async function openBackplane(): Promise<Backplane> {
  if (engine === 'redis') return redisBackplane(createClient({ url: engineUrl }));
  const connection = await connect({
    servers: engineUrl,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  });
  return natsBackplane(connection);
}

/** A topic that this node has subscribed to for a test. */
let watched = '';
const seen = { received: 0, missed: 0, isDisordered: false, last: 0 };

function onTopic(data: string): void {
  const number = Number(data.slice(0, data.indexOf(' ')));
  if (number <= seen.last) seen.isDisordered = true;
  seen.last = number;
  seen.received += 1;
}

/** Returns the cards with the addresses under which this node reaches the others. */
function reroute(cards: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const entries = [...cards].map(([node, card]): [string, string] => {
    const address = JSON.parse(card) as { readonly port: number };
    return [node, JSON.stringify({ ...address, port: routes?.[address.port] ?? address.port })];
  });
  return new Map(entries);
}

/** Adds the topic of the test and the routes between nodes to the listener of the cluster. */
function observe(listener: BackplaneListener): BackplaneListener {
  return {
    onMessage(topic, from, data) {
      if (topic === watched) onTopic(data);
      else listener.onMessage(topic, from, data);
    },
    onMissed(topic, from) {
      if (topic === undefined || topic === watched) seen.missed += 1;
      if (topic !== watched) listener.onMissed(topic, from);
    },
    onMembers: (cards) => listener.onMembers(reroute(cards)),
    onClaimLost: (key) => listener.onClaimLost(key),
    onUp: () => listener.onUp(),
    onDown: () => listener.onDown(),
  };
}

const backplane = await openBackplane();
const join = backplane.join.bind(backplane);
backplane.join = (membership: Membership) =>
  join({ ...membership, listener: observe(membership.listener) });

const cluster = createCluster({ backplane, listen: { host: '127.0.0.1', port: relayPort } });
const router = new SockJSRouter(Echo, '/echo', {
  cluster,
  jsessionid: false,
  trustedProxies: ['127.0.0.1'],
  disconnectDelay,
});
await cluster.ready();
const server = router.listen(port, '127.0.0.1');
await once(server, 'listening');

async function publish(command: PublishCommand): Promise<NodeReport> {
  const { topic, first, count, bytes, rate } = command;
  const filling = 'x'.repeat(bytes);
  const start = performance.now();
  const lostBefore = backplane.lostPublishes;
  let due = start;
  for (let sent = 0; sent < count; sent += 1) {
    backplane.publish(topic, `${first + sent} ${filling}`);
    due += (bytes * 1000) / rate;
    const ahead = due - performance.now();
    // After a stall of the process it does not catch up, which could exceed the limit for pending messages.
    if (ahead < -MAX_DELAY_MS) due = performance.now();
    if (ahead > PUBLISH_INTERVAL_MS) await sleep(ahead);
  }
  const ms = performance.now() - start;
  return { type: 'published', ms, lost: backplane.lostPublishes - lostBefore };
}

async function close(): Promise<void> {
  await router.close();
  await cluster.close();
  report({ type: 'closed' });
  setImmediate(() => process.exit());
}

async function run(command: NodeCommand): Promise<void> {
  switch (command.type) {
    case 'close':
      return close();
    case 'stats': {
      const { members, claims, backplaneUp: isUp, relayedIn, relayedOut } = cluster.stats;
      const { sessionsActive } = router.stats.dump();
      const counts = { members, claims, isUp, relayedIn, relayedOut, sessionsActive };
      return report({ type: 'stats', ...counts, rssBytes: process.memoryUsage.rss(), topic: seen });
    }
    case 'subscribe':
      watched = command.topic;
      await backplane.subscribe(command.topic);
      return report({ type: 'subscribed' });
    case 'publish':
      return report(await publish(command));
  }
}

process.on('message', (command: NodeCommand) => void run(command));
// The test has ended.
process.on('disconnect', () => process.exit());
report({ type: 'ready' });

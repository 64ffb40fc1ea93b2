/** Commands that sessions cause in Redis. Guarantee of docs/cluster.md: traffic of open sessions needs no engine. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { createClient } from 'redis';
import { redisBackplane } from '../../src/extras/redis.ts';
import { SockJSConnection, SockJSRouter, createCluster } from '../../src/index.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { openOfficial } from '../../testkit/official-client.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { RedisCommands } from '../../testkit/redis-commands.ts';
import { startRedis } from '../../testkit/redis-server.ts';
import { portOf } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

const NODES = 3;
const SESSIONS = 20;
const ROUNDS = 5;
const NOTHING = { claims: 0, lookups: 0, releases: 0, publishes: 0 };

/** Sessions wait for their next request for as long as the test takes. */
const DISCONNECT_DELAY_MS = 60_000;

class Echo extends SockJSConnection {
  override onMessage(text: string): void {
    this.send(text);
  }
}

interface Cluster {
  readonly ports: readonly number[];
  readonly commands: RedisCommands;
  /** Returns the number of claims that all nodes hold. */
  readonly claims: () => number;
  readonly closeRouters: () => Promise<unknown>;
}

async function startCluster(t: TestContext): Promise<Cluster> {
  const redis = await startRedis();
  const commands = await RedisCommands.connect(redis.url);
  const logger = new RecordingLogger();
  const nodes = await Promise.all(
    Array.from({ length: NODES }, async () => {
      const backplane = redisBackplane(createClient({ url: redis.url }));
      const cluster = createCluster({ backplane, listen: { host: '127.0.0.1' }, logger });
      const router = new SockJSRouter(Echo, '/echo', {
        cluster,
        logger,
        disconnectDelay: DISCONNECT_DELAY_MS,
      });
      const server = router.listen(0, '127.0.0.1');
      await once(server, 'listening');
      await cluster.ready();
      return { cluster, router, port: portOf(server) };
    }),
  );
  const closeRouters = (): Promise<unknown> =>
    Promise.all(nodes.map(({ router }) => router.close({ timeout: 0 })));
  t.after(async () => {
    await closeRouters();
    await Promise.all(nodes.map(({ cluster }) => cluster.close()));
    commands.close();
    await redis.close();
  });
  await until(() => nodes.every(({ cluster }) => cluster.members.length === NODES), 'all members');
  await commands.heartbeats(NODES);
  return {
    ports: nodes.map(({ port }) => port),
    commands,
    closeRouters,
    claims: () => nodes.reduce((sum, { cluster }) => sum + cluster.stats.claims, 0),
  };
}

/** Sends requests of a session. Each one goes to the next node. */
class Session {
  readonly #ports: readonly number[];
  readonly #path: string;
  #next: number;

  constructor(ports: readonly number[], id: number) {
    this.#ports = ports;
    this.#path = `/echo/000/session-${id}`;
    this.#next = id;
  }

  async poll(): Promise<string> {
    return (await httpRequest(this.#port(), { method: 'POST', path: `${this.#path}/xhr` })).body;
  }

  async send(text: string): Promise<void> {
    const body = JSON.stringify([text]);
    const request = { method: 'POST', path: `${this.#path}/xhr_send`, body };
    assert.equal((await httpRequest(this.#port(), request)).status, 204);
  }

  async echo(): Promise<void> {
    await this.send('text');
    assert.equal(await this.poll(), 'a["text"]\n');
  }

  #port(): number {
    this.#next += 1;
    return this.#ports[this.#next % this.#ports.length] ?? 0;
  }
}

function withoutPublishes<T extends { publishes: number }>(commands: T): T {
  return { ...commands, publishes: 0 };
}

test('a WebSocket session causes no command', async (t) => {
  const { ports, commands } = await startCluster(t);
  const caused = await commands.during(NODES, async () => {
    for (const port of ports) {
      const url = `http://127.0.0.1:${port}/echo`;
      const client = await openOfficial(t, url, { transports: 'websocket' });
      client.send('text');
      assert.equal(await client.next(), 'text');
      client.close();
    }
  });
  assert.deepEqual(withoutPublishes(caused), NOTHING);
});

test('an HTTP session causes one command per node and a release', async (t) => {
  const { ports, commands, claims, closeRouters } = await startCluster(t);
  const sessions = Array.from({ length: SESSIONS }, (_, id) => new Session(ports, id));
  const opened = await commands.during(NODES, async () => {
    for (const session of sessions) {
      assert.equal(await session.poll(), 'o\n');
      await session.echo();
    }
  });
  assert.equal(opened.claims + opened.lookups, NODES * SESSIONS);
  assert.equal(opened.releases, 0);
  assert.equal(claims(), SESSIONS);

  const used = await commands.during(NODES, async () => {
    for (const session of sessions)
      for (let round = 0; round < ROUNDS; round += 1) await session.echo();
  });
  assert.deepEqual(withoutPublishes(used), NOTHING);

  const ended = await commands.during(NODES, async () => {
    await closeRouters();
    await until(() => claims() === 0, 'the releases');
  });
  // The script of each release also stores the close frame for late polls.
  assert.deepEqual([ended.releases, ended.lookups], [SESSIONS, 0]);
});

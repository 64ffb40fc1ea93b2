/** Errors of connections to Redis. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { RedisClient } from '../../src/backplane/redis-connection.ts';
import { RedisEngine } from '../../src/backplane/redis-engine.ts';
import { NO_ENGINE_LISTENER } from '../../src/backplane/engine.ts';
import { StallingStage } from '../../testkit/network-faults.ts';
import { startRedis } from '../../testkit/redis-server.ts';
import { freePorts } from '../../testkit/server.ts';
import { type Stage, TcpRelay } from '../../testkit/tcp-relay.ts';
import { until } from '../../testkit/until.ts';

const CLIENTS: readonly (readonly [name: string, create: (url: string) => RedisClient])[] = [
  ['redis', (url) => createClient({ url })],
  ['ioredis', (url) => new Redis(url, { lazyConnect: true })],
];

for (const [name, create] of CLIENTS) {
  test(`the error names the cause if ${name} cannot connect`, async (t) => {
    const [port] = await freePorts(1);
    for (const host of ['127.0.0.1', 'localhost']) {
      const engine = new RedisEngine(create(`redis://${host}:${port}`));
      t.after(() => engine.close());
      await assert.rejects(engine.connect('test', NO_ENGINE_LISTENER), {
        code: 'ERR_BACKPLANE',
        message: /ECONNREFUSED/,
      });
    }
  });

  test(`the error names the cause if Redis refuses the password of ${name}`, async (t) => {
    const server = await startRedis();
    t.after(() => server.close());
    const engine = new RedisEngine(create(server.url.replace('//', '//ann:wrong@')));
    t.after(() => engine.close());
    await assert.rejects(engine.connect('test', NO_ENGINE_LISTENER), /WRONGPASS/);
  });

  test(`${name} ends a subscription that was given up during an outage`, async (t) => {
    const server = await startRedis();
    t.after(() => server.close());
    const engine = new RedisEngine(create(server.url));
    t.after(() => engine.close());
    let downs = 0;
    let ups = 0;
    const onDown = (): void => {
      downs += 1;
    };
    const onUp = (): void => {
      ups += 1;
    };
    await engine.connect('test', { ...NO_ENGINE_LISTENER, onDown, onUp });
    await Promise.all([engine.subscribe('kept'), engine.subscribe('left')]);
    await server.kill();
    await until(() => downs > 0, 'the outage');
    await assert.rejects(engine.unsubscribe('left'));
    await server.start();
    await until(() => ups > 0, 'the end of the outage');
    const inspector = createClient({ url: server.url });
    await inspector.connect();
    const channels = async (): Promise<string> =>
      (await inspector.pubSubChannels()).toSorted().join();
    await until(
      async () => (await channels()) === 'test:topic:kept',
      'the end of the subscription',
    );
    inspector.destroy();
  });

  test(`connections of ${name} that stay open without a response are replaced`, async (t) => {
    const server = await startRedis();
    t.after(() => server.close());
    // Only the connections of the beginning lose their host.
    const gone = new StallingStage();
    let opened = 0;
    const stage: Stage = (next, connection) => {
      opened = Math.max(opened, connection.index + 1);
      return connection.index < 2 ? gone.stage(next, connection) : next;
    };
    const relay = await TcpRelay.start(Number(new URL(server.url).port), {
      toServer: stage,
      toClient: stage,
    });
    t.after(() => relay.close());
    const messages: string[] = [];
    const engine = new RedisEngine(create(`redis://127.0.0.1:${relay.port}`));
    t.after(() => engine.close());
    const onMessage = (topic: string, data: string): void => {
      messages.push(`${topic} ${data}`);
    };
    await engine.connect('test', { ...NO_ENGINE_LISTENER, onMessage });
    await engine.subscribe('news');
    assert.equal(opened, 2);
    gone.stall();
    let hasRead = false;
    const read = (): void => {
      engine.read('claim', 'key').then(
        () => {
          hasRead = true;
        },
        () => {},
      );
    };
    await until(
      () => {
        read();
        return hasRead;
      },
      'a response on another connection',
      { timeout: 20_000 },
    );
    await until(
      async () => {
        await engine.publish('news', 'text');
        return messages.includes('news text');
      },
      'a message on another connection',
      { timeout: 20_000 },
    );
  });
}

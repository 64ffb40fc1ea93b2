/** Errors of connections to Redis. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { RedisClient } from '../../src/backplane/redis-connection.ts';
import { RedisEngine } from '../../src/backplane/redis-engine.ts';
import { NO_ENGINE_LISTENER } from '../../src/backplane/engine.ts';
import { startRedis } from '../../testkit/redis-server.ts';
import { freePorts } from '../../testkit/server.ts';

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
}

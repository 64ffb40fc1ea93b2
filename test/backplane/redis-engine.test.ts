import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { RedisClient } from '../../src/backplane/redis-connection.ts';
import { RedisEngine } from '../../src/backplane/redis-engine.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { startRedis } from '../../testkit/redis-server.ts';
import { type EngineUnderTest, testContract } from './contract.ts';

async function start(client: (url: string) => RedisClient): Promise<EngineUnderTest> {
  const server = await startRedis();
  const faults = new EngineFaults();
  return {
    createEngine: async () => faults.wrap(new RedisEngine(client(server.url))),
    freeze: (ms) => server.freeze(ms),
    stop: () => server.kill(),
    start: () => server.start(),
    startEmpty: () => server.startEmpty(),
    deafen: async () => faults.deafen(),
    countRecords: async (namespace) => {
      const inspector = createClient({ url: server.url });
      await inspector.connect();
      const keys = await inspector.keys(`*${namespace}*`);
      inspector.destroy();
      return keys.filter((key) => !key.startsWith(`${namespace}:cluster:`)).length;
    },
    close: () => server.close(),
  };
}

testContract('redis', () => start((url) => createClient({ url })));
testContract('ioredis', () => start((url) => new Redis(url, { lazyConnect: true })));

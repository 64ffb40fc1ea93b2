/** Wrong arguments of the functions that create backplanes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster as createRedisCluster } from 'redis';
import { natsBackplane } from '../../src/extras/nats.ts';
import { redisBackplane } from '../../src/extras/redis.ts';
import { SockJSError, createCluster, memoryBackplane } from '../../src/index.ts';

const PASSWORD = 'secret-password';
const URL = `redis://:${PASSWORD}@127.0.0.1:6379`;

/** Asserts that a value is refused with an explanation that does not show it. */
function assertRefused(create: (value: never) => unknown, value: unknown, text: RegExp): void {
  assert.throws(
    () => create(value as never),
    (error: Error) => {
      assert.ok(error instanceof SockJSError);
      assert.equal(error.code, 'ERR_ARGUMENT');
      assert.match(error.message, text);
      assert.doesNotMatch(error.message, new RegExp(PASSWORD));
      return true;
    },
  );
}

test('redisBackplane takes clients of redis and ioredis that are not connected', () => {
  redisBackplane(createClient({ url: URL }));
  redisBackplane(new Redis(URL, { lazyConnect: true }));
});

const NO_CLIENTS: readonly (readonly [name: string, value: unknown, text: RegExp])[] = [
  ['undefined', undefined, /not undefined\. Pass a client of the package redis/],
  ['a URL', URL, /not a string\. Pass a client .*createClient\(\{ url:/],
  ['options', { url: URL }, /not an object\./],
  ['a promise', Promise.resolve(), /not a promise of one\. Await it/],
  [
    'a cluster client of redis',
    createRedisCluster({ rootNodes: [{ url: URL }] }),
    /a single server, not of a Redis cluster/,
  ],
  [
    'a cluster client of ioredis',
    new Cluster([URL], { lazyConnect: true }),
    /a single server, not of a Redis cluster/,
  ],
];

for (const [name, value, text] of NO_CLIENTS) {
  test(`redisBackplane refuses ${name}`, () => assertRefused(redisBackplane, value, text));
}

for (const [name, value, type] of [
  ['undefined', undefined, 'undefined'],
  ['a URL', 'nats://127.0.0.1', 'a string'],
  ['a promise', Promise.resolve(), 'an instance of Promise'],
  ['options', { servers: 'nats://127.0.0.1' }, 'an object'],
] as const) {
  test(`natsBackplane refuses ${name}`, () => {
    const text = new RegExp(`takes an open connection, not ${type}\\. Pass await connect\\(`);
    assertRefused(natsBackplane, value, text);
  });
}

test('memoryBackplane refuses a value that is not a hub', () => {
  for (const value of [undefined, {}, 'hub'])
    assertRefused(memoryBackplane, value, /takes a hub that the nodes share, new MemoryHub\(\)/);
});

test('the error about a value in the place of a backplane does not show its password', () => {
  for (const backplane of [URL, { url: URL }, createClient({ url: URL })]) {
    assert.throws(
      () => createCluster({ backplane: backplane as never }),
      (error: Error) => error instanceof SockJSError && !error.message.includes(PASSWORD),
    );
  }
});

/** Redis as the backplane of a cluster: `import { redisBackplane } from 'sockjs-server/redis'`. */
import type { Backplane } from '../backplane/backplane.ts';
import { EngineBackplane } from '../backplane/engine-backplane.ts';
import type { RedisClient } from '../backplane/redis-connection.ts';
import { RedisEngine } from '../backplane/redis-engine.ts';
import { describeType } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';
import { isThenable } from '../base/thenable.ts';

export type { Backplane } from '../backplane/backplane.ts';
export type { IORedisClient, NodeRedisClient, RedisClient } from '../backplane/redis-connection.ts';

const USAGE =
  "Pass a client of the package redis, redisBackplane(createClient({ url: 'redis://127.0.0.1:6379' })), or of " +
  "ioredis, redisBackplane(new Redis('redis://127.0.0.1:6379', { lazyConnect: true })).";

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function isClient(value: unknown): boolean {
  const methods = ['duplicate', 'connect', 'subscribe', 'unsubscribe', 'on'];
  if (!methods.every((name) => typeof property(value, name) === 'function')) return false;
  const isNodeRedis = typeof property(value, 'isReady') === 'boolean';
  const isIORedis = typeof property(value, 'status') === 'string';
  return isNodeRedis || isIORedis;
}

/** Explains a value that is no client, or returns undefined. */
function explain(value: unknown): string | undefined {
  if (isThenable(value))
    return 'redisBackplane(client) takes a client, not a promise of one. Await it.';
  if (property(value, 'isCluster') === true || property(value, 'slots') !== undefined)
    return `redisBackplane(client) takes a client of a single server, not of a Redis cluster. ${USAGE}`;
  if (isClient(value)) return undefined;
  return `redisBackplane(client) takes a Redis client, not ${describeType(value)}. ${USAGE}`;
}

/**
 * Creates the backplane of one node on Redis 7 or later.
 *
 * ```ts
 * const client = createClient({ url: 'redis://127.0.0.1:6379' });
 * const cluster = createCluster({ backplane: redisBackplane(client) });
 * ```
 *
 * @param client client of the package `redis` or `ioredis`. Its options are used for two connections of the
 * backplane, which reconnect by themselves. The client itself is not used, so it need not be connected
 * @throws SockJSError `ERR_ARGUMENT` if the value is not a client of a single server
 */
export function redisBackplane(client: RedisClient): Backplane {
  const fault = explain(client);
  if (fault !== undefined) throw new SockJSError('ERR_ARGUMENT', fault);
  return new EngineBackplane(new RedisEngine(client));
}

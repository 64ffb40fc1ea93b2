/** Redis as the backplane of a cluster: `import { redisBackplane } from 'sockjs-server/redis'`. */
import type { Backplane } from '../backplane/backplane.ts';
import { EngineBackplane } from '../backplane/engine-backplane.ts';
import type { RedisClient } from '../backplane/redis-connection.ts';
import { RedisEngine } from '../backplane/redis-engine.ts';

export type { IORedisClient, NodeRedisClient, RedisClient } from '../backplane/redis-connection.ts';

/**
 * Creates the backplane of one node on Redis 7 or later.
 * @param client client of the package `redis` or `ioredis`. Its options are used for two connections of the
 * backplane, so it need not be connected
 */
export function redisBackplane(client: RedisClient): Backplane {
  return new EngineBackplane(new RedisEngine(client));
}

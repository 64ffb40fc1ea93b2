import type { RedisCommands } from '../../testkit/redis-commands.ts';
import type { Nodes, NodesOptions } from './nodes.ts';

/** The surroundings of a measurement of a cluster. */
export interface ClusterConditions {
  readonly redis: RedisCommands;
  readonly pinned: boolean;
  /** Starts nodes over the Redis of the benchmark. */
  readonly start: (options: NodesOptions) => Promise<Nodes>;
}

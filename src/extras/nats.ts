/** NATS as the backplane of a cluster: `import { natsBackplane } from 'sockjs-server/nats'`. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { Backplane } from '../backplane/backplane.ts';
import { EngineBackplane } from '../backplane/engine-backplane.ts';
import { NatsEngine } from '../backplane/nats-engine.ts';
import { describeType } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';
import { isThenable } from '../base/thenable.ts';

export type { Backplane } from '../backplane/backplane.ts';

/**
 * The part of a `NatsConnection` by which one is known. Older module resolutions do not find the types of the package
 * itself.
 */
export interface NatsClient {
  publish(subject: string, payload?: string): void;
  subscribe(subject: string): { unsubscribe(): void };
  flush(): Promise<void>;
  status(): AsyncIterable<{ readonly type: string }>;
  isClosed(): boolean;
}

const METHODS = ['publish', 'subscribe', 'flush', 'status', 'isClosed'];

function isConnection(value: unknown): value is NatsConnection {
  if (typeof value !== 'object' || value === null || isThenable(value)) return false;
  return METHODS.every((name) => typeof Reflect.get(value, name) === 'function');
}

/**
 * Creates the backplane of one node on NATS with JetStream.
 *
 * ```ts
 * const connection = await connect({
 *   servers: 'nats://127.0.0.1:4222',
 *   maxReconnectAttempts: -1, // By default, the connection gives up after 10 attempts.
 *   reconnectTimeWait: 250, // All nodes have to be connected again 2 s after an outage.
 * });
 * const cluster = createCluster({ backplane: natsBackplane(connection) });
 * ```
 *
 * @param connection open connection of `@nats-io/transport-node`. The application may use it too, and closes it after
 * the cluster
 * @throws SockJSError `ERR_ARGUMENT` if the value is not a connection
 */
export function natsBackplane(connection: NatsClient): Backplane {
  if (!isConnection(connection)) {
    const text =
      `natsBackplane(connection) takes an open connection, not ${describeType(connection)}. Pass ` +
      "await connect({ servers: 'nats://127.0.0.1:4222', maxReconnectAttempts: -1 }) of @nats-io/transport-node.";
    throw new SockJSError('ERR_ARGUMENT', text);
  }
  return new EngineBackplane(new NatsEngine(connection));
}

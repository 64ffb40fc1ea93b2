/** NATS as the backplane of a cluster: `import { natsBackplane } from 'sockjs-server/nats'`. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { Backplane } from '../cluster/backplane.ts';
import { EngineBackplane } from '../cluster/engine-backplane.ts';
import { NatsEngine } from '../cluster/nats-engine.ts';

/**
 * Creates the backplane of one node on NATS with JetStream.
 * @param connection open connection, which the backplane does not close
 */
export function natsBackplane(connection: NatsConnection): Backplane {
  return new EngineBackplane(new NatsEngine(connection));
}

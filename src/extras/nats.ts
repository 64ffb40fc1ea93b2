/** NATS as the backplane of a cluster: `import { natsBackplane } from 'sockjs-server/nats'`. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { Backplane } from '../backplane/backplane.ts';
import { EngineBackplane } from '../backplane/engine-backplane.ts';
import { NatsEngine } from '../backplane/nats-engine.ts';

/**
 * Creates the backplane of one node on NATS with JetStream.
 * @param connection open connection, which the backplane does not close
 */
export function natsBackplane(connection: NatsConnection): Backplane {
  return new EngineBackplane(new NatsEngine(connection));
}

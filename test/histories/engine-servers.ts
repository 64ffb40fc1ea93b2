/** Servers of real engines, with the faults that histories cause. */
import { connect } from '@nats-io/transport-node';
import { createClient } from 'redis';
import type { Engine } from '../../src/backplane/engine.ts';
import { NatsEngine } from '../../src/backplane/nats-engine.ts';
import { RedisEngine } from '../../src/backplane/redis-engine.ts';
import type { EngineProcess } from '../../testkit/engine-process.ts';
import { startNats } from '../../testkit/nats-server.ts';
import { startRedis } from '../../testkit/redis-server.ts';

export const ENGINES = ['nats', 'redis'] as const;
export type EngineName = (typeof ENGINES)[number];

export function isEngineName(name: string): name is EngineName {
  return ENGINES.some((known) => known === name);
}

export function startEngineServer(name: EngineName): Promise<EngineProcess> {
  return name === 'redis' ? startRedis() : startNats();
}

/** Connects a node to a server. */
export async function connectEngine(name: EngineName, url: string): Promise<Engine> {
  if (name === 'redis') return new RedisEngine(createClient({ url }));
  const options = { servers: url, reconnectTimeWait: 50, maxReconnectAttempts: -1 };
  return new NatsEngine(await connect(options));
}

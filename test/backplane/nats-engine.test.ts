import { Kvm } from '@nats-io/kv';
import { type NatsConnection, connect } from '@nats-io/transport-node';
import { NatsEngine } from '../../src/backplane/nats-engine.ts';
import { EngineFaults } from '../../testkit/faulty-engine.ts';
import { startNats } from '../../testkit/nats-server.ts';
import { type EngineUnderTest, testContract } from './contract.ts';

async function start(): Promise<EngineUnderTest> {
  const server = await startNats();
  const faults = new EngineFaults();
  const connections: NatsConnection[] = [];
  const open = async (): Promise<NatsConnection> => {
    const options = { servers: server.url, reconnectTimeWait: 50, maxReconnectAttempts: -1 };
    const connection = await connect(options);
    connections.push(connection);
    return connection;
  };
  return {
    createEngine: async () => faults.wrap(new NatsEngine(await open())),
    freeze: (ms) => server.freeze(ms),
    stop: () => server.kill(),
    start: () => server.start(),
    startEmpty: () => server.startEmpty(),
    deafen: async () => faults.deafen(),
    countRecords: async (namespace) => {
      const manager = new Kvm(await open());
      let count = 0;
      for (const kind of ['claim', 'facts', 'member']) {
        const bucket = await manager.open(`${namespace}-${kind}`);
        count += (await Array.fromAsync(await bucket.keys())).length;
      }
      return count;
    },
    close: async () => {
      await Promise.all(connections.map((connection) => connection.close()));
      await server.close();
    },
  };
}

testContract('nats', start);

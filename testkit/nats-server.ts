import { EngineProcess } from './engine-process.ts';

/** Starts a NATS server with JetStream, from the `nats-server` in the `PATH`. */
export function startNats(): Promise<EngineProcess> {
  return EngineProcess.start('nats', {
    program: 'nats-server',
    args(port, folder) {
      const address = ['--addr', '127.0.0.1', '--port', String(port)];
      return [...address, '--jetstream', '--store_dir', folder];
    },
    ready: /Server is ready/,
    records: 'jetstream',
  });
}

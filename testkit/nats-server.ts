import { EngineProcess } from './engine-process.ts';

/**
 * Starts a NATS server with JetStream, from the `nats-server` in the `PATH`.
 * @param configFile file with further settings, which have no argument of their own
 */
export function startNats(configFile?: string): Promise<EngineProcess> {
  return EngineProcess.start('nats', {
    program: 'nats-server',
    args(port, folder) {
      const address = ['--addr', '127.0.0.1', '--port', String(port)];
      const config = configFile === undefined ? [] : ['--config', configFile];
      return [...address, ...config, '--jetstream', '--store_dir', folder];
    },
    ready: /Server is ready/,
    records: 'jetstream',
  });
}

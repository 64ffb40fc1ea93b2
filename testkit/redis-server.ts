import { EngineProcess } from './engine-process.ts';

/** Starts a Redis server that stores each record at once, from the `redis-server` in the `PATH`. */
export function startRedis(): Promise<EngineProcess> {
  return EngineProcess.start('redis', {
    program: 'redis-server',
    args(port, folder) {
      const files = [
        '--dir',
        folder,
        '--save',
        '',
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
      ];
      return ['--port', String(port), '--bind', '127.0.0.1', ...files];
    },
    ready: /Ready to accept connections/,
    records: 'appendonlydir',
  });
}

/**
 * An echo service whose listener of one event is faulty, for connections with the query `fault`. Arguments: the file of
 * the package, the event, and the fault. It prints log lines of severity `error`, `fault` before each fault, and
 * `upgrade PATH` for each upgrade that it has handled, and sends its port by IPC.
 */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { listen } from '../../testkit/server.ts';
import type { LegacyConnection, LegacyModule } from './legacy.ts';

const [, , file = '', faultyEvent = '', kind = ''] = process.argv;
const { createServer: createService } = createRequire(import.meta.url)(file) as LegacyModule;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fault(connection: LegacyConnection): unknown {
  print('fault');
  if (kind === 'closes') return connection.close(500);
  const error = new Error(`the listener of ${faultyEvent} ${kind}`);
  if (kind === 'rejects') return Promise.reject(error);
  throw error;
}

const service = createService({
  prefix: '/echo',
  disconnect_delay: 2000,
  log: (severity: string, line: string) => {
    if (severity === 'error') print(`${severity}: ${line.split('\n', 2).join(' ')}`);
  },
});
service.on('connection', (connection: LegacyConnection) => {
  const isFaulty = connection.url.endsWith('?fault');
  for (const event of ['data', 'end', 'close']) {
    connection.on(event, (text?: string): unknown => {
      if (isFaulty && event === faultyEvent) return fault(connection);
      return event === 'data' && connection.write(text);
    });
  }
  return isFaulty && faultyEvent === 'connection' ? fault(connection) : undefined;
});
const http = createServer((_request, response) => response.end('the application'));
service.installHandlers(http);
http.on('upgrade', ({ url }) => print(`upgrade ${url}`));
process.send?.(await listen(http));

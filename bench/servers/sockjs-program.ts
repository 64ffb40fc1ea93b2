/** A program for npm `sockjs`, which also runs on the drop-in. */
import { createServer } from 'node:http';
import type { Connection, createServer as createService } from 'sockjs';
import { HEARTBEAT_MS, serveMeasured } from './measured.ts';

/** @param options further options of the server */
export function serveEcho(create: typeof createService, options: object = {}): void {
  const service = create({
    prefix: '/echo',
    heartbeat_delay: HEARTBEAT_MS,
    response_limit: 2 ** 30,
    log: () => {},
    ...options,
  });
  const connections = new Set<Connection>();
  service.on('connection', (connection) => {
    connections.add(connection);
    connection.on('data', (message) => connection.write(message));
    connection.on('close', () => connections.delete(connection));
  });
  const server = createServer();
  service.installHandlers(server);
  serveMeasured(server, (text) => {
    for (const connection of connections) connection.write(text);
  });
}

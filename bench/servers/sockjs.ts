/** The older SockJS server for Node. */
import { createServer } from 'node:http';
import { type Connection, createServer as createService } from 'sockjs';
import { HEARTBEAT_MS, serveMeasured } from './measured.ts';

const service = createService({
  prefix: '/echo',
  heartbeat_delay: HEARTBEAT_MS,
  response_limit: 2 ** 30,
  log: () => {},
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

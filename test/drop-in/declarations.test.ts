/** Programs that compile with `@types/sockjs` compile with the drop-in, and run. `npm run check` compiles this one. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { test } from 'node:test';
import {
  type Connection,
  type Server,
  type ServerOptions,
  createServer,
} from '../../src/extras/sockjs.ts';

test('options may be set one after the other', () => {
  const lines: string[] = [];
  const options: ServerOptions = {};
  options.prefix = '/chat';
  options.websocket = false;
  options.log = (severity, line) => {
    lines.push(`${severity.toUpperCase()} ${line.length > 0}`);
  };
  const server: Server = createServer(options);
  const emitter: NodeJS.EventEmitter = server;
  assert.ok(emitter instanceof EventEmitter);
  assert.ok(server.installHandlers(createHttpServer(), { prefix: '/other' }));
  assert.deepEqual(lines, ['DEBUG true']);
  assert.deepEqual([server.options.prefix, server.options.websocket], ['/chat', false]);
});

test('members of a connection may be set', () => {
  const server = createServer();
  const everyone: Record<string, Connection> = {};
  server.on('connection', (connection) => {
    connection.id = 'ada';
    connection.headers['x-own'] = 'value';
    everyone[connection.id] = connection;
  });
  const connection = { headers: {} };
  server.emit('connection', connection);
  assert.equal(everyone['ada'], connection);
  assert.deepEqual(connection, { id: 'ada', headers: { 'x-own': 'value' } });
});

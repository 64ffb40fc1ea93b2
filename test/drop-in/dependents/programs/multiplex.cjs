'use strict';
// Two channels of websocket-multiplex: `echo` and `shout`.
const { createServer } = require('node:http');
const sockjs = require('sockjs');
const { MultiplexServer } = require('websocket-multiplex');

const server = createServer((_request, response) => response.end('application'));
const service = sockjs.createServer({ log() {}, disconnect_delay: 1000 });
const multiplexer = new MultiplexServer(service);
const connections = new Set();
service.on('connection', (connection) => {
  process.send({ event: 'connection', protocol: connection.protocol });
  connections.add(connection);
});

const REPLIES = { echo: (message) => message, shout: (message) => message.toUpperCase() };
for (const [name, reply] of Object.entries(REPLIES)) {
  multiplexer.registerChannel(name).on('connection', (channel) => {
    process.send({ event: 'subscribe', name });
    channel.on('data', (message) => channel.write(reply(message)));
    channel.on('close', () => process.send({ event: 'close', name }));
  });
}

process.on('message', () => {
  for (const connection of connections) connection.close(4000, 'over');
});
service.installHandlers(server, { prefix: '/multiplex' });
server.listen(0, '127.0.0.1', () => process.send(server.address().port));

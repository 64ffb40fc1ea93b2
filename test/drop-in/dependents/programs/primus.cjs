'use strict';
// An echo server of Primus, with asynchronous authorization, which defers the requests to sockjs.
const { createServer } = require('node:http');
const Primus = require('primus');

const server = createServer((_request, response) => response.end('application'));
const primus = new Primus(server, {
  transformer: 'sockjs',
  pathname: '/realtime',
  compression: process.argv.includes('compression'),
  transport: { disconnect_delay: 1000 },
});
primus.authorize((_request, done) => setImmediate(() => done()));

primus.on('connection', (spark) => {
  process.send({
    event: 'connection',
    protocol: spark.socket.protocol,
    isLoopback: spark.address.ip === '127.0.0.1' && spark.address.port > 0,
    room: spark.query.room,
    // sockjs itself passes on a few headers.
    hasAllHeaders: 'connection' in spark.headers && spark.headers.via === undefined,
    method: spark.request.method,
    hasId: spark.id === spark.socket.id,
  });
  spark.on('data', (message) => spark.write(message));
  spark.on('end', () => process.send({ event: 'end' }));
});

const COMMANDS = {
  end: () => primus.forEach((spark) => spark.end()),
  destroy: () => primus.destroy({ close: true }, () => process.send({ event: 'destroyed' })),
};
process.on('message', ([name]) => COMMANDS[name]());
server.listen(0, '127.0.0.1', () => process.send(server.address().port));

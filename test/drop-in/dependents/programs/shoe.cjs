'use strict';
// An echo server of shoe, made of a pipe.
const { createServer } = require('node:http');
const shoe = require('shoe');

const server = createServer((_request, response) => response.end('application'));
const streams = new Set();

const sock = shoe((stream) => {
  process.send({ event: 'connection', protocol: stream.protocol });
  streams.add(stream);
  stream.on('end', () => process.send({ event: 'end' }));
  stream.on('close', () => process.send({ event: 'close' }));
  stream.pipe(stream);
});
sock.install(server, { prefix: '/shoe', disconnect_delay: 1000 });

process.on('message', () => {
  for (const stream of streams) stream.end();
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));

'use strict';
// A chat server like Pokemon Showdown: one SockJS server on an HTTP and on an HTTPS server, rooms that are loops.
const { createServer } = require('node:http');
const { createServer: createSecureServer } = require('node:https');
const deflate = require('permessage-deflate');
const sockjs = require('sockjs');

const [, , key, cert] = process.argv;
const serveFiles = (request, response) => {
  request.resume();
  request.on('end', () => response.end(`file ${request.url}`));
};
const server = createServer(serveFiles);
const secureServer = createSecureServer({ key, cert }, serveFiles);

const sockjsServer = sockjs.createServer({
  sockjs_url: '//play.example/sockjs.min.js',
  prefix: '/showdown',
  log(severity, message) {
    if (severity === 'error') process.send({ event: 'error', message });
  },
  faye_server_options: { extensions: [deflate] },
});

const room = new Map();
let count = 0;
sockjsServer.on('connection', (socket) => {
  if (!socket.remoteAddress) {
    socket.destroy();
    return;
  }
  const id = String(++count);
  room.set(id, socket);
  const client = (socket.headers['x-forwarded-for'] ?? '').split(',').at(-1);
  process.send({ event: 'connect', id, client, protocol: socket.protocol });
  socket.on('data', (message) => {
    if (typeof message !== 'string' || message.startsWith('{')) return;
    for (const member of room.values()) member.write(`${id}|${message}`);
  });
  socket.once('close', () => {
    room.delete(id);
    process.send({ event: 'disconnect', id });
  });
});
sockjsServer.installHandlers(server, {});
sockjsServer.installHandlers(secureServer, {});

process.on('message', ([id]) => {
  room.get(id).destroy();
  room.delete(id);
});
server.listen(0, '127.0.0.1', () => {
  secureServer.listen(0, '127.0.0.1', () => {
    process.send(server.address().port);
    process.send(secureServer.address().port);
  });
});

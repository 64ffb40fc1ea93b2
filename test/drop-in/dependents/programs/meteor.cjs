'use strict';
// Calls that Meteor makes on sockjs and on the HTTP server: packages ddp-server and webapp.
const { createServer } = require('node:http');
const deflate = require('permessage-deflate');
const sockjs = require('sockjs');

const SHORT_TIMEOUT_MS = 5000;
const LONG_TIMEOUT_MS = 120_000;
const PREFIX = '/sockjs';

const server = createServer((request, response) => response.end(`application ${request.url}`));
server.setTimeout(SHORT_TIMEOUT_MS);
server.on('upgrade', (request, socket) => {
  if (request.url === '/hot') socket.end('HTTP/1.1 418 Application\r\nContent-Length: 0\r\n\r\n');
});

// The socket of each URL.
const sockets = new Map();

function adjustTimeout(request, response) {
  sockets.set(request.url, request.socket);
  request.setTimeout(LONG_TIMEOUT_MS);
  // Runs before the listener of Node that detaches the response from the socket.
  const listeners = response.listeners('finish');
  response.removeAllListeners('finish');
  response.on('finish', () => response.setTimeout(SHORT_TIMEOUT_MS));
  for (const listener of listeners) response.on('finish', listener);
}
server.on('request', adjustTimeout);

const sockjsServer = sockjs.createServer({
  prefix: PREFIX,
  log() {},
  heartbeat_delay: 45_000,
  disconnect_delay: 60_000,
  disable_cors: true,
  jsessionid: true,
  faye_server_options: {
    extensions: [deflate.configure({ level: 1, noContextTakeover: true })],
  },
});
server.removeListener('request', adjustTimeout);
sockjsServer.installHandlers(server);
server.addListener('request', adjustTimeout);

for (const event of ['request', 'upgrade']) {
  const listeners = server.listeners(event).slice();
  server.removeAllListeners(event);
  server.addListener(event, (request, ...rest) => {
    const url = new URL(request.url, 'http://dummy');
    if (url.pathname === '/websocket' || url.pathname === '/websocket/')
      request.url = `${PREFIX}/websocket${url.search}`;
    for (const listener of listeners) listener.call(server, request, ...rest);
  });
}

const open = new Set();
sockjsServer.on('connection', (socket) => {
  socket.setWebsocketTimeout = (timeout) => {
    const isWebSocket = socket.protocol === 'websocket' || socket.protocol === 'websocket-raw';
    if (isWebSocket && socket._session.recv) socket._session.recv.connection.setTimeout(timeout);
  };
  socket.setWebsocketTimeout(45_000);
  socket.send = (data) => socket.write(data);
  open.add(socket);
  socket.on('data', (message) => {
    if (message === 'socket timeout') {
      socket._session.recv.connection.once('timeout', () => process.send({ event: 'timeout' }));
      socket.setWebsocketTimeout(50);
    } else {
      socket.send(message);
    }
  });
  socket.on('close', () => {
    open.delete(socket);
    process.send({ event: 'close', open: open.size });
  });
  process.send({
    event: 'connection',
    protocol: socket.protocol,
    url: socket.url,
    timeout: socket._session.recv?.connection?.timeout,
    hasItsSocket: socket._session.recv?.connection?.remotePort === socket.remotePort,
  });
});

const COMMANDS = {
  close() {
    for (const socket of open) socket.end();
  },
  shutDown() {
    // A connection that the server does not close stays open for longer than a test.
    server.keepAliveTimeout = LONG_TIMEOUT_MS;
    COMMANDS.close();
    server.close(() => process.send({ event: 'shut down' }));
  },
  attached() {
    const isAttached = [...open].every((socket) => socket._session.recv !== null);
    process.send({ event: 'attached', isAttached });
  },
  timeout: (url) => process.send({ event: 'timeout', timeout: sockets.get(url)?.timeout }),
};
process.on('message', ([name, ...args]) => COMMANDS[name](...args));
server.listen(0, '127.0.0.1', () => process.send(server.address().port));

'use strict';
// A server like shiny-server: any application below its prefix, connections that a client resumes, and channels.
const { EventEmitter } = require('node:events');
const { createServer } = require('node:http');
const sockjs = require('sockjs');
const { MultiplexServer } = require('websocket-multiplex');

const server = createServer((request, response) => response.end(`application ${request.url}`));
const sockjsServer = sockjs.createServer({
  sockjs_url: '//cdn.example/sockjs.min.js',
  prefix: String.raw`.*/__sockjs__(/[no]=\w+)?`,
  log() {},
  disconnect_delay: 1000,
});

const PROPERTIES = [
  'readable',
  'writable',
  'remoteAddress',
  'remotePort',
  'address',
  'headers',
  'pathname',
  'prefix',
  'protocol',
  'readyState',
];

/** A connection that outlives the connections of SockJS below it, and shows their messages. */
class ResumableConnection extends EventEmitter {
  #connection;
  #isLost = false;
  #unsent = [];

  constructor(connection) {
    super();
    this.use(connection);
  }

  use(connection) {
    this.#connection = connection;
    this.#isLost = false;
    for (const message of this.#unsent.splice(0)) connection.write(message);
    const { emit } = connection;
    connection.emit = (type, ...args) => {
      if (type === 'data') args[0] = args[0].trimEnd();
      if (type === 'end' || type === 'close') {
        this.#isLost = true;
        process.send({ event: `withheld ${type}` });
        return false;
      }
      this.emit(type, ...args);
      return emit.call(connection, type, ...args);
    };
  }

  write(message) {
    if (this.#isLost) this.#unsent.push(message);
    else this.#connection.write(message);
  }
}

const resumable = new Map();
const connections = new EventEmitter();
sockjsServer.on('connection', (connection) => {
  const properties = Object.fromEntries(PROPERTIES.map((name) => [name, connection[name]]));
  const { address, headers, remoteAddress, remotePort, ...rest } = properties;
  process.send({
    event: 'connection',
    ...rest,
    url: connection.url,
    hasAddresses: remoteAddress === '127.0.0.1' && remotePort > 0 && address.port > 0,
    hasHost: headers.host !== undefined,
  });
  const [, kind, id] = /\/([no])=(\w+)/.exec(connection.url) ?? [];
  const known = resumable.get(id);
  if (kind === 'o' && known === undefined) {
    connection.close(4704, 'Your session could not be resumed on the server.');
  } else if (kind === 'o') {
    known.use(connection);
  } else {
    const opened = new ResumableConnection(connection);
    resumable.set(id, opened);
    connections.emit('connection', opened);
  }
});

const channels = new Set();
new MultiplexServer(connections).registerChannel('app').on('connection', (channel) => {
  channels.add(channel);
  channel.on('data', (message) => channel.write(message));
  process.send({ event: 'subscribe' });
});

process.on('message', ([message]) => {
  for (const channel of channels) channel.write(message);
});
sockjsServer.installHandlers(server);
server.listen(0, '127.0.0.1', () => process.send(server.address().port));

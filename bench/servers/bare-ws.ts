/** An echo with `ws` alone: the cost of the runtime and the codec without SockJS. */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { HEARTBEAT_MS, serveMeasured } from './measured.ts';

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.send('o');
});
setInterval(() => {
  for (const socket of sockets.clients) socket.ping();
}, HEARTBEAT_MS);
serveMeasured(server, (text) => {
  for (const socket of sockets.clients) socket.send(text);
});

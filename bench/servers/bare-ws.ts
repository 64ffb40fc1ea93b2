/** Nothing but `ws`, echoing: what the runtime and its codec cost without any SockJS. */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { HEARTBEAT_FRAME, measured } from './measured.ts';

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.send('o');
});
setInterval(() => {
  for (const socket of sockets.clients) socket.ping();
}, HEARTBEAT_FRAME);
measured(server, (text) => {
  for (const socket of sockets.clients) socket.send(text);
});

/** socket.io over WebSocket: it returns an event with one argument. */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { HEARTBEAT_MS, serveMeasured } from './measured.ts';

const server = createServer();
const sockets = new Server(server, { serveClient: false, pingInterval: HEARTBEAT_MS });
sockets.on('connection', (socket) => {
  socket.on('message', (text: string) => socket.emit('message', text));
});
serveMeasured(server, (text) => {
  sockets.emit('message', text);
});

/** socket.io over WebSocket: an event with one argument, which comes back. */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { HEARTBEAT_FRAME, measured } from './measured.ts';

const server = createServer();
const sockets = new Server(server, { serveClient: false, pingInterval: HEARTBEAT_FRAME });
sockets.on('connection', (socket) => {
  socket.on('message', (text: string) => socket.emit('message', text));
});
measured(server, (text) => {
  sockets.emit('message', text);
});

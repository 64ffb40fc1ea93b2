/** engine.io over WebSocket: what socket.io stands on. */
import { createServer } from 'node:http';
import { type Socket, attach } from 'engine.io';
import { HEARTBEAT_FRAME, measured } from './measured.ts';

const server = createServer();
const sockets = new Set<Socket>();
attach(server, { pingInterval: HEARTBEAT_FRAME }).on('connection', (socket: Socket) => {
  sockets.add(socket);
  socket.on('message', (text: string) => socket.send(text));
  socket.on('close', () => sockets.delete(socket));
});
measured(server, (text) => {
  for (const socket of sockets) socket.send(text);
});

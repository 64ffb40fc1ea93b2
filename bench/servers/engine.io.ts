/** engine.io over WebSocket, the base of socket.io. */
import { createServer } from 'node:http';
import { type Socket, attach } from 'engine.io';
import { HEARTBEAT_MS, serveMeasured } from './measured.ts';

const server = createServer();
const sockets = new Set<Socket>();
attach(server, { pingInterval: HEARTBEAT_MS }).on('connection', (socket: Socket) => {
  sockets.add(socket);
  socket.on('message', (text: string) => socket.send(text));
  socket.on('close', () => sockets.delete(socket));
});
serveMeasured(server, (text) => {
  for (const socket of sockets) socket.send(text);
});

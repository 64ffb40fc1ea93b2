/** Nothing but `ws`, echoing: what the runtime and its codec cost without any SockJS. */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { report } from './report.ts';

const server = createServer();
new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
report(server);

/** A router beside the routes of an Express application, on one server. */
import { createServer } from 'node:http';
import express from 'express';
import { SockJSConnection, SockJSRouter } from 'sockjs-server';

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

const app = express();
app.get('/', (_request, response) => {
  response.type('text/plain').send('Hello from Express. SockJS is below /echo.\n');
});

const server = createServer(app);
const echo = new SockJSRouter(Echo, '/echo').attach(server);

server.listen(Number(process.env['PORT'] ?? 9999), () => {
  console.log('Express and SockJS listen on', server.address());
});

async function stop(): Promise<void> {
  await echo.close({ timeout: 1000 });
  server.close();
}

process.once('SIGINT', () => void stop());
process.once('SIGTERM', () => void stop());

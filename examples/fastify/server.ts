/** A router beside the routes of a Fastify application, on one server. */
import fastify from 'fastify';
import { SockJSConnection, SockJSRouter } from 'sockjs-server';

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

const app = fastify();
app.get('/', () => 'Hello from Fastify. SockJS is below /echo.\n');

const echo = new SockJSRouter(Echo, '/echo').attach(app.server);
app.addHook('preClose', () => echo.close({ timeout: 1000 }));

// For 'localhost' Fastify would create a second server, to which nothing is attached.
const port = Number(process.env['PORT'] ?? 9999);
process.once('SIGINT', () => void app.close());
process.once('SIGTERM', () => void app.close());
console.log('Fastify and SockJS listen on', await app.listen({ port, host: '0.0.0.0' }));

/** This project, as it is built. */
import { createServer } from 'node:http';
import { SockJSConnection, SockJSRouter } from 'sockjs-server';
import { HEARTBEAT_FRAME, measured } from './measured.ts';

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

const server = createServer();
const router = new SockJSRouter(Echo, '/echo', {
  jsessionid: false, // As in sockjs, where it is off by default.
  heartbeatDelay: HEARTBEAT_FRAME,
  responseLimit: 2 ** 30, // So that a stream lasts as long as a measurement.
  // All clients are at one address, and sessions that nobody polls stay for 5 s.
  maxSessions: 1_000_000,
  maxSessionsPerAddress: 1_000_000,
}).attach(server);
measured(server, (text) => router.broadcast(router.connections, text));

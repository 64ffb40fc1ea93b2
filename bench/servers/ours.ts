/** sockjs-server, echoing. */
import { createServer } from 'node:http';
import { SockJSConnection, SockJSRouter } from 'sockjs-server';
import { report } from './report.ts';

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

const server = createServer();
new SockJSRouter(Echo, '/echo', { allowedOrigins: '*', jsessionid: false }).attach(server);
report(server);

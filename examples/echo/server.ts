/** The smallest server: it returns each message to its client. */
import { SockJSConnection, SockJSRouter } from 'sockjs-server';

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

export const echo = new SockJSRouter(Echo, '/echo');

// Runs only as a program, because the demo site imports the router. Before Node 24.2, omit the condition.
if (import.meta.main) {
  const server = echo.listen(Number(process.env['PORT'] ?? 9999));
  server.on('listening', () => console.log('Echo listens on', server.address()));
}

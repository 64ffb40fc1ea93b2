/** The smallest server: what a client sends goes back to it. */
import { SockJSConnection, SockJSRouter } from 'sockjs-server';

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

export const echo = new SockJSRouter(Echo, '/echo');

// Only as a program: the demo site imports the router. (Node before 24.2: leave the condition out.)
if (import.meta.main) {
  const server = echo.listen(Number(process.env['PORT'] ?? 9999));
  server.on('listening', () => console.log('Echo listens on', server.address()));
}

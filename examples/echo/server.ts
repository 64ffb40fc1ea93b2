/** The smallest server: it sends every message back. */
import { SockJSConnection, SockJSRouter } from 'sockjs-server';

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

export const echo = new SockJSRouter(Echo, '/echo');

// The demo site imports the router without this. (In Node before 24.2 remove the condition.)
if (import.meta.main) {
  const server = echo.listen(Number(process.env['PORT'] ?? 9999));
  server.on('listening', () => console.log('Echo listens on', server.address()));
}

/** A server with short time limits. A test stops its process, or sends `block`, which blocks its event loop. */
import { createServer } from 'node:http';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';

/** Every time limit of the server, in milliseconds. */
export const TIME_LIMIT_MS = 1000;
/** Time for which the process is stopped or blocked, in milliseconds. */
export const STALL_MS = 2200;

export type Command = 'authorize' | 'block' | 'closed';

if (process.send !== undefined) {
  const send = process.send.bind(process);
  let isAuthorized: () => void = () => {};
  const authorized = new Promise<void>((resolve) => {
    isAuthorized = resolve;
  });

  class Echo extends SockJSConnection {
    override onMessage(message: string): void {
      this.send(message);
    }
  }

  const settings = {
    jsessionid: false,
    heartbeatDelay: 200,
    pingTimeout: TIME_LIMIT_MS,
    disconnectDelay: TIME_LIMIT_MS,
    bodyTimeout: TIME_LIMIT_MS,
    writeTimeout: TIME_LIMIT_MS,
    authorizeTimeout: TIME_LIMIT_MS,
  };
  const router = new SockJSRouter(Echo, '/echo', {
    ...settings,
    streamRenewalDelay: 1,
    authorize: async (request) => {
      if (request.getArgument('slow') !== undefined) await authorized;
      return 'user';
    },
  });
  const longStreams = new SockJSRouter(Echo, '/long-streams', settings);
  const server = createServer({ keepAliveTimeout: TIME_LIMIT_MS });
  router.attach(server);
  longStreams.attach(server);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    send({ port: typeof address === 'object' ? address?.port : undefined });
  });
  process.on('message', (command: Command) => {
    if (command === 'authorize') isAuthorized();
    if (command === 'closed') send(router.stats.dump().closed);
    if (command === 'block') {
      const began = performance.now();
      send('blocked', () => {
        while (performance.now() - began < STALL_MS);
      });
    }
  });
}

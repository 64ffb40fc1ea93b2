/**
 * A server with clients of all kinds, whose process ends by itself once its router is closed. It prints what is left
 * after the close, and does nothing else to end.
 */
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { RawHttpConnection, type RawRequest } from '../../testkit/raw-http.ts';
import { TRANSPORTS, openRequest } from '../../testkit/transports.ts';

class Held extends SockJSConnection {
  /** Never settles: waiting requests must not keep the process alive. */
  override async onOpen(): Promise<void> {
    if (this.info.getArgument('hold') !== undefined) await new Promise(() => {});
  }
}

const router = new SockJSRouter(Held, '/echo', {
  logger: false,
  maxMessagesPerSecond: 1,
  authorize: async (request) => {
    if (request.getArgument('never') !== undefined) await new Promise(() => {});
    return 'somebody';
  },
});

const clients: RawHttpConnection[] = [];

function send(port: number, request: RawRequest | string): RawHttpConnection {
  const client = new RawHttpConnection(port).send(request);
  clients.push(client);
  return client;
}

async function everyKind(port: number): Promise<void> {
  for (const transport of TRANSPORTS) {
    await send(port, openRequest(transport)).readHead();
    await send(port, openRequest(transport, { query: 'hold=1' })).readHead();
    if (!transport.isWebSocket) send(port, openRequest(transport, { query: 'never=1' }));
  }
  // One body is delayed by the rate limit, and one is incomplete.
  const session = '/echo/000/quick';
  await send(port, { method: 'POST', path: `${session}/xhr` }).readHead();
  const body = JSON.stringify(Array.from({ length: 1000 }, () => 'x'));
  await send(port, { method: 'POST', path: `${session}/xhr_send`, body }).readHead();
  const path = `${session}/xhr_send`;
  const waiting = [1, 2].map(() => send(port, { method: 'POST', path, body }).readHead());
  await Promise.race(waiting);
  for (const promise of waiting) promise.catch(() => undefined);
  await send(port, { method: 'POST', path: '/echo/000/half/xhr' }).readHead();
  send(port, 'POST /echo/000/half/xhr_send HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n[');
}

/** Returns the resources that keep the process alive, except for the pipe of its report. */
function leftOver(): string[] {
  const own = new Set(['PipeWrap', 'Immediate']);
  return process.getActiveResourcesInfo().filter((name) => !own.has(name));
}

const server = router.listen(0, '127.0.0.1');
server.once('listening', () => {
  void (async () => {
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    await everyKind(port);
    const during = router.stats.dump().sessionsActive;
    const began = performance.now();
    await Promise.all([router.close({ timeout: 300 }), router.close({ timeout: 60_000 })]);
    const took = performance.now() - began;
    for (const client of clients) client.close();
    // Sockets take a few turns to close.
    const patience = performance.now() + 2000;
    while (leftOver().length > 0 && performance.now() < patience) await new Promise(setImmediate);
    const left = leftOver();
    const { sessionsActive, connectionsActive, bufferedBytes } = router.stats.dump();
    const figures = { during, took, left, sessionsActive, connectionsActive, bufferedBytes };
    process.stdout.write(JSON.stringify({ ...figures, listening: server.listening }));
  })();
});

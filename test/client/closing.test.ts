/** Ends of connections of sockjs-client: by either side, or by the network. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import {
  CLIENT_TRANSPORTS,
  type ClientTransportName,
  type OfficialClient,
  connectOfficial,
  openOfficial,
} from '../../testkit/official-client.ts';
import {
  Echo,
  type RunningRouter,
  listen,
  reservedPorts,
  startRouter,
  stop,
} from '../../testkit/server.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { testEach } from '../../testkit/node-test.ts';
import { until, within } from '../../testkit/until.ts';

interface End {
  readonly code: number;
  readonly reason: string;
}

interface Watched extends RunningRouter<SockJSConnection> {
  /** Arguments of `onClose`. */
  readonly ends: AsyncQueue<End>;
}

/** Closes on `close CODE REASON`, throws on `throw`, and echoes everything else. */
async function serveEnds(t: TestContext): Promise<Watched> {
  const ends = new AsyncQueue<End>('onClose');
  class Obedient extends Echo {
    override onMessage(message: string): void {
      const [command, code, ...reason] = message.split(' ');
      if (command === 'throw') throw new Error('as told');
      if (command === 'close') this.close(Number(code), reason.join(' '));
      else this.send(message);
    }

    override onClose(code: number, reason: string): void {
      ends.push({ code, reason });
    }
  }
  return { ...(await startRouter<SockJSConnection>(t, {}, Obedient)), ends };
}

/** Checks that `onClose` is not called a second time. */
async function assertNoMore({ router, ends }: Watched): Promise<void> {
  await router.close({ timeout: 100 });
  assert.equal(ends.size, 0, 'onClose is called once');
}

testEach(
  CLIENT_TRANSPORTS,
  'a close by the server arrives with code and reason',
  async (t, transports) => {
    const service = await serveEnds(t);
    const client = await openOfficial(t, service.url, { transports });
    client.send('close 4321 Genug für heute – „Schluß“');
    const end = { code: 4321, reason: 'Genug für heute – „Schluß“' };
    assert.deepEqual(await client.closings.next(), { ...end, wasClean: true });
    assert.deepEqual(await service.ends.next(), end);
    await assertNoMore(service);
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'close() without arguments closes with 3000 and Go away!',
  async (t, transports) => {
    class CloseStatus extends SockJSConnection {
      override onOpen(): void {
        this.close();
      }
    }
    const { url } = await startRouter(t, {}, CloseStatus);
    const client = await openOfficial(t, url, { transports });
    const expected = { code: 3000, reason: 'Go away!', wasClean: true };
    assert.deepEqual(await client.closings.next(), expected);
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'messages sent before close arrive before it',
  async (t, transports) => {
    class Farewell extends SockJSConnection {
      override onMessage(message: string): void {
        for (const word of message.split(' ')) this.send(word);
        this.close(4000, 'done');
        assert.equal(this.send('too late'), false);
      }
    }
    const { url } = await startRouter(t, {}, Farewell);
    const client = await openOfficial(t, url, { transports });
    client.send('so long');
    assert.equal((await client.closings.next()).code, 4000);
    assert.deepEqual(await client.messages.take(2), ['so', 'long']);
    assert.equal(client.messages.size, 0);
  },
);

testEach(CLIENT_TRANSPORTS, 'a close by the client reaches onClose once', async (t, transports) => {
  const service = await serveEnds(t);
  const client = await openOfficial(t, service.url, { transports });
  client.send('hello');
  await client.messages.next();
  await until(() => service.router.stats.dump().connectionsActive === 1, 'a receiver is attached');
  client.close(4000, 'enough');
  const expected = { code: 4000, reason: 'enough', wasClean: true };
  assert.deepEqual(await client.closings.next(), expected);
  // sockjs-client closes its WebSocket without the code, and aborts its request on other transports.
  const normal = { code: 1000, reason: '' };
  const interrupted = { code: 1002, reason: 'Connection interrupted' };
  const end = await service.ends.next();
  assert.deepEqual(end, transports === 'websocket' ? normal : interrupted);
  await assertNoMore(service);
});

testEach(
  CLIENT_TRANSPORTS,
  'a handler that throws ends its own connection only',
  async (t, transports) => {
    const service = await serveEnds(t);
    const client = await openOfficial(t, service.url, { transports });
    const bystander = await openOfficial(t, service.url, { transports });
    client.send('throw');
    const end = { code: 1011, reason: 'Internal error' };
    assert.deepEqual(await client.closings.next(), { ...end, wasClean: true });
    assert.deepEqual(await service.ends.next(), end);
    bystander.send('still there');
    assert.equal(await bystander.messages.next(), 'still there');
    const [line, ...more] = service.logger.take().filter(({ level }) => level === 'error');
    assert.match(line?.line ?? '', /Obedient\.onMessage failed.*1011.*as told/s);
    assert.deepEqual(more, []);
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'a handler that rejects ends its own connection only',
  async (t, transports) => {
    class Rejecting extends SockJSConnection {
      override async onMessage(message: string): Promise<void> {
        await new Promise(setImmediate);
        if (message === 'reject') throw new Error('as told');
        this.send(message);
      }
    }
    const { url, logger } = await startRouter(t, {}, Rejecting);
    const client = await openOfficial(t, url, { transports });
    const bystander = await openOfficial(t, url, { transports });
    client.send('reject');
    const expected = { code: 1011, reason: 'Internal error', wasClean: true };
    assert.deepEqual(await client.closings.next(), expected);
    bystander.send('still there');
    assert.equal(await bystander.messages.next(), 'still there');
    assert.match(logger.take()[0]?.line ?? '', /Rejecting\.onMessage failed.*as told/s);
  },
);

const REFUSED = { code: 1008, reason: 'Refused', wasClean: true };
const FAILED = { code: 1011, reason: 'Internal error', wasClean: true };

const REFUSALS = [
  { how: 'answers false', answer: () => false, expected: REFUSED },
  { how: 'resolves with false', answer: () => Promise.resolve(false), expected: REFUSED },
  {
    how: 'throws',
    answer: () => {
      throw new Error('no entry');
    },
    expected: FAILED,
  },
  { how: 'rejects', answer: () => Promise.reject(new Error('no entry')), expected: FAILED },
];

for (const { how, answer, expected } of REFUSALS) {
  testEach(CLIENT_TRANSPORTS, `an onOpen that ${how} refuses the client`, async (t, transports) => {
    const heard: string[] = [];
    const ends = new AsyncQueue<number>('onClose');
    class Closed extends SockJSConnection {
      override onOpen(): boolean | Promise<boolean> {
        return answer();
      }
      override onMessage(message: string): void {
        heard.push(message);
      }
      override onClose(code: number): void {
        ends.push(code);
      }
    }
    const { url, logger, router } = await startRouter(t, {}, Closed);
    const client = connectOfficial(t, url, { transports });
    if (await client.opened()) client.send('let me in');
    assert.deepEqual(await client.closings.next(), expected);
    assert.equal(await ends.next(), expected.code);
    await router.close();
    assert.deepEqual([heard, ends.size], [[], 0]);
    const lines = logger.take().filter(({ level }) => level === 'error');
    assert.equal(lines.length, expected === FAILED ? 1 : 0);
    for (const { line } of lines) assert.match(line, /Closed\.onOpen failed.*no entry/s);
  });
}

interface Machine {
  readonly port: number;
  readonly router: SockJSRouter<Echo>;
  readonly ends: AsyncQueue<End>;
  /** Cuts the connections without a FIN, as a power failure does. */
  readonly unplug: () => Promise<void>;
}

async function machine(t: TestContext, port?: number): Promise<Machine> {
  const ends = new AsyncQueue<End>('onClose');
  class Noting extends Echo {
    override onClose(code: number, reason: string): void {
      ends.push({ code, reason });
    }
  }
  const logger = new RecordingLogger();
  const router = new SockJSRouter(Noting, '/echo', { logger });
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  router.attach(server);
  const unplug = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await stop(server);
  };
  t.after(async () => {
    await router.close({ timeout: 1 });
    await unplug();
    logger.assertNoProblems();
  });
  return { port: await listen(server, port), router, ends, unplug };
}

/** Outside a browser sockjs-client notices a broken stream only when it sends. */
async function learnsThatItIsOver(client: OfficialClient): Promise<number> {
  client.send('is anybody there?');
  return (await client.closings.next()).code;
}

testEach(
  CLIENT_TRANSPORTS,
  'a stopped server closes the client, and a restarted one serves it',
  async (t, transports) => {
    const [port = 0] = await reservedPorts(1);
    const first = await machine(t, port);
    const url = `http://127.0.0.1:${port}/echo`;
    const client = await openOfficial(t, url, { transports });
    client.send('hello');
    await client.messages.next();
    await first.unplug();
    assert.equal(await learnsThatItIsOver(client), 1006);

    await machine(t, port);
    const next = await openOfficial(t, url, { transports });
    next.send('hello again');
    assert.equal(await next.messages.next(), 'hello again');
  },
);

testEach(CLIENT_TRANSPORTS, 'a client that is cut off reaches onClose', async (t, transports) => {
  const { port, router, ends, unplug } = await machine(t);
  const client = await openOfficial(t, `http://127.0.0.1:${port}/echo`, { transports });
  client.send('hello');
  await client.messages.next();
  await until(() => router.stats.dump().connectionsActive === 1, 'a receiver is attached');
  await unplug();
  const { code } = await ends.next();
  assert.equal(code, transports === 'websocket' ? 1006 : 1002);
});

test('close() of a router closes the clients of all transports', async (t) => {
  const { url, router } = await startRouter(t);
  const clients = await Promise.all(
    CLIENT_TRANSPORTS.map((transports) => openOfficial(t, url, { transports })),
  );
  await within(router.close(), 'the router to close');
  const endings = await Promise.all(clients.map((client) => client.closings.next()));
  const expected = { code: 1001, reason: 'Server is going away', wasClean: true };
  assert.deepEqual(
    endings,
    CLIENT_TRANSPORTS.map(() => expected),
  );
});

test('messages sent before close() of a router arrive before it', async (t) => {
  const { url, router } = await startRouter(t);
  const clients = await Promise.all(
    CLIENT_TRANSPORTS.map((transports) => openOfficial(t, url, { transports })),
  );
  router.broadcast(router.connections, 'last words');
  await within(router.close({ code: 4000, reason: 'over' }), 'the router to close');
  const codes = await Promise.all(
    clients.map(async (client) => (await client.closings.next()).code),
  );
  assert.deepEqual(codes, [4000, 4000, 4000, 4000]);
  const words = await Promise.all(clients.map((client) => client.messages.next()));
  assert.deepEqual(
    words,
    Array.from(CLIENT_TRANSPORTS, () => 'last words'),
  );
});

async function poll(url: string, session: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`${url}/000/${session}/xhr`, { method: 'POST' });
  return { status: response.status, body: await response.text() };
}

test('a draining router waits for late polls and opens no new sessions', async (t) => {
  const { url, router } = await startRouter(t, { disconnectDelay: 20_000 });
  assert.deepEqual(await poll(url, 'slow'), { status: 200, body: 'o\n' });
  const closed = router.close({ timeout: 20_000 });

  assert.equal((await poll(url, 'new')).status, 503);
  const attempt = (transports: ClientTransportName): Promise<number> =>
    connectOfficial(t, url, { transports })
      .closings.next()
      .then(({ code }) => code);
  const codes = await Promise.all(CLIENT_TRANSPORTS.map(attempt));
  assert.deepEqual(codes, [2000, 2000, 2000, 2000], 'All transports failed');

  const last = await poll(url, 'slow');
  assert.deepEqual(last, { status: 200, body: 'c[1001,"Server is going away"]\n' });
  await within(closed, 'the router to close');
});

test('close() of a router cuts off those that do not come for their close frame', async (t) => {
  const service = await serveEnds(t);
  await poll(service.url, 'absent');
  await within(service.router.close({ timeout: 20 }), 'the router to close');
  assert.deepEqual(await service.ends.next(), { code: 1001, reason: 'Server is going away' });
  assert.equal(service.ends.size, 0);
});

test('close() of a router does not wait for clients that have left', async (t) => {
  const { url, router } = await startRouter(t, { disconnectDelay: 9000 });
  const receivers = (): number => router.stats.dump().connectionsActive;
  const clients = await Promise.all(
    CLIENT_TRANSPORTS.map((transports) => openOfficial(t, url, { transports })),
  );
  await until(() => receivers() === clients.length, 'all are there');
  for (const client of clients) client.close();
  await until(() => receivers() === 0, 'all are gone');
  const start = performance.now();
  await router.close({ timeout: 5000 });
  assert.ok(performance.now() - start < 2500);
});

test('close() of a router closes the server that listen() made', async () => {
  const router = new SockJSRouter(Echo, '/echo', { logger: false });
  const server = router.listen(0, '127.0.0.1');
  await within(new Promise((resolve) => server.once('listening', resolve)), 'the server');
  await within(router.close(), 'the router to close');
  assert.equal(server.listening, false);
  assert.equal(router.close(), router.close());
});

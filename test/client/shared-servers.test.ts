/** A server that is shared with routes of the application, other routers and other WebSockets. */
import assert from 'node:assert/strict';
import { type IncomingMessage, type Server, createServer, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import express from 'express';
import { WebSocket, WebSocketServer } from 'ws';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { CLIENT_TRANSPORTS, connectOfficial, openOfficial } from '../../testkit/official-client.ts';
import { Echo, listen, stop } from '../../testkit/server.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { testEach } from '../../testkit/node-test.ts';
import { within } from '../../testkit/until.ts';

class Upper extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message.toUpperCase());
  }
}

/** Creates a router that is closed at the end of the test, and must not have logged a warning. */
function routerFor(
  t: TestContext,
  connection: new () => SockJSConnection,
  prefix: string,
  logger = new RecordingLogger(),
): SockJSRouter {
  const router = new SockJSRouter(connection, prefix, { logger });
  t.after(async () => {
    await router.close({ timeout: 100 });
    logger.assertNoProblems();
  });
  return router;
}

/** @returns the base of its URLs */
async function started(t: TestContext, server: Server): Promise<string> {
  t.after(() => stop(server));
  return `http://127.0.0.1:${await listen(server)}`;
}

async function get(url: string): Promise<string> {
  const response = await fetch(url);
  return `${response.status} ${await response.text()}`;
}

/** Opens a WebSocket. @returns its first message, or the status of the refusal */
async function tryWebSocket(url: string): Promise<string> {
  const socket = new WebSocket(url.replace('http', 'ws'));
  socket.on('error', () => {}); // It is terminated before it has opened.
  const outcome = new Promise<string>((resolve) => {
    socket.on('message', (data: Buffer) => resolve(data.toString()));
    socket.on('unexpected-response', (_request, { statusCode }) => resolve(String(statusCode)));
  });
  try {
    return await within(outcome, 'an answer to the upgrade');
  } finally {
    socket.terminate();
  }
}

async function assertEchoes(t: TestContext, url: string, expected = 'hello'): Promise<void> {
  await Promise.all(
    CLIENT_TRANSPORTS.map(async (transports) => {
      const client = await openOfficial(t, url, { transports });
      client.send('hello');
      assert.equal(await client.messages.next(), expected);
    }),
  );
}

test('several routers share a server with its own routes', async (t) => {
  const server = createServer((incoming, response) => response.end(`own ${incoming.url}`));
  routerFor(t, Echo, '/echo').attach(server);
  routerFor(t, Upper, '/upper').attach(server);
  const base = await started(t, server);
  await assertEchoes(t, `${base}/echo`);
  await assertEchoes(t, `${base}/upper`, 'HELLO');
  assert.equal(await get(`${base}/echoes`), '200 own /echoes');
  assert.equal(await get(`${base}/`), '200 own /');
  assert.equal(await get(`${base}/echo`), '200 Welcome to SockJS!\n');
});

test('a router with an empty prefix handles every request, and warns of it', async (t) => {
  const server = createServer((_incoming, response) => response.end('own'));
  const logger = new RecordingLogger();
  routerFor(t, Echo, '', logger).attach(server);
  assert.match(logger.take()[0]?.line ?? '', /takes all requests/);
  const base = await started(t, server);
  await assertEchoes(t, base);
  assert.equal(await get(`${base}/`), '200 Welcome to SockJS!\n');
  assert.equal((await get(`${base}/own`)).slice(0, 3), '404');
});

test('listeners of the server, added before or after attach, get all other requests', async (t) => {
  const server = createServer();
  const seen: string[] = [];
  const noting = (name: string) => (incoming: IncomingMessage) => {
    seen.push(`${name} ${incoming.url}`);
  };
  server.on('request', noting('before'));
  routerFor(t, Echo, '/echo').attach(server);
  server.on('request', noting('after'));
  server.on('request', (_incoming, response) => response.end('own'));
  const base = await started(t, server);
  await assertEchoes(t, `${base}/echo`);
  assert.equal(await get(`${base}/other`), '200 own');
  assert.deepEqual(seen, ['before /other', 'after /other']);
});

test('without a listener the server responds with 404 to all other requests', async (t) => {
  const server = createServer();
  routerFor(t, Echo, '/echo').attach(server);
  const base = await started(t, server);
  assert.equal(await get(`${base}/other`), '404 Not found.');
  assert.equal(await tryWebSocket(`${base}/other`), '404');
});

test('an upgrade that nobody handles is served as a plain request', async (t) => {
  const server = createServer((_incoming, response) => response.writeHead(418).end());
  routerFor(t, Echo, '/echo').attach(server);
  const base = await started(t, server);
  assert.equal(await tryWebSocket(`${base}/other`), '418');
});

for (const order of ['before', 'after'] as const) {
  test(`a WebSocketServer that was there ${order} keeps its own path`, async (t) => {
    const server = createServer();
    const router = routerFor(t, Echo, '/echo');
    if (order === 'after') router.attach(server);
    const sockets = new WebSocketServer({ server, path: '/ws' });
    if (order === 'before') router.attach(server);
    sockets.on('connection', (socket) => socket.send('from ws'));
    const base = await started(t, server);
    assert.equal(await tryWebSocket(`${base}/ws`), 'from ws');
    assert.equal(await tryWebSocket(`${base}/echo/000/s/websocket`), 'o');
    assert.equal(await tryWebSocket(`${base}/elsewhere`), '400', 'as ws answers it');
    await assertEchoes(t, `${base}/echo`);
  });
}

test('detach leaves the server as it was', async (t) => {
  const server = createServer((_incoming, response) => response.end('own'));
  const router = routerFor(t, Echo, '/echo');
  const upgrades = server.listenerCount('upgrade');
  router.attach(server);
  router.detach(server);
  assert.equal(server.listenerCount('upgrade'), upgrades);
  const base = await started(t, server);
  assert.equal(await get(`${base}/echo`), '200 own');
  assert.equal((await connectOfficial(t, `${base}/echo`).closings.next()).code, 2000);
  assert.deepEqual([...router.connections], []);
});

test('detach leaves the server as it was', () => {
  const server = createServer();
  const before = Object.getOwnPropertyNames(server);
  const router = new SockJSRouter(Echo, '/echo').attach(server);
  router.detach(server);
  assert.deepEqual(Object.getOwnPropertyNames(server), before);
});

test('detaching one router leaves the others, and open sessions stay open', async (t) => {
  const server = createServer((_incoming, response) => response.end('own'));
  const echo = routerFor(t, Echo, '/echo').attach(server);
  const upper = routerFor(t, Upper, '/upper').attach(server);
  const base = await started(t, server);
  const client = await openOfficial(t, `${base}/echo`, { transports: 'websocket' });
  echo.detach(server);
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
  assert.equal(await get(`${base}/echo`), '200 own');
  await assertEchoes(t, `${base}/upper`, 'HELLO');
  upper.detach(server).attach(server);
  await assertEchoes(t, `${base}/upper`, 'HELLO');
});

test('a router serves several servers', async (t) => {
  const router = routerFor(t, Echo, '/echo');
  const servers = [createServer(), createServer()];
  for (const server of servers) router.attach(server);
  const bases = await Promise.all(servers.map((server) => started(t, server)));
  await Promise.all(bases.map((base) => assertEchoes(t, `${base}/echo`)));
  assert.equal([...router.connections].length, 2 * CLIENT_TRANSPORTS.length);
});

test('attaching twice to one server is an error', () => {
  const server = createServer();
  const router = new SockJSRouter(Echo, '/echo').attach(server);
  assert.throws(() => router.attach(server), { code: 'ERR_ATTACHED' });
  router.detach(server);
});

test('handle and handleUpgrade handle only requests below the prefix', async (t) => {
  const router = routerFor(t, Echo, '/echo');
  const answers: boolean[] = [];
  const server = createServer((incoming, response) => {
    const taken = router.handle(incoming, response);
    if (!taken) response.end('own');
  });
  server.on('upgrade', (incoming: IncomingMessage, socket, head) => {
    answers.push(router.handleUpgrade(incoming, socket, head));
    if (answers.at(-1) === false) socket.end('HTTP/1.1 426 Own\r\nContent-Length: 0\r\n\r\n');
  });
  const base = await started(t, server);
  await assertEchoes(t, `${base}/echo`);
  assert.equal(await get(`${base}/echo2`), '200 own');
  assert.equal(await tryWebSocket(`${base}/echo2/000/s/websocket`), '426');
  assert.deepEqual(answers, [true, false]);
});

const HTTP_TRANSPORTS = ['xhr-streaming', 'eventsource', 'xhr-polling'] as const;

for (const { mount, prefix } of [
  { mount: undefined, prefix: '/echo' },
  { mount: '/app', prefix: '/app/echo' },
  { mount: '/app/echo', prefix: '/app/echo' },
]) {
  test(`middleware serves ${prefix} in Express at ${mount ?? 'its root'}`, async (t) => {
    const router = routerFor(t, Echo, prefix);
    const app = express();
    if (mount === undefined) app.use(router.middleware);
    else app.use(mount, router.middleware);
    app.use(express.json());
    app.get('/{*path}', (incoming, response) => {
      response.send(`own ${incoming.originalUrl}`);
    });
    const server = createServer((incoming, response) => {
      void app(incoming, response);
    });
    const base = await started(t, server);
    await Promise.all(
      HTTP_TRANSPORTS.map(async (transports) => {
        const client = await openOfficial(t, base + prefix, { transports });
        client.send('hello');
        assert.equal(await client.messages.next(), 'hello');
      }),
    );
    assert.equal(await get(`${base}/app/other`), '200 own /app/other');
  });
}

testEach(
  CLIENT_TRANSPORTS,
  'a router is attached beside an Express application',
  async (t, transports) => {
    const app = express();
    app.use(express.json());
    app.get('/', (_incoming, response) => {
      response.send('own');
    });
    const server = createServer((incoming, response) => {
      void app(incoming, response);
    });
    routerFor(t, Echo, '/echo').attach(server);
    const base = await started(t, server);
    const client = await openOfficial(t, `${base}/echo`, { transports });
    client.send('hello');
    assert.equal(await client.messages.next(), 'hello');
    assert.equal(await get(`${base}/`), '200 own');
  },
);

interface Continued {
  /** Whether the server sent 100 Continue. */
  readonly continued: boolean;
  readonly status: number | undefined;
}

/** Posts a body after 100 Continue. */
function postCarefully(url: string, body: string): Promise<Continued> {
  const outcome = new Promise<Continued>((resolve, reject) => {
    let continued = false;
    const outgoing = request(url, {
      method: 'POST',
      agent: false,
      headers: { Expect: '100-continue', 'Content-Length': Buffer.byteLength(body) },
    });
    outgoing.on('error', reject);
    outgoing.on('continue', () => {
      continued = true;
      outgoing.end(body);
    });
    outgoing.on('response', (response) => {
      response.resume();
      resolve({ continued, status: response.statusCode });
      outgoing.destroy();
    });
    outgoing.flushHeaders();
  });
  return within(outcome, 'an answer');
}

for (const listening100 of [false, true]) {
  const title = listening100 ? 'with a checkContinue listener' : 'without a checkContinue listener';
  test(`a body that waits for 100 Continue is requested, ${title}`, async (t) => {
    const heard = new AsyncQueue<string>('a message');
    class Hearing extends SockJSConnection {
      override onMessage(message: string): void {
        heard.push(message);
      }
    }
    const server = createServer((_incoming, response) => response.end('own'));
    if (listening100) {
      server.on('checkContinue', (_incoming, response) => response.writeHead(417).end());
    }
    routerFor(t, Hearing, '/echo').attach(server);
    const base = await started(t, server);
    assert.equal(await (await fetch(`${base}/echo/0/s/xhr`, { method: 'POST' })).text(), 'o\n');
    const sent = await postCarefully(`${base}/echo/0/s/xhr_send`, '["hello"]');
    assert.deepEqual(sent, { continued: true, status: 204 });
    assert.equal(await heard.next(), 'hello');
    const foreign = await postCarefully(`${base}/other`, 'body');
    assert.deepEqual(
      foreign,
      listening100 ? { continued: false, status: 417 } : { continued: true, status: 200 },
    );
  });
}

test('a body that nobody reads is not requested', async (t) => {
  const server = createServer();
  server.on('checkContinue', (_incoming, response) => response.writeHead(417).end());
  routerFor(t, Echo, '/echo').attach(server);
  const base = await started(t, server);
  const unknown = await postCarefully(`${base}/echo/0/unknown/xhr_send`, '["hello"]');
  assert.deepEqual(unknown, { continued: false, status: 404 });
});

/** Faults that reviews have found, each with its attack. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { resetSocket } from '../../testkit/reset-socket.ts';
import { Echo, listen, startRouter, stop } from '../../testkit/server.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { deferred } from '../../testkit/until.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';

const HANDSHAKE =
  'GET /echo/websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Origin: http://evil.example\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

test('a reset of an upgrade that waits for allowedOrigins does no harm', async (t) => {
  const asked = deferred();
  const verdict = deferred();
  const logger = new RecordingLogger();
  const router = new SockJSRouter(Echo, '/echo', {
    logger,
    allowedOrigins: async () => {
      asked.resolve();
      await verdict.promise;
      return false;
    },
  });
  const server = createServer();
  const gone = new Promise((resolve) => {
    server.on('upgrade', (request, socket, head) => {
      socket.once('close', resolve);
      router.handleUpgrade(request, socket, head);
      socket.resume();
    });
  });
  const port = await listen(server);
  t.after(() => stop(server));
  const client = connect(port, '127.0.0.1');
  client.write(HANDSHAKE);
  await asked.promise;
  resetSocket(client);
  await gone;
  verdict.resolve();
  await delay(0);
  assert.deepEqual(logger.take(), [], 'the decision came too late to be logged');
});

test('the limit of a burst counts the overhead of empty messages', async (t) => {
  let sent = 0;
  class Flood extends SockJSConnection {
    override onOpen(): void {
      while (!this.isClosed && sent < 1_000_000) {
        this.send('');
        sent += 1;
      }
    }
  }
  const { port } = await startRouter(t, { maxTotalBufferedBytes: 100_000 }, Flood);
  const client = await openWebSocket(t, port, '/echo/websocket');
  await client.closed();
  assert.ok(sent <= 1002, `${sent} empty messages were taken`);
});

test('a client that onOpen has not accepted is not among the connections', async (t) => {
  const verdict = deferred();
  class Members extends SockJSConnection {
    override async onOpen(): Promise<boolean> {
      await verdict.promise;
      return false;
    }
  }
  const { port, router } = await startRouter(t, {}, Members);
  const client = await openWebSocket(t, port, '/echo/0/s/websocket');
  assert.equal(await client.next(), 'o');
  router.broadcast(router.connections, 'secret');
  verdict.resolve();
  assert.equal(await client.next(), 'c[1008,"Refused"]');
});

test('a body in one-byte chunks takes only the memory of its bytes', async (t) => {
  const { port, url } = await startRouter(t);
  const session = new URL(`${url}/0/chunks`).pathname;
  await httpRequest(port, { method: 'POST', path: `${session}/xhr` });
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.write(
    `POST ${session}/xhr_send HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  const before = process.memoryUsage().rss;
  const chunks = Buffer.from('1\r\nx\r\n'.repeat(10_000));
  for (let count = 0; count < 50; count += 1) {
    if (!client.write(chunks)) await once(client, 'drain');
  }
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 100 * 1024 * 1024, `500,000 bytes took ${grown}`);
});

test('a client that disconnected before the router got its request opens no session', async (t) => {
  let opens = 0;
  class Counting extends SockJSConnection {
    override onOpen(): void {
      opens += 1;
    }
  }
  const router = new SockJSRouter(Counting, '/echo');
  const handled = deferred();
  const server = createServer((request, response) => {
    response.once('close', () => {
      assert.ok(router.handle(request, response));
      handled.resolve();
    });
  });
  const port = await listen(server);
  t.after(() => stop(server));
  const client = connect(port, '127.0.0.1');
  client.write('POST /echo/0/s/xhr_streaming HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  await once(server, 'request');
  client.destroy();
  await handled.promise;
  assert.equal(opens, 0);
  assert.equal(router.stats.dump().sessionsActive, 0);
});

test('a slow client is kept while it takes its response', async (t) => {
  class Large extends SockJSConnection {
    override onOpen(): void {
      this.send('x'.repeat(30_000_000));
    }
  }
  const settings = { disconnectDelay: 1000, writeTimeout: 1000 };
  const { port, router } = await startRouter(t, settings, Large);
  await httpRequest(port, { method: 'POST', path: '/echo/0/slow/xhr' });
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.write('POST /echo/0/slow/xhr HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  let taken = 0;
  client.on('data', (data) => {
    taken += data.length;
    // The rest may be in the buffers of the system already, and the session then waits for the next poll.
    if (taken > 20_000_000) return;
    client.pause();
    setTimeout(() => client.resume(), 5).unref();
  });
  const begin = performance.now();
  const isTaking = (): boolean => taken < 30_000_000;
  while (isTaking()) {
    await delay(20);
    assert.ok(performance.now() - begin < 60_000, `only ${taken} bytes were taken`);
    assert.equal(router.stats.dump().sessionsActive, 1, `given up after ${taken} bytes`);
  }
  assert.equal(
    (await httpRequest(port, { method: 'POST', path: '/echo/0/slow/xhr_send', body: '[]' })).status,
    204,
  );
});

test('a client that takes nothing of its response is closed', async (t) => {
  const codes: number[] = [];
  const closed = deferred();
  class Large extends SockJSConnection {
    override onOpen(): void {
      this.send('x'.repeat(30_000_000));
    }
    override onClose(code: number): void {
      codes.push(code);
      closed.resolve();
    }
  }
  const { port } = await startRouter(t, { disconnectDelay: 2000, writeTimeout: 300 }, Large);
  await httpRequest(port, { method: 'POST', path: '/echo/0/stuck/xhr' });
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.on('error', () => undefined);
  client.pause();
  client.write('POST /echo/0/stuck/xhr HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  await closed.promise;
  assert.deepEqual(codes, [1013]);
});

const ODD: readonly (readonly [what: string, thrown: unknown])[] = [
  ['an object without prototype', Object.create(null)],
  ['nothing', undefined],
  [
    'an error that cannot be read',
    new Proxy(new Error('x'), { get: () => assert.fail('unreadable') }),
  ],
];

for (const [what, thrown] of ODD) {
  test(`a handler that throws ${what} ends its own connection only`, async (t) => {
    class Odd extends SockJSConnection {
      override onMessage(): void {
        throw thrown;
      }
    }
    const { port, logger } = await startRouter(t, {}, Odd);
    const client = await openWebSocket(t, port, '/echo/0/s/websocket');
    assert.equal(await client.next(), 'o');
    client.send('"x"');
    assert.equal(await client.next(), 'c[1011,"Internal error"]');
    assert.equal(logger.take().length, 1);
  });
}

test('text of a client cannot begin a log line, even inside an error', async (t) => {
  class Parsing extends SockJSConnection {
    override onMessage(message: string): void {
      JSON.parse(message);
    }
  }
  const { port, logger } = await startRouter(t, {}, Parsing);
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.send('x\n2026-11-22 ERROR forged');
  await client.closed();
  const [entry] = logger.take();
  assert.doesNotMatch(entry?.line ?? '', /^2026/m);
  assert.match(entry?.line ?? '', /x\\n2026/);
});

test('a class that cannot be constructed is a 500, and the log keeps the session id secret', async (t) => {
  class Broken extends SockJSConnection {
    constructor() {
      super();
      throw new Error('no');
    }

    override onMessage(): void {}
  }
  const { port, logger } = await startRouter(t, {}, Broken);
  const { status, body } = await httpRequest(port, { method: 'POST', path: '/echo/0/SECRET/xhr' });
  assert.equal(status, 500);
  assert.equal(body, 'Internal error.');
  const [entry] = logger.take();
  assert.match(
    entry?.line ?? '',
    /^The constructor of Broken failed; its client gets 500: Error: no/,
  );
  assert.doesNotMatch(entry?.line ?? '', /SECRET/);
});

test('one request may wait for a pending onOpen, and the next ones are refused', async (t) => {
  const verdict = deferred();
  class Slow extends SockJSConnection {
    override async onOpen(): Promise<void> {
      await verdict.promise;
    }
  }
  const { port } = await startRouter(t, {}, Slow);
  await httpRequest(port, { method: 'POST', path: '/echo/0/s/xhr' });
  const first = httpRequest(port, { method: 'POST', path: '/echo/0/s/xhr_send', body: '["a"]' });
  const later = await Promise.all(
    Array.from({ length: 3 }, () =>
      httpRequest(port, { method: 'POST', path: '/echo/0/s/xhr_send', body: '["b"]' }),
    ),
  );
  verdict.resolve();
  const statuses = [await first, ...later].map(({ status }) => status).toSorted((a, b) => a - b);
  assert.deepEqual(statuses, [204, 503, 503, 503]);
});

test('requests that wait for allowedOrigins are limited', async (t) => {
  const verdict = deferred();
  const { port, logger } = await startRouter(t, {
    allowedOrigins: async () => {
      await verdict.promise;
      return true;
    },
  });
  const request = 'GET /echo/info HTTP/1.1\r\nHost: a\r\nOrigin: http://b.example\r\n\r\n';
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.write(request.repeat(1000));
  const { status } = await httpRequest(port, { path: '/echo' });
  assert.equal(status, 200);
  let last = 0;
  while (last !== 503) {
    last = await Promise.race([
      httpRequest(port, { path: '/echo/info', headers: [['Origin', 'http://b.example']] }).then(
        (answer) => answer.status,
      ),
      delay(50, 0),
    ]);
  }
  const own = [['Sec-Fetch-Site', 'same-origin']] as const;
  const { status: ofOwnPage } = await httpRequest(port, { path: '/echo/info', headers: own });
  assert.equal(ofOwnPage, 200, 'about whom nobody has to be asked waits for nobody');
  verdict.resolve();
  assert.match(
    logger.take()[0]?.line ?? '',
    /too many others wait for authorize, allowedOrigins or the backplane/,
  );
});

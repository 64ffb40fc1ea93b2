/** Attacks on the way of a request from its connection to its session. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { rawConnection } from '../../testkit/raw-connection.ts';
import { encodeRequest, httpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { RawWebSocket, UPGRADE_HEADERS } from '../../testkit/raw-websocket.ts';
import { Echo, startRouter } from '../../testkit/server.ts';
import { type Deferred, deferred, within } from '../../testkit/until.ts';
import { OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';

const PAGE = [['Origin', 'https://page.example']] as const;

/** An application function that returns a new promise for each call. */
class Decisions<T> {
  readonly calls: AsyncQueue<Deferred<T>>;

  constructor(name: string) {
    this.calls = new AsyncQueue(name);
  }

  readonly decide = (): Promise<T> => {
    const call = deferred<T>();
    this.calls.push(call);
    return call.promise;
  };
}

/** Passes a factory where `startRouter` declares a class. */
function asClass(create: unknown): new () => SockJSConnection {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the router accepts both
  return create as new () => SockJSConnection;
}

test('a WebSocket client that sends a message and ends while authorize is pending after allowedOrigins opens no session', async (t) => {
  const origins = new Decisions<boolean>('allowedOrigins');
  const users = new Decisions<string>('authorize');
  const { port, server, router } = await startRouter(t, {
    allowedOrigins: origins.decide,
    authorize: users.decide,
  });
  const closed = new Promise((resolve) => {
    server.once('connection', (socket: Socket) => socket.once('close', resolve));
  });
  const client = rawConnection(t, { port, allowHalfOpen: true });
  client.write(
    encodeRequest({
      path: '/echo/000/session/websocket',
      headers: [...UPGRADE_HEADERS, ...PAGE],
    }),
  );
  (await origins.calls.next()).resolve(true);
  const authorize = await users.calls.next();
  client.write(encodeFrame(OPCODE.text, '["early"]'));
  client.end();
  await within(closed, 'the server to close the connection');
  authorize.resolve('alice');
  await client.closed();
  assert.equal(router.stats.dump().sessionsTotal, 0);
});

test('an EventSource request with the headers of an upgrade opens a session that xhr_send finds', async (t) => {
  const { port } = await startRouter(t);
  const stream = httpConnection(t, port);
  stream.send({ path: '/echo/000/session/eventsource', headers: UPGRADE_HEADERS });
  assert.equal((await stream.readHead()).status, 200);
  assert.equal(await stream.nextChunk(), '\r\n');
  assert.equal(await stream.nextChunk(), 'data: o\r\n\r\n');
  const send = { method: 'POST', path: '/echo/000/session/xhr_send', body: '["hello"]' };
  assert.equal((await httpRequest(port, send)).status, 204);
  assert.equal(await stream.nextChunk(), 'data: a["hello"]\r\n\r\n');
});

test('JSONP polls with the headers of an upgrade belong to one session, and authorize is called once', async (t) => {
  let calls = 0;
  const { port, router } = await startRouter(t, {
    authorize: async () => {
      calls += 1;
      return 'alice';
    },
  });
  const poll = { path: '/echo/000/session/jsonp?c=call', headers: UPGRADE_HEADERS };
  assert.equal((await httpRequest(port, poll)).body, '/**/call("o");\r\n');
  const send = { method: 'POST', path: '/echo/000/session/jsonp_send', body: 'd=["hello"]' };
  assert.equal((await httpRequest(port, send)).status, 200);
  const { body } = await httpRequest(port, poll);
  assert.equal(body, String.raw`/**/call("a[\"hello\"]");` + '\r\n');
  assert.deepEqual([calls, router.stats.dump().sessionsTotal], [1, 1]);
});

for (const microtasks of [0, 1, 2]) {
  test(`two requests for one session id open one session, with ${microtasks} microtasks between their decisions`, async (t) => {
    const origins = new Decisions<boolean>('allowedOrigins');
    const users = new Decisions<string>('authorize');
    const { port, router } = await startRouter(t, {
      allowedOrigins: origins.decide,
      authorize: users.decide,
    });
    const request = { method: 'POST', path: '/echo/000/session/xhr_streaming', headers: PAGE };
    const first = httpConnection(t, port).send(request);
    (await origins.calls.next()).resolve(true);
    const authorize = await users.calls.next();
    const second = httpConnection(t, port).send(request);
    const secondOrigin = await origins.calls.next();
    authorize.resolve('alice');
    for (let count = 0; count < microtasks; count += 1) await Promise.resolve();
    secondOrigin.resolve(true);
    assert.equal((await first.readHead()).status, 200);
    if (users.calls.size > 0) (await users.calls.next()).resolve('alice');
    assert.equal((await second.readHead()).status, 200);
    assert.equal((await second.nextChunk())?.length, 2049);
    assert.equal(await second.nextChunk(), 'c[2010,"Another connection still open"]\n');
    assert.equal(router.stats.dump().sessionsTotal, 1);
  });
}

test('a factory that returns one instance for two clients does not send one the messages of the other', async (t) => {
  const shared = new Echo();
  const { port, logger } = await startRouter(
    t,
    {},
    asClass(() => shared),
  );
  const first = await RawWebSocket.open(port, '/echo/000/first/websocket');
  t.after(() => first.abort());
  assert.equal(await first.next(), 'o');
  const second = await httpRequest(port, {
    path: '/echo/000/second/websocket',
    headers: UPGRADE_HEADERS,
  });
  assert.equal(second.status, 500);
  assert.match(logger.take()[0]?.line ?? '', /must return a new instance for each/);
  first.send('["mine"]');
  assert.equal(await first.next(), 'a["mine"]');
});

async function fail(): Promise<never> {
  throw new Error('no database');
}

test('an async factory that rejects refuses the client and leaves no unhandled rejection', async (t) => {
  const { port, logger } = await startRouter(t, {}, asClass(fail));
  const poll = { method: 'POST', path: '/echo/000/session/xhr' };
  assert.equal((await httpRequest(port, poll)).status, 500);
  assert.match(logger.take()[0]?.line ?? '', /must return an instance of SockJSConnection/);
});

test('an async verifyIp that rejects refuses the client and leaves no unhandled rejection', async (t) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a mistake of an application
  const { port, logger } = await startRouter(t, { verifyIp: fail as never });
  const poll = { method: 'POST', path: '/echo/000/session/xhr' };
  assert.equal((await httpRequest(port, poll)).status, 500);
  assert.match(logger.take()[0]?.line ?? '', /verifyIp must return a string/);
});

test('an async slowConsumer that rejects closes the slow client and leaves no unhandled rejection', async (t) => {
  const closed = deferred<number>();
  class Flood extends SockJSConnection {
    override async onOpen(): Promise<void> {
      for (let count = 0; count < 3; count += 1) {
        this.send('x'.repeat(1000));
        await new Promise(setImmediate);
      }
    }

    override onClose(code: number): void {
      closed.resolve(code);
    }
  }
  const settings = { highWaterMark: 500, maxBufferedBytes: 500 };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a mistake of an application
  const { port } = await startRouter(t, { ...settings, slowConsumer: fail as never }, Flood);
  const client = httpConnection(t, port);
  client.send({ method: 'POST', path: '/echo/000/session/xhr' });
  assert.equal(await within(closed.promise, 'onClose'), 1013);
});

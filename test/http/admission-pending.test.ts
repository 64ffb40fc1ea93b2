/** Requests and changes while `authorize` is pending. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { RawHttpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { TRANSPORTS, newSession, openRequest } from '../../testkit/transports.ts';
import { deferred } from '../../testkit/until.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { poll, postBody, requestSession } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { testEach } from '../../testkit/node-test.ts';

testEach(TRANSPORTS, 'a slow authorize does not block others', async (t, transport) => {
  const verdict = deferred();
  const asked = deferred();
  const { port } = await startRouter(t, {
    authorize: async (request) => {
      if (request.getArgument('slow') === undefined) return 'quick';
      asked.resolve();
      await verdict.promise;
      return 'slow';
    },
  });
  const slow = requestSession(t, port, transport, { query: 'slow=1' });
  await asked.promise;
  const expected = transport.isWebSocket ? 101 : 200;
  assert.equal((await requestSession(t, port, transport)).status, expected);
  verdict.resolve();
  assert.equal((await slow).status, expected);
});

testEach(
  TRANSPORTS,
  'a client that disconnects before the decision leaves no session',
  async (t, transport) => {
    const verdict = deferred();
    const asked = deferred();
    let opens = 0;
    class Counting extends SockJSConnection {
      override onOpen(): void {
        opens += 1;
      }
    }
    const authorize = async (): Promise<string> => {
      asked.resolve();
      await verdict.promise;
      return 'too late';
    };
    const settings = { authorize, maxSessions: 1 };
    const { port, router, server } = await startRouter(t, settings, Counting);
    const gone = new Promise((resolve) => {
      server.once('connection', (socket) => socket.once('close', resolve));
    });
    const client = new RawHttpConnection(port);
    client.send(openRequest(transport));
    await asked.promise;
    client.abort();
    await gone;
    verdict.resolve();
    await new Promise(setImmediate);
    assert.equal(opens, 0);
    const { sessionsTotal, sessionsActive, connectionsActive, closed } = router.stats.dump();
    assert.deepEqual([sessionsTotal, sessionsActive, connectionsActive], [0, 0, 0]);
    assert.equal(
      Object.values(closed).reduce((sum, count) => sum + count),
      0,
    );
    // The place of the one allowed session is free.
    assert.equal(
      (await requestSession(t, port, transport)).status,
      transport.isWebSocket ? 101 : 200,
    );
  },
);

test('a second poll while authorize is pending is refused, and authorize is called once', async (t) => {
  const verdict = deferred();
  const asked = deferred();
  let calls = 0;
  const { port, router } = await startRouter(t, {
    authorize: async () => {
      calls += 1;
      asked.resolve();
      await verdict.promise;
      return 'alice';
    },
  });
  const session = newSession();
  const first = poll(port, session);
  await asked.promise;
  const second = await httpRequest(port, { method: 'POST', path: `${session}/xhr` });
  assert.equal(second.status, 503);
  assert.equal(second.head.header('retry-after'), '1');
  assert.equal(calls, 1);
  assert.equal(router.stats.dump().refused.sessionOpening, 1);
  verdict.resolve();
  assert.equal(await first, 'o');
  assert.equal(router.stats.dump().sessionsTotal, 1);
});

test('a message for a session that authorize has not admitted yet finds no session', async (t) => {
  const verdict = deferred();
  const asked = deferred();
  const { port } = await startRouter(t, {
    authorize: async () => {
      asked.resolve();
      await verdict.promise;
      return 'alice';
    },
  });
  const session = newSession();
  const first = poll(port, session);
  await asked.promise;
  assert.equal((await postBody(port, session, '["early"]')).status, 404);
  verdict.resolve();
  assert.equal(await first, 'o');
});

test('1,000 pending calls of authorize refuse new sessions, and do not delay an open session', async (t) => {
  const verdict = deferred();
  const asked = new AsyncQueue<string>('authorize');
  const { port, router, logger } = await startRouter(t, {
    maxPendingDecisionsPerAddress: 1000,
    authorize: async (request) => {
      if (request.getArgument('slow') === undefined) return 'quick';
      asked.push('asked');
      await verdict.promise;
      return 'slow';
    },
  });
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  const client = new RawHttpConnection(port);
  t.after(() => client.close());
  const slow = (count: number): string =>
    `POST /echo/000/slow-${count}/xhr?slow=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`;
  client.socket.write(Array.from({ length: 1000 }, (_, count) => slow(count)).join(''));
  await asked.take(1000);
  assert.equal(
    (await httpRequest(port, { method: 'POST', path: `${newSession()}/xhr` })).status,
    503,
  );
  assert.equal(router.stats.dump().refused.pendingLimit, 1);
  assert.match(logger.take()[0]?.line ?? '', /too many others wait for authorize/);
  assert.equal((await postBody(port, session, '["still here"]')).status, 204);
  assert.equal(await poll(port, session), 'a["still here"]');
  verdict.resolve();
});

test('after a refusal the same session id can be opened', async (t) => {
  let isKnown = false;
  const { port } = await startRouter(t, { authorize: () => isKnown });
  const session = newSession();
  assert.equal((await httpRequest(port, { method: 'POST', path: `${session}/xhr` })).status, 403);
  isKnown = true;
  assert.equal(await poll(port, session), 'o');
});

test('authorize is called once for each session, not for later polls and sends', async (t) => {
  let calls = 0;
  const { port } = await startRouter(t, { authorize: () => (calls += 1) });
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  for (const text of ['a', 'b']) {
    assert.equal((await postBody(port, session, JSON.stringify([text]))).status, 204);
    assert.equal(await poll(port, session), JSON.stringify([text]).replace('[', 'a['));
  }
  assert.equal(calls, 1);
  assert.equal(await poll(port, newSession()), 'o');
  assert.equal(calls, 2);
});

test('two WebSockets with one id are two sessions, and authorize is called for each', async (t) => {
  const verdict = deferred();
  const calls = new AsyncQueue<string>('authorize');
  const { port } = await startRouter(t, {
    authorize: async ({ url: asked }) => {
      calls.push(asked);
      await verdict.promise;
      return 'alice';
    },
  });
  const clients = [1, 2].map(() => openWebSocket(t, port, '/echo/000/same/websocket'));
  assert.deepEqual(await calls.take(2), ['/echo/000', '/echo/000']);
  verdict.resolve();
  for (const client of clients) assert.equal(await (await client).next(), 'o');
});

testEach(
  TRANSPORTS,
  'a router that closes while authorize is pending refuses with 503',
  async (t, transport) => {
    const verdict = deferred();
    const asked = deferred();
    const { port, router } = await startRouter(t, {
      authorize: async () => {
        asked.resolve();
        await verdict.promise;
        return 'alice';
      },
    });
    const answer = httpRequest(port, openRequest(transport));
    await asked.promise;
    const closed = router.close({ timeout: 100 });
    verdict.resolve();
    const { status, head } = await answer;
    assert.equal(status, 503);
    assert.equal(head.header('retry-after'), '1');
    await closed;
    assert.equal(router.stats.dump().refused.draining, 1);
  },
);

testEach(TRANSPORTS, 'limits are checked again after authorize', async (t, transport) => {
  const verdict = deferred();
  const asked = new AsyncQueue<string>('authorize');
  const { port, router, logger } = await startRouter(t, {
    maxSessions: 2,
    authorize: async () => {
      asked.push('asked');
      await verdict.promise;
      return 'alice';
    },
  });
  const statuses = [1, 2, 3, 4].map(async () => (await requestSession(t, port, transport)).status);
  await asked.take(4);
  verdict.resolve();
  const admitted = transport.isWebSocket ? 101 : 200;
  assert.deepEqual(
    (await Promise.all(statuses)).toSorted((a, b) => a - b),
    [admitted, admitted, 503, 503],
  );
  assert.equal(router.stats.dump().refused.sessionLimit, 2);
  assert.equal(logger.take().length, 1);
});

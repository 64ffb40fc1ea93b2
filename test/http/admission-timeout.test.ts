/** Decisions of the application that settle late or never, over real sockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import type { SessionRequest } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { testEach } from '../../testkit/node-test.ts';
import { httpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { requestSession } from '../../testkit/sockjs-http.ts';
import { TRANSPORTS, XHR, openRequest } from '../../testkit/transports.ts';
import { deferred, within } from '../../testkit/until.ts';

function never(): Promise<never> {
  return new Promise(() => {});
}

testEach(TRANSPORTS, 'a late authorize is a 503 that may be retried', async (t, transport) => {
  const { port, router, logger } = await startRouter(t, {
    authorizeTimeout: 50,
    authorize: never,
  });
  const { status, head, body } = await httpRequest(port, openRequest(transport));
  assert.deepEqual({ status, body }, { status: 503, body: 'Decision took too long.' });
  assert.equal(head.header('retry-after'), '1');
  const { refused, sessionsTotal } = router.stats.dump();
  assert.equal(refused.pendingTimeout, 1);
  assert.equal(sessionsTotal, 0);
  assert.match(logger.take()[0]?.line ?? '', /took longer than authorizeTimeout/);
});

testEach(TRANSPORTS, 'a late allowedOrigins function is a 503', async (t, transport) => {
  const { port, router, logger } = await startRouter(t, {
    authorizeTimeout: 50,
    allowedOrigins: never,
  });
  const headers = [['Origin', 'http://page.example']] as const;
  assert.equal((await httpRequest(port, openRequest(transport, { headers }))).status, 503);
  assert.equal(router.stats.dump().refused.pendingTimeout, 1);
  logger.take();
});

testEach(
  TRANSPORTS,
  'a result that arrives after the timeout opens nothing',
  async (t, transport) => {
    const verdict = deferred<string>();
    const { port, router, logger } = await startRouter(t, {
      authorizeTimeout: 20,
      authorize: () => verdict.promise,
    });
    assert.equal((await httpRequest(port, openRequest(transport))).status, 503);
    verdict.resolve('a user');
    assert.equal((await httpRequest(port, { path: '/echo' })).status, 200);
    assert.equal(router.stats.dump().sessionsTotal, 0);
    logger.take();
  },
);

for (const how of ['ends', 'resets'] as const) {
  testEach(
    TRANSPORTS,
    `request.signal aborts when the client ${how} its connection, and no session opens`,
    async (t, transport) => {
      const requests = new AsyncQueue<SessionRequest>('authorize');
      const verdict = deferred<string>();
      const { port, router } = await startRouter(t, {
        authorize: (request) => {
          requests.push(request);
          return verdict.promise;
        },
      });
      const client = httpConnection(t, port).send(openRequest(transport));
      const { signal } = await requests.next();
      assert.equal(signal.aborted, false);
      const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
      if (how === 'ends') client.raw.end();
      else client.abort();
      await within(aborted, 'the abort event');
      verdict.resolve('a user');
      assert.equal((await httpRequest(port, { path: '/echo' })).status, 200);
      assert.equal(router.stats.dump().sessionsTotal, 0);
    },
  );
}

testEach(
  TRANSPORTS,
  'request.signal aborts on a disconnect after allowedOrigins was pending too',
  async (t, transport) => {
    const requests = new AsyncQueue<SessionRequest>('authorize');
    const { port, router } = await startRouter(t, {
      allowedOrigins: async () => true,
      authorize: (request) => {
        requests.push(request);
        return never();
      },
    });
    const headers = [['Origin', 'http://page.example']] as const;
    const client = httpConnection(t, port).send(openRequest(transport, { headers }));
    const { signal } = await requests.next();
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
    client.raw.end();
    await within(aborted, 'the abort event');
    assert.equal(router.stats.dump().sessionsTotal, 0);
  },
);

testEach(TRANSPORTS, 'request.signal aborts when the router closes', async (t, transport) => {
  const requests = new AsyncQueue<SessionRequest>('authorize');
  const { port, router } = await startRouter(t, {
    authorize: (request) => {
      requests.push(request);
      return never();
    },
  });
  const response = httpRequest(port, openRequest(transport));
  const { signal } = await requests.next();
  await router.close({ timeout: 100 });
  assert.equal(signal.aborted, true);
  assert.equal((await response).status, 503);
});

const THENABLES: readonly (readonly [name: string, create: (value: unknown) => unknown])[] = [
  [
    'a promise of another realm',
    (value): unknown => runInNewContext('Promise.resolve(value)', { value }),
  ],
  // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
  ['a thenable', (value) => ({ then: (resolve: (result: unknown) => void) => resolve(value) })],
];

for (const [name, create] of THENABLES) {
  test(`authorize may return ${name}`, async (t) => {
    const authorize = (): never => create('Ada') as never;
    const { port, router } = await startRouter(t, { authorize });
    await requestSession(t, port, XHR);
    assert.deepEqual(
      Array.from(router.connections, ({ user }) => user),
      ['Ada'],
    );
  });

  test(`allowedOrigins may return ${name}`, async (t) => {
    const allowedOrigins = (origin: string): never => create(origin.endsWith('.good')) as never;
    const { port, logger } = await startRouter(t, { allowedOrigins });
    const statusFor = async (origin: string): Promise<number> => {
      const headers = [['Origin', origin]] as const;
      return (await httpRequest(port, { path: '/echo/info', headers })).status;
    };
    assert.equal(await statusFor('http://page.good'), 200);
    assert.equal(await statusFor('http://page.evil'), 403);
    logger.take();
  });
}

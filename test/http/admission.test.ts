/** `authorize` decides once for each session, before it opens, on every transport. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multiplex } from '../../src/extras/multiplex.ts';
import { Refusal, type SessionRequest, SockJSConnection } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { TRANSPORTS, newSession, openRequest } from '../../testkit/transports.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { poll, requestSession } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { testEach } from '../../testkit/node-test.ts';

/** Copy of a request's properties. */
function seen(request: SessionRequest): Record<string, unknown> {
  const { method, url, path, ip, secure, certificate } = request;
  return { method, url, path, ip, secure, certificate };
}

testEach(
  TRANSPORTS,
  'authorize sees the whole request, without the session id',
  async (t, transport) => {
    const requests: Record<string, unknown>[] = [];
    const { port } = await startRouter(t, {
      authorize: (request) => {
        assert.equal(request.getArgument('token'), 'a b');
        assert.equal(request.getHeader('X-Custom'), 'yes');
        assert.equal(request.headers['x-custom'], 'yes');
        assert.deepEqual(request.cookies, { who: 'alice', lang: 'de' });
        requests.push(seen(request));
        return 'somebody';
      },
    });
    const id = 'SECRET';
    const extras = {
      id,
      query: 'token=a%20b',
      headers: [
        ['Cookie', 'who=alice; lang=de'],
        ['X-Custom', 'yes'],
      ],
    } as const;
    await requestSession(t, port, transport, extras);
    const { method = 'GET', path: asked } = openRequest(transport, extras);
    const [query = ''] = asked.split('?').slice(1);
    const path = transport.name === 'rawwebsocket' ? '/echo/websocket' : '/echo/000';
    assert.deepEqual(requests, [
      {
        method,
        url: `${path}?${query}`,
        path,
        ip: '127.0.0.1',
        secure: false,
        certificate: undefined,
      },
    ]);
  },
);

for (const [how, authorize] of [
  ['at once', () => ({ name: 'alice' })],
  ['later', async () => Promise.resolve({ name: 'alice' })],
] as const) {
  testEach(
    TRANSPORTS,
    `what authorize answers ${how} is connection.user in onOpen`,
    async (t, transport) => {
      const users = new AsyncQueue<object>('onOpen');
      class Greeter extends SockJSConnection<{ name: string }> {
        override onOpen(): void {
          users.push(this.user);
        }
      }
      const { port } = await startRouter(t, { authorize }, Greeter);
      const { status } = await requestSession(t, port, transport);
      assert.equal(status, transport.isWebSocket ? 101 : 200);
      assert.deepEqual(await users.next(), { name: 'alice' });
    },
  );
}

for (const user of [0, '', true, NaN]) {
  test(`a user may be ${JSON.stringify(user)} (${typeof user})`, async (t) => {
    const { port, router } = await startRouter(t, { authorize: () => user });
    assert.equal(await poll(port, newSession()), 'o');
    assert.deepEqual(
      [...router.connections].map((connection) => connection.user),
      [user],
    );
  });
}

test('without authorize there is no user', async (t) => {
  const { port, router } = await startRouter(t);
  assert.equal(await poll(port, newSession()), 'o');
  assert.equal([...router.connections][0]?.user, undefined);
});

test('the channels of a multiplexed connection have its user', async (t) => {
  class Channel extends SockJSConnection {
    override onOpen(): void {
      this.send(`hello ${String(this.user)}`);
    }
  }
  const { port } = await startRouter(t, { authorize: () => 'alice' }, multiplex({ a: Channel }));
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.send('sub,a');
  assert.equal(await client.next(), 'msg,a,hello alice');
});

testEach(
  TRANSPORTS,
  'a Refusal becomes the response: status, text and headers',
  async (t, transport) => {
    const { port, router } = await startRouter(t, {
      authorize: () => new Refusal(401, 'Please log in.', { 'WWW-Authenticate': 'Bearer' }),
    });
    const { status, body, head } = await httpRequest(port, openRequest(transport));
    assert.deepEqual({ status, body }, { status: 401, body: 'Please log in.' });
    assert.equal(head.header('www-authenticate'), 'Bearer');
    assert.equal(head.header('content-type'), 'text/plain; charset=UTF-8');
    const { refused: reasons, sessionsTotal } = router.stats.dump();
    assert.equal(reasons.unauthorized, 1);
    assert.equal(sessionsTotal, 0);
  },
);

testEach(TRANSPORTS, 'a Refusal without text has no body and no type', async (t, transport) => {
  const { port } = await startRouter(t, {
    authorize: async () => Promise.resolve(new Refusal(429)),
  });
  const { status, body, head } = await httpRequest(port, openRequest(transport));
  assert.deepEqual({ status, body }, { status: 429, body: '' });
  assert.equal(head.header('content-type'), undefined);
});

testEach(
  TRANSPORTS,
  'undefined, null and false refuse with 403, also as a promise',
  async (t, transport) => {
    const answers = [undefined, null, false] as const;
    for (const answer of answers) {
      for (const authorize of [() => answer, () => Promise.resolve(answer)]) {
        const { port, router } = await startRouter(t, { authorize });
        const { status, body } = await httpRequest(port, openRequest(transport));
        assert.deepEqual({ status, body }, { status: 403, body: 'Not authorized.' });
        assert.equal(router.stats.dump().refused.unauthorized, 1);
      }
    }
  },
);

for (const [how, authorize] of [
  [
    'throws',
    () => {
      throw new Error('no database');
    },
  ],
  ['rejects', () => Promise.reject(new Error('no database'))],
] as const) {
  testEach(
    TRANSPORTS,
    `an authorize that ${how} is a 500 and one error line`,
    async (t, transport) => {
      const { port, router, logger } = await startRouter(t, { authorize });
      const { status, body } = await httpRequest(
        port,
        openRequest(transport, { session: '/echo/000/SECRET' }),
      );
      assert.deepEqual({ status, body }, { status: 500, body: 'Internal error.' });
      const lines = logger.take();
      assert.deepEqual(
        lines.map(({ level }) => level),
        ['error'],
      );
      assert.match(lines[0]?.line ?? '', /no database/);
      assert.doesNotMatch(lines[0]?.line ?? '', /SECRET/);
      const { refused: reasons, sessionsTotal } = router.stats.dump();
      assert.equal(reasons.internalError, 1);
      assert.equal(sessionsTotal, 0);
    },
  );
}

for (const path of ['', '/info', '/iframe.html', '/000/unknown/xhr_send']) {
  test(`${path || 'the greeting'} opens no session and does not call authorize`, async (t) => {
    const { port } = await startRouter(t, { authorize: () => assert.fail('asked') });
    const method = path.endsWith('send') ? 'POST' : 'GET';
    const { status } = await httpRequest(port, { method, path: `/echo${path}` });
    assert.equal(status, method === 'GET' ? 200 : 404);
  });
}

test('a page of another origin is refused before authorize is called', async (t) => {
  const { port, logger } = await startRouter(t, { authorize: () => assert.fail('asked') });
  const headers = [['Origin', 'http://evil.example']] as const;
  const { status } = await httpRequest(port, {
    method: 'POST',
    path: `${newSession()}/xhr`,
    headers,
  });
  assert.equal(status, 403);
  assert.equal(logger.take().length, 1);
});

/** `authorize`: who gets in is decided once for each session, before it opens, alike on every transport. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multiplex } from '../../src/extras/multiplex.ts';
import { Refusal, type SessionRequest, SockJSConnection } from '../../src/index.ts';
import { poll } from '../conformance/dialects.ts';
import { newSession } from '../conformance/services.ts';
import { Queue } from '../support/client.ts';
import { ask } from '../support/http.ts';
import { serve } from '../support/service.ts';
import { connectWebSocket } from '../support/ws.ts';
import { knock, overAll, refused } from '../limits/transports.ts';

/** What is known of a request once it is over. */
function seen(request: SessionRequest): Record<string, unknown> {
  const { method, url, path, ip, secure, certificate } = request;
  return { method, url, path, ip, secure, certificate };
}

overAll('authorize sees the whole request, without the session id', async (t, transport) => {
  const requests: Record<string, unknown>[] = [];
  const { port } = await serve(t, {
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
  await knock(t, port, transport, extras);
  const { method = 'GET', path: asked } = transport.request(extras);
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
});

for (const [how, authorize] of [
  ['at once', () => ({ name: 'alice' })],
  ['later', async () => Promise.resolve({ name: 'alice' })],
] as const) {
  overAll(`what authorize answers ${how} is connection.user in onOpen`, async (t, transport) => {
    const users = new Queue<object>('onOpen');
    class Greeter extends SockJSConnection<{ name: string }> {
      override onOpen(): void {
        users.put(this.user);
      }
    }
    const { port } = await serve(t, { authorize }, Greeter);
    const { status } = await knock(t, port, transport);
    assert.equal(status, transport.isWebSocket ? 101 : 200);
    assert.deepEqual(await users.next(), { name: 'alice' });
  });
}

for (const user of [0, '', true, NaN]) {
  test(`a user may be ${JSON.stringify(user)} (${typeof user})`, async (t) => {
    const { port, router } = await serve(t, { authorize: () => user });
    assert.equal(await poll(port, newSession()), 'o');
    assert.deepEqual(
      [...router.connections].map((connection) => connection.user),
      [user],
    );
  });
}

test('without authorize there is no user', async (t) => {
  const { port, router } = await serve(t);
  assert.equal(await poll(port, newSession()), 'o');
  assert.equal([...router.connections][0]?.user, undefined);
});

test('the channels of a multiplexed connection have its user', async (t) => {
  class Channel extends SockJSConnection {
    override onOpen(): void {
      this.send(`hello ${String(this.user)}`);
    }
  }
  const { url } = await serve(t, { authorize: () => 'alice' }, multiplex({ a: Channel }));
  const client = await connectWebSocket(t, `${url}/websocket`);
  client.send('sub,a');
  assert.equal(await client.next(), 'msg,a,hello alice');
});

overAll('a Refusal is the answer: status, text and headers', async (t, transport) => {
  const { port, router } = await serve(t, {
    authorize: () => new Refusal(401, 'Please log in.', { 'WWW-Authenticate': 'Bearer' }),
  });
  const { status, body, head } = await refused(port, transport);
  assert.deepEqual({ status, body }, { status: 401, body: 'Please log in.' });
  assert.equal(head.header('www-authenticate'), 'Bearer');
  assert.equal(head.header('content-type'), 'text/plain; charset=UTF-8');
  const { refused: reasons, sessionsTotal } = router.stats.dump();
  assert.equal(reasons.unauthorized, 1);
  assert.equal(sessionsTotal, 0);
});

overAll('a Refusal without text has no body and no type', async (t, transport) => {
  const { port } = await serve(t, { authorize: async () => Promise.resolve(new Refusal(429)) });
  const { status, body, head } = await refused(port, transport);
  assert.deepEqual({ status, body }, { status: 429, body: '' });
  assert.equal(head.header('content-type'), undefined);
});

overAll('undefined, null and false are answered with 403, now or later', async (t, transport) => {
  const answers = [undefined, null, false] as const;
  for (const answer of answers) {
    for (const authorize of [() => answer, () => Promise.resolve(answer)]) {
      const { port, router } = await serve(t, { authorize });
      const { status, body } = await refused(port, transport);
      assert.deepEqual({ status, body }, { status: 403, body: 'Not authorized.' });
      assert.equal(router.stats.dump().refused.unauthorized, 1);
    }
  }
});

for (const [how, authorize] of [
  [
    'throws',
    () => {
      throw new Error('no database');
    },
  ],
  ['rejects', () => Promise.reject(new Error('no database'))],
] as const) {
  overAll(`an authorize that ${how} is a 500 and one error line`, async (t, transport) => {
    const { port, router, logs } = await serve(t, { authorize });
    const { status, body } = await refused(port, transport, { id: 'SECRET' });
    assert.deepEqual({ status, body }, { status: 500, body: 'Internal error.' });
    const lines = logs.take();
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['error'],
    );
    assert.match(lines[0]?.line ?? '', /no database/);
    assert.doesNotMatch(lines[0]?.line ?? '', /SECRET/);
    const { refused: reasons, sessionsTotal } = router.stats.dump();
    assert.equal(reasons.internalError, 1);
    assert.equal(sessionsTotal, 0);
  });
}

for (const path of ['', '/info', '/iframe.html', '/000/unknown/xhr_send']) {
  test(`${path || 'the greeting'} opens no session, and asks nobody`, async (t) => {
    const { port } = await serve(t, { authorize: () => assert.fail('asked') });
    const method = path.endsWith('send') ? 'POST' : 'GET';
    const { status } = await ask(port, { method, path: `/echo${path}` });
    assert.equal(status, method === 'GET' ? 200 : 404);
  });
}

test('a page of a foreign origin is refused before authorize is asked', async (t) => {
  const { port, logs } = await serve(t, { authorize: () => assert.fail('asked') });
  const headers = [['Origin', 'http://evil.example']] as const;
  const { status } = await ask(port, { method: 'POST', path: `${newSession()}/xhr`, headers });
  assert.equal(status, 403);
  assert.equal(logs.take().length, 1);
});

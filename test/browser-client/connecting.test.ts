/** Attempts to connect: arguments, transports in turn, refusals, tokens and proxies that buffer. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Session,
  type Transport,
  connect as connectCore,
  xhrPolling,
} from '../../client/core.ts';
import { type ConnectOptions, type TransportName, connect } from '../../client/index.ts';
import { bufferResponses, downgradeToHttp10, rewriteHead } from '../../e2e/proxies/faulty-proxy.ts';
import { Refusal } from '../../src/index.ts';
import { BROWSER_TRANSPORTS, connectClient, openClient } from '../../testkit/browser-client.ts';
import { testEach } from '../../testkit/node-test.ts';
import { startRouter, startServer } from '../../testkit/server.ts';
import { startRelay } from '../../testkit/tcp-relay.ts';
import { deferred, until } from '../../testkit/until.ts';
import { startService } from './service.ts';

/** Transports other than WebSocket, whose responses a page can read. */
const HTTP_TRANSPORTS = BROWSER_TRANSPORTS.filter(
  (name) => name === 'xhr-streaming' || name === 'xhr-polling',
);

for (const url of ['ftp://localhost/echo', 'http://localhost/echo#top', 'http://[', '/echo']) {
  test(`the URL ${url} throws a TypeError`, () => {
    assert.throws(() => connect(url), TypeError);
  });
}

for (const [name, value, message] of [
  ['reconnectDelay', -1, 'Option reconnectDelay must be a valid number'],
  ['maxReconnectDelay', Number.NaN, 'Option maxReconnectDelay must be a valid number'],
  ['timeout', '5', 'Option timeout must be a valid number'],
  ['token', 'secret', 'Option token must be a valid function'],
  ['headers', null, 'Option headers must be a valid object'],
  ['shouldReconnect', true, 'Option shouldReconnect must be a valid function'],
  ['retries', 5, 'Unknown option retries'],
  ['transport', 'websocket', 'Unknown option transport'],
] as const) {
  test(`the option ${name} with ${value} throws a TypeError that says what is wrong`, () => {
    assert.throws(() => connect('http://127.0.0.1:1/', { [name]: value }), {
      name: 'TypeError',
      message,
    });
  });
}

test('one transport may be given as its name', async (t) => {
  const { url } = await startService(t);
  const { socket } = await openClient(t, url, { transports: 'xhr-polling' });
  assert.equal(socket.transport, 'xhr-polling');
});

test('an unknown transport throws a TypeError that names it', () => {
  const transports = ['jsonp' as TransportName];
  assert.throws(() => connect('http://127.0.0.1:1/', { transports }), {
    name: 'TypeError',
    message: 'Unknown transport jsonp',
  });
});

test('options that are undefined have their defaults', async (t) => {
  const { url } = await startService(t);
  await openClient(t, url, { token: undefined, timeout: undefined } as unknown as ConnectOptions);
});

test('a message that is not a string throws a TypeError', async (t) => {
  const { socket } = await openClient(t, (await startService(t)).url);
  assert.throws(() => socket.send(5 as unknown as string), TypeError);
});

for (const [code, reason] of [
  [999, ''],
  [1001, ''],
  [5000, ''],
  [Number.NaN, ''],
  [3000, 'ä'.repeat(62)],
] as const) {
  test(`close(${code}) with a reason of ${reason.length} characters throws a TypeError`, async (t) => {
    const { socket } = await openClient(t, (await startService(t)).url);
    assert.throws(() => socket.close(code, reason), TypeError);
    assert.equal(socket.readyState, 1);
  });
}

test('the first transport opens, with one opening request after /info', async (t) => {
  const service = await startService(t);
  const { socket } = await openClient(t, service.url);
  assert.equal(socket.transport, 'websocket');
  assert.deepEqual(service.leaves, ['info', 'websocket']);
});

test('a WebSocket is not attempted if /info says that there is none', async (t) => {
  const service = await startService(t, { disabledTransports: ['websocket'] });
  const { socket } = await openClient(t, service.url);
  assert.equal(socket.transport, 'xhr-streaming');
  assert.deepEqual(service.leaves, ['info', 'xhr_streaming']);
});

test('the transport that has opened is the first to be attempted from then on', async (t) => {
  const service = await startService(t, { disabledTransports: ['websocket', 'xhr_streaming'] });
  const first = await openClient(t, service.url);
  assert.equal(first.socket.transport, 'eventsource');
  assert.deepEqual(service.leaves, ['info', 'xhr_streaming', 'eventsource']);
  const second = await openClient(t, service.url);
  assert.equal(second.socket.transport, 'eventsource');
  assert.deepEqual(service.leaves.slice(3), ['info', 'eventsource']);
});

test('a client with one transport does not change the order for the others', async (t) => {
  const service = await startService(t);
  await openClient(t, service.url, { transports: ['xhr-polling'] });
  const { socket } = await openClient(t, service.url);
  assert.equal(socket.transport, 'websocket');
});

test('a transport that does not open is aborted before the next one starts', async (t) => {
  const { url } = await startService(t);
  const sessions: Session[] = [];
  const aborted: boolean[][] = [];
  const silent: Transport = {
    name: 'xhr-streaming',
    open(session) {
      aborted.push(sessions.map(({ signal }) => signal.aborted));
      sessions.push(session);
      return { bufferedAmount: 0, send: () => undefined };
    },
  };
  const transports = [silent, { ...silent }, xhrPolling];
  const socket = connectCore(url, { transports, timeout: 20 });
  t.after(() => socket.close());
  const opened = deferred();
  socket.onopen = () => opened.resolve();
  await opened.promise;
  assert.equal(socket.transport, 'xhr-polling');
  assert.deepEqual(aborted, [[], [true]]);
  assert.deepEqual(
    sessions.map(({ signal }) => signal.aborted),
    [true, true],
  );
  sessions.forEach((session) => session.receive('o'));
  assert.equal(socket.transport, 'xhr-polling', 'a late frame of an old session is ignored');
});

test('a transport that the environment does not have is passed over', async (t) => {
  const { url } = await startService(t);
  const unsupported: Transport = {
    name: 'eventsource',
    open: () => Reflect.construct(undefined as never, []),
  };
  const socket = connectCore(url, { transports: [unsupported, xhrPolling], timeout: 60_000 });
  t.after(() => socket.close());
  const opened = deferred();
  socket.onopen = () => opened.resolve();
  await opened.promise;
  assert.equal(socket.transport, 'xhr-polling');
});

test('a proxy that buffers responses is detected, and polling opens in its place', async (t) => {
  const service = await startService(t);
  const port = await startRelay(t, service.port, {
    toServer: rewriteHead(downgradeToHttp10),
    toClient: bufferResponses,
  });
  const client = await openClient(t, `http://127.0.0.1:${port}/echo`, { timeout: 1000 });
  assert.equal(client.socket.transport, 'xhr-polling');
  client.socket.send('hello');
  assert.equal(await client.next(), 'hello');
  const opening = ['info', 'websocket', 'xhr_streaming', 'eventsource', 'xhr'];
  assert.deepEqual(service.leaves.slice(0, opening.length), opening);
  assert.equal(client.losses.size, 0, 'transports are attempted in turn, without a reconnect');
});

test('an authorize that takes longer than the timeout opens with the last transport', async (t) => {
  let calls = 0;
  const authorize = (): Promise<object> => {
    calls += 1;
    return calls === 1 ? new Promise<never>(() => {}) : delay(300, {});
  };
  const service = await startService(t, { authorize });
  const transports = ['xhr-streaming', 'xhr-polling'] as const;
  const client = await openClient(t, service.url, { transports, timeout: 50 });
  assert.equal(client.socket.transport, 'xhr-polling');
});

test('base_url of /info is the address of the sessions', async (t) => {
  const away = await startService(t);
  const home = await startService(t, { baseUrl: away.url });
  await openClient(t, home.url);
  assert.deepEqual([home.leaves, away.leaves], [['info'], ['websocket']]);
});

test('the query of the URL is part of every request, and server and session id may be given', async (t) => {
  const service = await startService(t);
  const client = await openClient(t, `${service.url}/?room=a%26b`, {
    transports: ['xhr-polling'],
    server: 'one',
    sessionId: () => 'secret',
  });
  client.socket.send('hello');
  await client.next();
  const [info, ...others] = service.record.requests;
  assert.equal(info, '/info?room=a%26b');
  for (const path of others) assert.match(path, /^\/one\/secret\/xhr(_send)?\?room=a%26b$/);
});

for (const status of [401, 403, 404, 422]) {
  testEach(
    HTTP_TRANSPORTS,
    `a refusal with ${status} is final and has its status`,
    async (t, name) => {
      const authorize = (): Refusal => new Refusal(status, 'No.');
      const service = await startService(t, { authorize });
      const client = connectClient(t, service.url, { transports: [name] });
      const { code, reason, status: closed, attempt } = await client.closed();
      assert.deepEqual([code, reason, closed, attempt], [1006, `HTTP ${status}`, status, 1]);
      assert.equal(service.leaves.length, 2);
      assert.equal(client.socket.readyState, 3);
    },
  );
}

for (const status of [408, 425, 429, 500, 503]) {
  testEach(
    HTTP_TRANSPORTS,
    `a refusal with ${status} is followed by another attempt`,
    async (t, name) => {
      let refusals = 2;
      const authorize = (): Refusal | object => {
        refusals -= 1;
        return refusals < 0 ? {} : new Refusal(status);
      };
      const service = await startService(t, { authorize });
      const client = connectClient(t, service.url, { transports: [name] });
      assert.equal(await client.opens.next(), false);
      const losses = client.losses.drain();
      assert.deepEqual(
        losses.map(({ code, status: lost, attempt }) => [code, lost, attempt]),
        [1, 2].map((attempt) => [1006, status, attempt]),
      );
    },
  );
}

test('a refusal stops the attempt, without further transports', async (t) => {
  const service = await startService(t, {
    disabledTransports: ['websocket'],
    authorize: () => new Refusal(403),
  });
  await connectClient(t, service.url).closed();
  assert.deepEqual(service.leaves, ['info', 'xhr_streaming']);
});

test('a wrong URL is final, with the status of /info', async (t) => {
  const service = await startService(t);
  const { status } = await connectClient(t, `${service.site.origin}/nothing`).closed();
  assert.equal(status, 404);
});

test('a server that does not listen yet is attempted again', async (t) => {
  const service = await startService(t);
  await service.kill();
  const client = connectClient(t, service.url);
  const { code, status } = await client.losses.next();
  assert.deepEqual([code, status], [1006, undefined]);
  client.socket.send('early');
  await service.restart();
  assert.equal(await client.next(), 'early');
});

test('shouldReconnect decides after a loss, and undefined leaves the decision to the client', async (t) => {
  const service = await startService(t, { authorize: () => new Refusal(403) });
  const answers = [true, true, undefined];
  const client = connectClient(t, service.url, {
    transports: ['xhr-polling'],
    shouldReconnect: ({ status, attempt }) => (status === 403 ? answers[attempt - 1] : false),
  });
  assert.equal((await client.closed()).attempt, 3);
  assert.equal(client.losses.size, 2);
});

testEach(
  BROWSER_TRANSPORTS,
  'the token is sent with the opening request only, and is new for each attempt',
  async (t, transport) => {
    const tokens: (string | undefined)[] = [];
    const authorize = (request: { getArgument(name: string): string | undefined }): object => {
      tokens.push(request.getArgument('token'));
      return {};
    };
    const service = await startService(t, { authorize, responseLimit: 4096 });
    let count = 0;
    const token = (): Promise<string> => Promise.resolve(`täg&${(count += 1)}`);
    const client = await openClient(t, `${service.url}?room=1`, { transports: [transport], token });
    for (let index = 0; index < 3; index += 1) {
      client.socket.send('x'.repeat(3000));
      await client.next();
    }
    const withToken = service.record.requests.filter((path) => path.includes('token='));
    assert.equal(withToken.length, 1, service.record.requests.join('\n'));
    await service.kill();
    await service.restart({ authorize });
    assert.equal(await client.opens.next(), true);
    assert.equal(tokens[0], 'täg&1');
    assert.equal(tokens.at(-1), `täg&${count}`);
    assert.ok(count > 1);
  },
);

test('a token is in no line of the log', async (t) => {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  let isRefused = true;
  const { url } = await startRouter(t, {
    logger: { info: log, warn: log, error: log, debug: log },
    authorize: () => (isRefused ? new Refusal(503) : {}),
  });
  const client = connectClient(t, url, { token: () => 'secret' });
  await client.losses.next();
  isRefused = false;
  await client.opens.next();
  assert.ok(lines.some((line) => line.includes('refused')));
  assert.doesNotMatch(lines.join('\n'), /secret|token/);
});

test('a token that rejects is a failed attempt', async (t) => {
  const service = await startService(t);
  let count = 0;
  const token = async (): Promise<string> => {
    count += 1;
    if (count === 1) throw new Error('offline');
    return Promise.resolve('secret');
  };
  const client = connectClient(t, service.url, { token });
  assert.match((await client.losses.next()).reason, /offline/);
  await client.opens.next();
});

test('a token function that throws is a failed attempt', async (t) => {
  const service = await startService(t);
  let count = 0;
  const token = (): string => {
    count += 1;
    if (count === 1) throw new Error('offline');
    return 'secret';
  };
  const client = connectClient(t, service.url, { token });
  assert.match((await client.losses.next()).reason, /offline/);
  await client.opens.next();
});

test('a token of null is no token', async (t) => {
  const service = await startService(t);
  // As `localStorage.getItem` in JavaScript.
  const token = (): undefined => null as unknown as undefined;
  await openClient(t, service.url, { token });
  assert.ok(service.record.requests.every((path) => !path.includes('token')));
});

testEach(HTTP_TRANSPORTS, 'headers are those of every request', async (t, transport) => {
  const seen: (string | undefined)[] = [];
  const service = await startService(t, {
    authorize: ({ headers }) => {
      seen.push(headers['authorization']?.toString());
      return {};
    },
  });
  const headers = { Authorization: 'Bearer secret' };
  await openClient(t, service.url, { transports: [transport], headers });
  assert.deepEqual(seen, ['Bearer secret']);
});

test('an attempt whose /info does not respond is aborted by close', async (t) => {
  const requests: { readonly destroyed: boolean }[] = [];
  const port = await startServer(
    t,
    createServer((request) => {
      requests.push(request.socket);
    }),
  );
  const client = connectClient(t, `http://127.0.0.1:${port}/echo`);
  await until(() => requests.length > 0, '/info');
  client.socket.close();
  const { code, wasClean } = await client.closed();
  assert.deepEqual([code, wasClean], [1000, true]);
  await until(() => requests[0]?.destroyed, 'the end of the request');
});

/** What is seen from outside: counters, events, metrics and log lines. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type TestContext, test } from 'node:test';
import { Refusal, type SockJSSettings, SockJSConnection } from '../../src/index.ts';
import { REFUSALS } from '../../src/base/refusal.ts';
import { poll, sendBody } from '../conformance/dialects.ts';
import { newSession } from '../conformance/services.ts';
import { until } from '../support/client.ts';
import { HttpConnection, type RequestOptions, ask } from '../support/http.ts';
import { serve } from '../support/service.ts';
import { connectWebSocket } from '../support/ws.ts';
import { UPGRADE } from './transports.ts';

const ID = 'SECRET-SESSION-ID';
const SESSION = `/echo/000/${ID}`;
const post = (target: string, body = ''): RequestOptions => ({
  method: 'POST',
  path: `${SESSION}/${target}`,
  body,
});

interface Case {
  readonly reason: keyof typeof REFUSALS;
  readonly request: RequestOptions;
  readonly settings?: SockJSSettings;
  /** Whether the session is there already. */
  readonly isOpen?: boolean;
}

const REFUSED: readonly Case[] = [
  { reason: 'notFound', request: { path: `${SESSION}/nothing` } },
  { reason: 'notFound', request: post('xhr'), settings: { disabledTransports: ['xhr'] } },
  { reason: 'methodNotAllowed', request: { path: `${SESSION}/xhr` } },
  { reason: 'invalidUpgrade', request: { path: `${SESSION}/websocket` } },
  {
    reason: 'originNotAllowed',
    request: { ...post('xhr'), headers: [['Origin', 'http://evil.example']] },
  },
  { reason: 'unauthorized', request: post('xhr'), settings: { authorize: () => false } },
  { reason: 'unauthorized', request: post('xhr'), settings: { authorize: () => new Refusal(401) } },
  { reason: 'sessionLimit', request: post('xhr'), settings: { maxSessions: 1 } },
  { reason: 'addressSessionLimit', request: post('xhr'), settings: { maxSessionsPerAddress: 1 } },
  { reason: 'callbackMissing', request: { path: `${SESSION}/jsonp` } },
  { reason: 'callbackInvalid', request: { path: `${SESSION}/htmlfile?c=%3Cscript%3E` } },
  { reason: 'sessionNotFound', request: post('xhr_send', '["x"]') },
  {
    reason: 'contentEncoding',
    request: { ...post('xhr_send', '["x"]'), headers: [['Content-Encoding', 'gzip']] },
    isOpen: true,
  },
  {
    reason: 'bodyTooLarge',
    request: post('xhr_send', '["x"]'),
    settings: { maxMessageBytes: 2 },
    isOpen: true,
  },
  {
    reason: 'memoryLimit',
    request: post('xhr_send', '["x"]'),
    settings: { maxTotalBufferedBytes: 2 },
    isOpen: true,
  },
  { reason: 'bodyMissing', request: post('xhr_send'), isOpen: true },
  { reason: 'bodyInvalid', request: post('xhr_send', '{'), isOpen: true },
  {
    reason: 'tooManyMessages',
    request: post('xhr_send', '["x","y"]'),
    settings: { maxMessagesPerBody: 1 },
    isOpen: true,
  },
  {
    reason: 'internalError',
    request: post('xhr'),
    settings: {
      authorize: () => {
        throw new Error('no');
      },
    },
  },
];

/** What is published on a channel while the test runs. */
function published(t: TestContext, name: string): unknown[] {
  const events: unknown[] = [];
  const listener = (event: unknown): void => {
    events.push(event);
  };
  subscribe(name, listener);
  t.after(() => unsubscribe(name, listener));
  return events;
}

/** Counters that are not 0. */
function counted(counters: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => count > 0));
}

for (const { reason, request, settings = {}, isOpen = false } of REFUSED) {
  test(`${reason} is counted and published under its name: ${request.path.replace(ID, 'ID')}`, async (t) => {
    const events = published(t, 'sockjs-server:refuse');
    const { port, router, logs } = await serve(t, settings);
    if (isOpen) assert.equal(await poll(port, SESSION), 'o');
    if (reason.endsWith('essionLimit')) assert.equal(await poll(port, newSession()), 'o');
    const { status } = await ask(port, request);
    assert.deepEqual(counted(router.stats.dump().refused), { [reason]: 1 });
    assert.deepEqual(events, [{ prefix: '/echo', reason, status, address: '127.0.0.1' }]);
    for (const { line } of logs.take()) assert.doesNotMatch(line, new RegExp(ID));
  });
}

test('the table of refusals above lacks only those that take time, which other tests have', () => {
  const covered = new Set(REFUSED.map(({ reason }) => reason));
  const others = Object.keys(REFUSALS).filter(
    (name) => !covered.has(name as keyof typeof REFUSALS),
  );
  assert.deepEqual(others, [
    'draining',
    'pendingLimit',
    'sessionOpening',
    'rateLimited',
    'bodyTimeout',
  ]);
});

/** Ends itself in the way that its client asks for. */
class Ending extends SockJSConnection {
  override onOpen(): boolean | undefined {
    return this.info.getArgument('how') === 'refused' ? false : undefined;
  }

  override onMessage(message: string): void {
    if (message === 'application') this.close();
    if (message === 'failed') throw new Error('failed');
    if (message === 'slowConsumer')
      for (let count = 0; count < 9; count += 1) this.send('x'.repeat(1000));
  }
}

const CLOSED: readonly (readonly [
  cause: string,
  code: number,
  send: string,
  settings?: SockJSSettings,
])[] = [
  ['application', 3000, '"application"'],
  ['internalError', 1011, '"failed"'],
  ['invalidJson', 1007, '{'],
  ['slowConsumer', 1013, '"slowConsumer"', { maxBufferedBytes: 2000 }],
  ['rateLimited', 1008, '["x","y"]', { maxMessagesPerSecond: 1, rateLimitPolicy: 'close' }],
  ['tooManyMessages', 1009, '["x","y"]', { maxMessagesPerBody: 1 }],
  ['messageTooLarge', 1009, `"${'x'.repeat(100)}"`, { maxMessageBytes: 100 }],
  ['client', 1000, ''],
];

for (const [cause, code, send, settings = {}] of CLOSED) {
  test(`the end ${cause} is counted and published under its name`, async (t) => {
    const opened = published(t, 'sockjs-server:open');
    const closed = published(t, 'sockjs-server:close');
    const { url, router, logs } = await serve(t, settings, Ending);
    const client = await connectWebSocket(t, `${url}/000/${ID}/websocket`);
    assert.equal(await client.next(), 'o');
    const session = { prefix: '/echo', transport: 'websocket', address: '127.0.0.1' };
    assert.deepEqual(opened, [session]);
    if (cause === 'client') client.socket.close(1000);
    else client.send(send);
    await client.closed();
    await until('it is published', () => closed.length > 0);
    assert.deepEqual(counted(router.stats.dump().closed), { [cause]: 1 });
    const [event] = closed;
    assert.ok(typeof event === 'object' && event !== null && 'reason' in event);
    assert.deepEqual(closed, [{ ...session, code, reason: event.reason, cause }]);
    for (const { line } of logs.take()) assert.doesNotMatch(line, new RegExp(ID));
  });
}

test('an onOpen that refuses is counted as refused, bytes as textOnly, a lost poll as interrupted', async (t) => {
  const { url, port, router } = await serve(t, {}, Ending);
  await (await connectWebSocket(t, `${url}/000/a/websocket?how=refused`)).closed();
  const client = await connectWebSocket(t, `${url}/000/a/websocket`);
  client.socket.send(Buffer.from('bytes'));
  await client.closed();
  assert.equal(await poll(port, SESSION), 'o');
  const lost = new HttpConnection(port).send(post('xhr'));
  await until('it waits', () => router.stats.dump().connectionsActive === 1);
  lost.abort();
  await until('it is lost', () => router.stats.dump().sessionsActive === 0);
  assert.deepEqual(counted(router.stats.dump().closed), {
    refused: 1,
    textOnly: 1,
    interrupted: 1,
  });
});

test('what a client sent is escaped and cut in log lines', async (t) => {
  const { port, logs } = await serve(t);
  const origin = `http://evil.example/\u0085${'x'.repeat(5000)}`;
  await ask(port, { path: '/echo/info', headers: [['Origin', origin]] });
  const [entry] = logs.take();
  assert.ok(entry !== undefined && entry.line.length < 500, `${entry?.line.length} characters`);
  // oxlint-disable-next-line no-control-regex -- these are what must not be there
  assert.doesNotMatch(entry.line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
});

test('session ids are in no log line of any level, whatever goes wrong', async (t) => {
  const { port, url, logs } = await serve(
    t,
    { maxBufferedBytes: 2000, maxMessageBytes: 5000, maxSessions: 3, allowedOrigins: [] },
    Ending,
  );
  await poll(port, SESSION);
  for (const body of ['{', '["failed"]', 'x'.repeat(6000)]) await sendBody(port, SESSION, body);
  const slow = await connectWebSocket(t, `${url}/000/${ID}/websocket`);
  slow.send('"slowConsumer"');
  await slow.closed();
  for (const headers of [
    [['Origin', 'http://evil.example']],
    UPGRADE.slice(2),
    UPGRADE.slice(1),
  ] as const)
    await ask(port, { path: `${SESSION}/websocket`, headers });
  for (let count = 0; count < 4; count += 1)
    await ask(port, { method: 'POST', path: `/echo/000/${ID}${count}/xhr` });
  const lines = logs.take();
  assert.ok(lines.length >= 4, `${lines.length} lines`);
  for (const { line } of lines) assert.doesNotMatch(line, new RegExp(ID));
});

test('logger: false is silence', async (t) => {
  const written = t.mock.method(process.stderr, 'write', () => true);
  const { port } = await serve(t, { logger: false });
  await ask(port, { path: '/echo/info', headers: [['Origin', 'http://evil.example']] });
  assert.equal(written.mock.callCount(), 0);
});

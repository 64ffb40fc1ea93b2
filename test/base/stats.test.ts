/** `SockJSStats`: counters and diagnostics channels, over a real server. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type TestContext, test } from 'node:test';
import { Refusal, type SockJSSettings, SockJSConnection } from '../../src/index.ts';
import { REFUSALS } from '../../src/base/refusal.ts';
import { httpConnection, type RawRequest, httpRequest } from '../../testkit/raw-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { poll } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

const ID = 'SECRET-SESSION-ID';
const SESSION = `/echo/000/${ID}`;
const post = (endpoint: string, body = ''): RawRequest => ({
  method: 'POST',
  path: `${SESSION}/${endpoint}`,
  body,
});

interface Case {
  readonly reason: keyof typeof REFUSALS;
  readonly request: RawRequest;
  readonly settings?: SockJSSettings;
  /** Whether the session is open before the request. */
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
  {
    reason: 'tooManyHeaders',
    request: { ...post('xhr'), headers: Array.from({ length: 100 }, () => ['a', 'b'] as const) },
  },
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
    request: post('xhr_send', `["${'x'.repeat(70_000)}"]`),
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

/** Collects the messages of a channel while the test runs. */
function recordChannel(t: TestContext, name: string): unknown[] {
  const events: unknown[] = [];
  const listener = (event: unknown): void => {
    events.push(event);
  };
  subscribe(name, listener);
  t.after(() => unsubscribe(name, listener));
  return events;
}

/** Returns the counters that are not 0. */
function nonZero(counters: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => count > 0));
}

for (const { reason, request, settings = {}, isOpen = false } of REFUSED) {
  test(`${reason} is counted and published: ${request.path.replace(ID, 'ID')}`, async (t) => {
    const events = recordChannel(t, 'sockjs-server:refuse');
    const { port, router, logger } = await startRouter(t, settings);
    if (isOpen) assert.equal(await poll(port, SESSION), 'o');
    if (reason.endsWith('essionLimit')) assert.equal(await poll(port, newSession()), 'o');
    const { status } = await httpRequest(port, request);
    assert.deepEqual(nonZero(router.stats.dump().refused), { [reason]: 1 });
    assert.deepEqual(events, [{ prefix: '/echo', reason, status, address: '127.0.0.1' }]);
    for (const { line } of logger.take()) assert.doesNotMatch(line, new RegExp(ID));
  });
}

test('the table above has every refusal except those that other tests cover', () => {
  const covered = new Set(REFUSED.map(({ reason }) => reason));
  const others = Object.keys(REFUSALS).filter(
    (name) => !covered.has(name as keyof typeof REFUSALS),
  );
  assert.deepEqual(others, [
    'hostNotAllowed',
    'draining',
    'pendingLimit',
    'pendingTimeout',
    'clusterUnavailable',
    'headersTooLarge',
    'streamLimit',
    'sessionOpening',
    'rateLimited',
    'bodyTimeout',
    'bodyConsumed',
    'httpVersion',
  ]);
});

/** Closes itself for the reason that its client sends. */
class Closing extends SockJSConnection {
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
  ['slowConsumer', 1013, '"slowConsumer"', { maxTotalBufferedBytes: 2000, highWaterMark: 1000 }],
  ['rateLimited', 1008, '["x","y"]', { maxMessagesPerSecond: 1, rateLimitPolicy: 'close' }],
  ['tooManyMessages', 1009, '["x","y"]', { maxMessagesPerBody: 1 }],
  ['messageTooLarge', 1009, `"${'x'.repeat(100)}"`, { maxMessageBytes: 100 }],
  ['client', 1000, ''],
];

for (const [cause, code, send, settings = {}] of CLOSED) {
  test(`the close cause ${cause} is counted and published`, async (t) => {
    const opened = recordChannel(t, 'sockjs-server:open');
    const closed = recordChannel(t, 'sockjs-server:close');
    const { port, router, logger } = await startRouter(t, settings, Closing);
    const client = await openWebSocket(t, port, `/echo/000/${ID}/websocket`);
    assert.equal(await client.next(), 'o');
    const session = { prefix: '/echo', transport: 'websocket', address: '127.0.0.1' };
    assert.deepEqual(opened, [session]);
    if (cause === 'client') client.close(1000);
    else client.send(send);
    await client.closed();
    await until(() => closed.length > 0, 'the close event');
    assert.deepEqual(nonZero(router.stats.dump().closed), { [cause]: 1 });
    const [event] = closed;
    assert.ok(typeof event === 'object' && event !== null && 'reason' in event);
    assert.deepEqual(closed, [{ ...session, code, reason: event.reason, cause }]);
    for (const { line } of logger.take()) assert.doesNotMatch(line, new RegExp(ID));
  });
}

test('onOpen that returns false counts as refused, binary data as textOnly, an aborted poll as interrupted', async (t) => {
  const { port, router } = await startRouter(t, {}, Closing);
  await (await openWebSocket(t, port, '/echo/000/a/websocket?how=refused')).closed();
  const client = await openWebSocket(t, port, '/echo/000/a/websocket');
  client.send(Buffer.from('bytes'));
  await client.closed();
  assert.equal(await poll(port, SESSION), 'o');
  const lost = httpConnection(t, port).send(post('xhr'));
  await until(() => router.stats.dump().connectionsActive === 1, 'the poll to be attached');
  lost.abort();
  await until(() => router.stats.dump().sessionsActive === 0, 'the session to end');
  assert.deepEqual(nonZero(router.stats.dump().closed), {
    refused: 1,
    textOnly: 1,
    interrupted: 1,
  });
});

/** Bursts of one handler to clients that read: they are delivered, however long they are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multiplex } from '../../src/extras/multiplex.ts';
import { SockJSConnection } from '../../src/index.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { testEach } from '../../testkit/node-test.ts';
import {
  type HttpTransport,
  type Transport,
  TRANSPORTS,
  WEBSOCKET,
  newSession,
  parseMessages,
  wsPath,
} from '../../testkit/transports.ts';

const MIB = 1024 * 1024;
/** Over `maxBufferedBytes`, alone and together. */
const BURST = ['x'.repeat(4 * MIB), 'y', 'z'.repeat(3 * MIB)];

class Sender extends SockJSConnection {
  override onOpen(): void {
    for (const text of BURST) this.send(text);
  }
}

/** Yields the frames of a session, one request after the other. */
async function* httpFrames(port: number, transport: HttpTransport) {
  const session = newSession();
  for (;;) {
    const frames = await poll(port, session, transport);
    yield* frames.split('\n');
  }
}

/** Receives messages until there are as many as in the burst. */
async function receiveBurst(
  scope: Parameters<typeof openWebSocket>[0],
  port: number,
  transport: Transport,
): Promise<string[]> {
  const messages: string[] = [];
  if (transport.isWebSocket) {
    const client = await openWebSocket(scope, port, wsPath(transport, newSession()));
    while (messages.length < BURST.length) {
      const frame = await client.nextText();
      if (transport.name === 'rawwebsocket') messages.push(frame);
      else if (frame !== 'o') messages.push(...parseMessages(frame));
    }
    return messages;
  }
  for await (const frame of httpFrames(port, transport)) {
    if (frame !== 'o') messages.push(...parseMessages(frame));
    if (messages.length >= BURST.length) return messages;
  }
  return messages;
}

/** Compares without printing megabytes. */
function assertBurst(messages: readonly string[]): void {
  assert.deepEqual(
    messages.map((text) => text.length),
    BURST.map((text) => text.length),
  );
  assert.ok(messages.every((text, index) => text === BURST[index]));
}

testEach(
  TRANSPORTS,
  'a burst over maxBufferedBytes in onOpen is delivered',
  async (t, transport) => {
    const { port, router } = await startRouter(t, {}, Sender);
    assertBurst(await receiveBurst(t, port, transport));
    assert.equal(router.stats.dump().closed.slowConsumer, 0);
  },
);

test('a burst over maxBufferedBytes on a channel is delivered', async (t) => {
  const { port } = await startRouter(t, {}, multiplex({ news: Sender }));
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.send('sub,news');
  const prefixed = await client.take(BURST.length);
  assertBurst(prefixed.map((text) => String(text).slice('msg,news,'.length)));
});

test('a burst between two polls is delivered in one frame, also after other messages', async (t) => {
  class Replying extends SockJSConnection {
    override onMessage(message: string): void {
      if (message === 'burst') for (const text of BURST) this.send(text);
      else this.send('x'.repeat(100_000));
    }
  }
  const { port } = await startRouter(t, {}, Replying);
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await postBody(port, session, '["short"]');
  await postBody(port, session, '["burst"]');
  assertBurst(parseMessages(await poll(port, session)).slice(1));
});

test('a client that has not taken a burst when more is sent is closed with 1013', async (t) => {
  const { port, router } = await startRouter(t, {}, Sender);
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  const [connection] = router.connections;
  assert.equal(connection?.isClosed, false);
  assert.equal(connection?.send('more'), false);
  assert.equal(connection?.isClosed, true);
  assert.equal(await poll(port, session), 'c[1013,"Client does not keep up"]');
});

test('a handler that sends in an endless loop is limited by maxTotalBufferedBytes', async (t) => {
  let sent = 0;
  class Endless extends SockJSConnection {
    override onOpen(): void {
      const text = 'x'.repeat(MIB);
      while (!this.isClosed && sent < 1000) {
        this.send(text);
        sent += 1;
      }
    }
  }
  const { port } = await startRouter(t, { maxTotalBufferedBytes: 20 * MIB }, Endless);
  const client = await openWebSocket(t, port, wsPath(WEBSOCKET, newSession()));
  assert.deepEqual(await client.closed(), { code: 1013, reason: 'Client does not keep up' });
  assert.ok(sent >= 20 && sent <= 22, `${sent} MiB`);
});

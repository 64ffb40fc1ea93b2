/** Long messages to many clients: encoded once for each transport, and without a long stall of the event loop. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { multiplex } from '../../src/extras/multiplex.ts';
import { SockJSConnection, type SockJSRouter } from '../../src/index.ts';
import { type RawWebSocket, openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { Receiver } from '../../testkit/sockjs-http.ts';
import {
  HTTP_TRANSPORTS,
  type HttpTransport,
  XHR,
  XHR_STREAMING,
  newSession,
  parseMessages,
} from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';

const MIB = 1024 * 1024;
/** Clients of each transport. */
const CLIENTS = 4;

/** Receives the next messages of a client. */
type Receive = () => Promise<string[]>;

async function httpClient(
  port: number,
  t: TestContext,
  transport: HttpTransport,
): Promise<Receive> {
  const session = newSession();
  const open = (): Receiver => {
    const receiver = new Receiver(port, session, transport);
    t.after(() => receiver.close());
    return receiver;
  };
  let receiver = open();
  assert.equal(await receiver.frame(), 'o');
  if (!transport.isStreaming) receiver = open();
  return async () => parseMessages(await receiver.frame());
}

async function webSocketClient(port: number, t: TestContext, path: string): Promise<RawWebSocket> {
  return openWebSocket(t, port, path);
}

/** Connects clients of all transports, in turn, and waits until the last polls are attached. */
async function connectAll(
  t: TestContext,
  port: number,
  router: SockJSRouter,
): Promise<readonly Receive[]> {
  const clients: Receive[] = [];
  for (let count = 0; count < CLIENTS; count += 1) {
    for (const transport of HTTP_TRANSPORTS) clients.push(await httpClient(port, t, transport));
    const client = await webSocketClient(port, t, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    clients.push(async () => parseMessages(await client.nextText()));
    const raw = await webSocketClient(port, t, '/echo/websocket');
    clients.push(async () => [await raw.nextText()]);
  }
  const attached = clients.length;
  await until(() => router.stats.dump().connectionsActive === attached, 'all polls to be attached');
  return clients;
}

/** Counts the encodings of long texts: calls of `JSON.stringify`, and buffers that are written. */
function countEncodings(t: TestContext, minLength: number) {
  const buffers = new Set<unknown>();
  const write: unknown = Reflect.get(Socket.prototype, 'write');
  assert.ok(typeof write === 'function');
  t.mock.method(Socket.prototype, 'write', function spy(this: Socket, ...args: unknown[]) {
    const [data] = args;
    if (data instanceof Uint8Array && data.length > minLength) buffers.add(data);
    assert.ok(typeof data !== 'string' || data.length < minLength, 'no socket encodes a long text');
    return Reflect.apply(write, this, args) === true;
  });
  const { stringify } = JSON;
  const counts = { buffers, stringified: 0 };
  t.mock.method(JSON, 'stringify', (...args: Parameters<typeof stringify>) => {
    if (typeof args[0] === 'string' && args[0].length > minLength) counts.stringified += 1;
    return Reflect.apply(stringify, JSON, args);
  });
  return counts;
}

/**
 * Buffers of one long broadcast: one for `rawwebsocket`, one for `websocket` and both kinds of `xhr`, one for `htmlfile`
 * and `jsonp`, and one for `eventsource` if the text has characters that it escapes.
 */
const BUFFERS = 4;
/** The message, and its script for `htmlfile` and `jsonp`. */
const STRINGIFIED = 2;

for (const unit of ['%', '<', 'a', '\u2028', 'é\r\n"']) {
  const text = unit.repeat(300_000 / unit.length);

  test(`a broadcast of ${JSON.stringify(unit)} is encoded once for each transport`, async (t) => {
    const { port, router } = await startRouter(t, {});
    const clients = await connectAll(t, port, router);
    const counts = countEncodings(t, 200_000);
    router.broadcast(text);
    for (const messages of await Promise.all(clients.map((receive) => receive()))) {
      assert.ok(messages.length === 1 && messages[0] === text);
    }
    assert.equal(counts.stringified, STRINGIFIED);
    assert.equal(counts.buffers.size, text.includes('%') ? BUFFERS : BUFFERS - 1);
  });
}

test('many short messages of one handler to all clients are encoded once for each transport', async (t) => {
  const { port, router } = await startRouter(t, {});
  const clients = await connectAll(t, port, router);
  const texts = Array.from({ length: 3000 }, (_, index) => `${index}`.padEnd(100, '%'));
  const counts = countEncodings(t, 200_000);
  for (const text of texts) router.broadcast(text);
  // A raw WebSocket gets each message on its own.
  const framed = clients.filter((_receive, index) => index % 7 !== 6);
  for (const messages of await Promise.all(framed.map((receive) => receive()))) {
    assert.deepEqual(messages, texts);
  }
  assert.equal(counts.buffers.size, BUFFERS - 1);
});

test('a text that a loop sends to each client is encoded once for each transport', async (t) => {
  const { port, router } = await startRouter(t, {});
  const clients = await connectAll(t, port, router);
  const counts = countEncodings(t, 200_000);
  for (const connection of router.connections) connection.send('%'.repeat(300_000));
  await Promise.all(clients.map((receive) => receive()));
  assert.equal(counts.buffers.size, BUFFERS);
});

test('a broadcast to clients between two polls is encoded once', async (t) => {
  const { port, router } = await startRouter(t, {});
  const sessions = Array.from({ length: 20 }, () => newSession());
  for (const session of sessions) {
    const receiver = new Receiver(port, session, XHR);
    assert.equal(await receiver.frame(), 'o');
    receiver.close();
  }
  const counts = countEncodings(t, 200_000);
  router.broadcast('%'.repeat(300_000));
  for (const session of sessions) {
    const receiver = new Receiver(port, session, XHR);
    assert.equal(parseMessages(await receiver.frame())[0]?.length, 300_000);
    receiver.close();
  }
  assert.equal(counts.buffers.size, 1);
});

test('a broadcast over channels is encoded once', async (t) => {
  const channels: SockJSConnection[] = [];
  class News extends SockJSConnection {
    override onOpen(): void {
      channels.push(this);
    }
  }
  const { port } = await startRouter(t, {}, multiplex({ news: News }));
  const clients = [];
  for (let count = 0; count < 20; count += 1) {
    const client = await openWebSocket(t, port, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    client.send('"sub,news"');
    clients.push(client);
  }
  await until(() => channels.length === clients.length, 'all channels to open');
  const counts = countEncodings(t, 200_000);
  const [channel] = channels;
  channel?.broadcast(channels, '%'.repeat(300_000));
  for (const client of clients) {
    assert.equal(parseMessages(await client.nextText())[0]?.length, 'msg,news,'.length + 300_000);
  }
  assert.deepEqual([counts.buffers.size, counts.stringified], [1, 1]);
});

test('a long broadcast yields to the event loop, and a short message of the same handler passes it', async (t) => {
  const { port, router } = await startRouter(t, {});
  const clients = await Promise.all(
    Array.from({ length: 40 }, () => httpClient(port, t, XHR_STREAMING)),
  );
  await until(() => router.stats.dump().connectionsActive === 40, 'all clients');
  const streams = [...router.connections];
  const other = await openWebSocket(t, port, '/echo/websocket');
  await until(() => [...router.connections].length === 41, 'the WebSocket');
  router.broadcast(streams, 'x'.repeat(2 * MIB));
  router.broadcast('short');
  await Promise.resolve();
  const sent = (): number => router.stats.dump().packetsSentTotal;
  assert.ok(sent() < 2 * streams.length, 'the broadcast is not flushed in one go');
  assert.equal(await other.next(), 'short');
  for (const receive of clients) assert.equal((await receive())[0]?.length, 2 * MIB);
});

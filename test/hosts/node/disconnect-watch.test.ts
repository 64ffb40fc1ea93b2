/** Sockets of upgrades that wait for a decision: the end of the client, and the bytes that it sends early. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { watchUpgradedSocket } from '../../../src/hosts/node/disconnect-watch.ts';
import { SockJSConnection, type SockJSSettings } from '../../../src/index.ts';
import { type RawConnection, rawConnection } from '../../../testkit/raw-connection.ts';
import {
  type RawHttpConnection,
  encodeRequest,
  httpConnection,
} from '../../../testkit/raw-http.ts';
import { RawWebSocket } from '../../../testkit/raw-websocket.ts';
import { listen, startRouter } from '../../../testkit/server.ts';
import { RAW_WEBSOCKET, WS_TRANSPORTS, openRequest } from '../../../testkit/transports.ts';
import { deferred, until, within } from '../../../testkit/until.ts';
import { OPCODE, encodeFrame } from '../../../testkit/websocket-frames.ts';
import { type MemoryInput, clientMemory } from '../../base/client-memory.ts';
import { MemoryBudget } from '../../../src/base/memory-budget.ts';

const MAX_EARLY_BYTES = 64 * 1024;

interface Watched {
  readonly client: RawConnection;
  /** The server's end, which is watched. */
  readonly socket: Socket;
  readonly stop: () => void | Promise<void>;
  readonly budget: MemoryBudget;
  /** Number of calls of the callback. */
  readonly disconnects: () => number;
  /** Listeners of the socket before it was watched. */
  readonly listenersBefore: number;
}

async function watchPair(t: TestContext, settings: MemoryInput = {}): Promise<Watched> {
  // Half open, as sockets of `node:http` are.
  const server = createServer({ allowHalfOpen: true });
  t.after(() => server.close());
  const accepted = once(server, 'connection');
  const client = rawConnection(t, { port: await listen(server), allowHalfOpen: true });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the argument that Node documents for this event
  const [socket] = (await accepted) as [Socket];
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  const listenersBefore = countListeners(socket);
  let count = 0;
  const budget = new MemoryBudget();
  const stop = watchUpgradedSocket(socket, clientMemory(settings, budget), () => {
    count += 1;
  });
  return { client, socket, stop, budget, disconnects: () => count, listenersBefore };
}

/** Reads the next `length` bytes of a socket, as its next owner does. */
async function readBytes(socket: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  const read = (): number => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  await until(() => read() >= length, `${length} bytes`, { state: read });
  return Buffer.concat(chunks);
}

function countListeners(socket: Socket): number {
  return ['data', 'end', 'close'].reduce((sum, event) => sum + socket.listenerCount(event), 0);
}

for (const end of ['end', 'abort'] as const) {
  test(`${end} of the client is reported once, and the socket is destroyed`, async (t) => {
    const { client, socket, disconnects, listenersBefore } = await watchPair(t);
    client[end]();
    await until(() => disconnects() === 1, 'the callback');
    assert.equal(socket.destroyed, true);
    assert.ok(countListeners(socket) <= listenersBefore);
  });

  test(`${end} of a client that has sent early bytes is reported`, async (t) => {
    const { client, socket, disconnects } = await watchPair(t);
    client.write('early');
    await until(() => socket.bytesRead === 5, 'the early bytes');
    client[end]();
    await until(() => disconnects() === 1, 'the callback');
  });
}

test('after the watch was stopped, the end of the client is not reported', async (t) => {
  const { client, socket, stop, disconnects } = await watchPair(t);
  const ended = once(socket, 'end');
  await stop();
  assert.equal(socket.isPaused(), true);
  socket.resume();
  client.end();
  await within(ended, 'the end of the client');
  assert.equal(socket.destroyed, false);
  assert.equal(disconnects(), 0);
});

test('stopping leaves only the listeners that were there before', async (t) => {
  const { socket, stop, listenersBefore } = await watchPair(t);
  await stop();
  assert.equal(countListeners(socket), listenersBefore);
});

test('early bytes are put back in their order, before later ones', async (t) => {
  const { client, socket, stop } = await watchPair(t);
  for (const part of ['one', ' two', ' three']) {
    const before = socket.bytesRead;
    client.write(part);
    await until(() => socket.bytesRead === before + part.length, 'the early bytes');
  }
  await stop();
  client.write(' four');
  assert.equal(String(await readBytes(socket, 18)), 'one two three four');
});

for (const [how, end] of [
  ['the request is handled', ({ stop }: Watched) => stop()],
  ['the client disconnects', ({ client }: Watched) => client.abort()],
] as const) {
  test(`early bytes count in the memory budget until ${how}`, async (t) => {
    const watched = await watchPair(t);
    const { client, budget } = watched;
    client.write('12345');
    await until(() => budget.bytes === 5, 'the bytes to be counted');
    await end(watched);
    await until(() => budget.bytes === 0, 'the bytes to be released');
  });
}

test('early bytes over the limit of an address disconnect the client', async (t) => {
  const settings = { highWaterMark: 10, maxBufferedBytesPerAddress: 10 };
  const { client, budget, disconnects } = await watchPair(t, settings);
  client.write('0123456789x');
  await client.ended();
  await until(() => disconnects() === 1, 'the callback');
  assert.equal(budget.bytes, 0);
});

test('more than 64 KiB of early bytes are not read, and nothing is lost', async (t) => {
  const { client, socket, stop } = await watchPair(t);
  const bytes = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, index) => index * 7));
  client.write(bytes);
  await until(() => socket.isPaused(), 'the socket to be paused');
  // A paused socket fills its own buffer, which has the high-water mark, before it stops.
  await until(() => socket.readableLength >= socket.readableHighWaterMark, 'a full buffer');
  const limit = 2 * (MAX_EARLY_BYTES + socket.readableHighWaterMark);
  assert.ok(socket.bytesRead <= limit, `${socket.bytesRead} bytes were read`);
  await stop();
  assert.ok((await readBytes(socket, bytes.length)).equals(bytes));
});

// With a router

interface PendingUpgrade {
  readonly client: RawHttpConnection;
  readonly signal: AbortSignal;
  readonly decide: (user: string | false) => void;
}

/** Requests a WebSocket, with early bytes in the same write, whose `authorize` is pending. */
async function requestPending(
  t: TestContext,
  transport = RAW_WEBSOCKET,
  head: Uint8Array = new Uint8Array(),
): Promise<PendingUpgrade> {
  const called = deferred<AbortSignal>();
  const decision = deferred<string | false>();
  const settings: SockJSSettings<string> = {
    authorize: ({ signal }) => {
      called.resolve(signal);
      return decision.promise;
    },
  };
  const { port } = await startRouter(t, settings);
  const client = httpConnection(t, { port, allowHalfOpen: true });
  client.send(Buffer.concat([encodeRequest(openRequest(transport)), head]));
  const signal = await within(called.promise, 'the call of authorize');
  return { client, signal, decide: (user) => decision.resolve(user) };
}

for (const transport of WS_TRANSPORTS) {
  for (const bytes of [0, 10, 100_000, 300_000]) {
    test(`${transport.name}: no handler is called for a client that has ended its side after ${bytes} early bytes`, async (t) => {
      const called = deferred();
      const decision = deferred<string>();
      let signal: AbortSignal | undefined;
      const calls: string[] = [];
      class Watching extends SockJSConnection {
        override onOpen(): void {
          calls.push('open');
        }

        override onMessage(): void {
          calls.push('message');
        }

        override onClose(): void {
          calls.push('close');
        }
      }
      const settings: SockJSSettings<string> = {
        authorize: (request) => {
          ({ signal } = request);
          called.resolve();
          return decision.promise;
        },
      };
      const { port, router } = await startRouter(t, settings, Watching);
      const client = httpConnection(t, { port, allowHalfOpen: true });
      client.send(openRequest(transport));
      await within(called.promise, 'the call of authorize');
      if (bytes > 0) client.send(encodeFrame(OPCODE.text, `"${'x'.repeat(bytes)}"`));
      client.raw.end();
      // The server notices the end behind a few bytes. It does not read many before the decision.
      if (bytes <= 10) await until(() => signal?.aborted === true, 'the end of the client');
      else await until(() => client.raw.stream.writableFinished, 'the last byte of the client');
      await delay(100);
      decision.resolve('alice');
      await client.raw.closed();
      assert.deepEqual(calls, []);
      assert.equal(router.stats.dump().sessionsTotal, 0);
    });
  }

  for (const end of ['end', 'abort'] as const) {
    test(`${transport.name}: ${end} of a client aborts the signal of authorize`, async (t) => {
      const { client, signal, decide } = await requestPending(t, transport);
      assert.equal(signal.aborted, false);
      client.raw[end]();
      await until(() => signal.aborted, 'the signal to abort');
      await client.raw.closed();
      decide('too late');
    });
  }
}

const MESSAGES = ['first', 'second', 'third'];
const [FIRST, SECOND, THIRD] = MESSAGES.map((message) => encodeFrame(OPCODE.text, message)) as [
  Buffer,
  Buffer,
  Buffer,
];

/** Completes the handshake, and returns the echoes of messages. */
async function readEchoes(client: RawHttpConnection, count: number): Promise<unknown[]> {
  const head = await client.readHead();
  assert.equal(head.status, 101);
  return new RawWebSocket(client.raw, head).take(count);
}

for (const [title, head, early] of [
  ['after the request', [], [FIRST, SECOND, THIRD]],
  ['with the request', [FIRST, SECOND, THIRD], []],
  ['with and after the request', [FIRST, SECOND.subarray(0, 5)], [SECOND.subarray(5), THIRD]],
] as const) {
  test(`messages that arrive ${title} are delivered in their order`, async (t) => {
    const { client, decide } = await requestPending(t, RAW_WEBSOCKET, Buffer.concat([...head]));
    for (const frame of early) {
      client.send(frame);
      await new Promise(setImmediate);
    }
    decide('alice');
    assert.deepEqual(await readEchoes(client, MESSAGES.length), MESSAGES);
  });
}

test('early messages of more than 64 KiB are delivered in their order', async (t) => {
  const messages = Array.from({ length: 30 }, (_, index) => `${index} ${'x'.repeat(40_000)}`);
  const frames = messages.map((message) => encodeFrame(OPCODE.text, message));
  const { client, decide } = await requestPending(t, RAW_WEBSOCKET, frames[0]);
  client.send(Buffer.concat(frames.slice(1)));
  await new Promise((resolve) => {
    setTimeout(resolve, 50); // Time in which the server reads up to its limit.
  });
  decide('alice');
  const echoes = await readEchoes(client, messages.length);
  assert.ok(echoes.every((echo, index) => echo === messages[index]));
});

test('a refusal after early bytes is a complete response', async (t) => {
  const { client, decide } = await requestPending(t, RAW_WEBSOCKET, FIRST);
  client.send(SECOND);
  decide(false);
  const { status, head } = await client.response();
  assert.equal(status, 403);
  assert.equal(head.header('Connection'), 'close');
  await client.raw.ended();
});

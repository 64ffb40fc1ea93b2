/** Clients that do not read: their buffers are limited, and they are closed. */
import assert from 'node:assert/strict';
import { type Socket, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { Echo, startRouter } from '../../testkit/server.ts';
import { openOfficial } from '../../testkit/official-client.ts';
import { until, within } from '../../testkit/until.ts';

const KIBIBYTE = 1024;
const CHUNK = 'x'.repeat(64 * KIBIBYTE);
const LIMIT = 512 * KIBIBYTE;
/** Larger than the kernel's buffers of a connection. */
const FLOOD = 2048;

const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
];

const CLIENTS = [
  { name: 'a raw WebSocket', head: ['GET /echo/websocket HTTP/1.1', ...UPGRADE] },
  { name: 'a WebSocket', head: ['GET /echo/000/s/websocket HTTP/1.1', ...UPGRADE] },
  {
    name: 'an xhr_streaming request',
    head: ['POST /echo/000/s/xhr_streaming HTTP/1.1', 'Content-Length: 0'],
  },
  { name: 'an eventsource request', head: ['GET /echo/000/s/eventsource HTTP/1.1'] },
];

/** Sends a request and never reads the response. */
function deafClient(t: TestContext, port: number, head: readonly string[]): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // The server drops the connection.
  t.after(() => socket.destroy());
  socket.pause();
  socket.write(`${[...head, 'Host: 127.0.0.1'].join('\r\n')}\r\n\r\n`);
  return socket;
}

interface Outcome {
  readonly sent: number;
  /** Number of messages when `send` first returned false. */
  readonly firstFalse: number;
  readonly mostBuffered: number;
}

function flooding(
  outcomes: AsyncQueue<Outcome>,
  ends: AsyncQueue<number>,
): new () => SockJSConnection {
  return class Flooding extends SockJSConnection {
    override async onOpen(): Promise<void> {
      let sent = 0;
      let firstFalse = Infinity;
      let mostBuffered = 0;
      while (!this.isClosed && sent < FLOOD) {
        const keepsUp = this.send(CHUNK);
        sent += 1;
        if (!keepsUp) firstFalse = Math.min(firstFalse, sent);
        mostBuffered = Math.max(mostBuffered, this.bufferedBytes);
        // oxlint-disable-next-line no-await-in-loop -- one frame in each turn of the event loop
        await new Promise(setImmediate);
      }
      outcomes.push({ sent, firstFalse, mostBuffered });
    }

    override onClose(code: number): void {
      ends.push(code);
    }
  };
}

for (const { name, head } of CLIENTS) {
  test(`${name} that never reads is closed with 1013 before much waits for it`, async (t) => {
    const outcomes = new AsyncQueue<Outcome>('the end of the flood');
    const ends = new AsyncQueue<number>('onClose');
    const settings = { maxBufferedBytes: LIMIT, highWaterMark: CHUNK.length * 2 };
    const { port, router } = await startRouter(
      t,
      { ...settings, responseLimit: 1024 ** 3, disconnectDelay: 500 },
      flooding(outcomes, ends),
    );
    const socket = deafClient(t, port, head);
    const { sent, firstFalse, mostBuffered } = await outcomes.next();
    assert.ok(sent < FLOOD, 'it was closed');
    assert.ok(firstFalse < sent, 'send() had answered false before');
    assert.ok(mostBuffered > CHUNK.length, 'something waited');
    assert.ok(mostBuffered <= LIMIT + CHUNK.length, `${mostBuffered} bytes waited`);
    assert.equal(await ends.next(), 1013);
    socket.resume();
    await within(new Promise((resolve) => socket.once('close', resolve)), 'the end of the socket');
    await router.close({ timeout: 100 });
    assert.equal(ends.size, 0, 'onClose is called once');
  });
}

test('a client that never polls is closed with 1013', async (t) => {
  const ends = new AsyncQueue<number>('onClose');
  class Noting extends Echo {
    override onClose(code: number): void {
      ends.push(code);
    }
  }
  const { url, router } = await startRouter(t, { maxBufferedBytes: LIMIT }, Noting);
  const poll = async (): Promise<string> =>
    (await fetch(`${url}/000/s/xhr`, { method: 'POST' })).text();
  assert.equal(await poll(), 'o\n');
  const [connection] = router.connections;
  assert.ok(connection !== undefined);
  let count = 0;
  while (!connection.isClosed && count < FLOOD) {
    assert.equal(connection.send(CHUNK), false, 'from the high-water mark on');
    count += 1;
    await Promise.resolve();
  }
  assert.equal(count, LIMIT / CHUNK.length + 1);
  assert.equal(connection.bufferedBytes, 0, 'and what waited is dropped');
  assert.equal(await ends.next(), 1013);
  assert.equal(await poll(), 'c[1013,"Client does not keep up"]\n');
});

for (const { name, head } of CLIENTS) {
  test(`${name} that reads again after it was closed gets 1013`, async (t) => {
    const outcomes = new AsyncQueue<Outcome>('the end of the flood');
    const ends = new AsyncQueue<number>('onClose');
    const settings = { maxBufferedBytes: LIMIT, responseLimit: 1024 ** 3 };
    const { port } = await startRouter(t, settings, flooding(outcomes, ends));
    const socket = deafClient(t, port, head);
    await outcomes.next();
    assert.equal(await ends.next(), 1013);
    let tail = '';
    const closeFrame = name === 'a raw WebSocket' ? 'Client does not keep up' : 'c[1013,"Client';
    const isRead = new Promise<void>((resolve) => {
      socket.on('data', (data: Buffer) => {
        tail = (tail + data.toString('latin1')).slice(-200);
        if (tail.includes(closeFrame)) resolve();
      });
    });
    socket.resume();
    await within(isRead, 'the close frame');
  });
}

test('one message may be larger than maxBufferedBytes', async (t) => {
  const { url } = await startRouter(t, { maxBufferedBytes: 1000 });
  const client = await openOfficial(t, url, { transports: 'websocket' });
  client.send(CHUNK);
  assert.equal(await client.messages.next(), CHUNK);
});

test('send() returns true again once the client has read', async (t) => {
  const { url, router } = await startRouter(t, { highWaterMark: 1000 });
  const client = await openOfficial(t, url, { transports: 'xhr-streaming' });
  const [connection] = router.connections;
  assert.equal(connection?.send('short'), true);
  assert.equal(connection?.send(CHUNK), false);
  await client.messages.take(2);
  await until(() => connection?.bufferedBytes === 0, 'nothing waits');
  assert.equal(connection?.send('short'), true);
});

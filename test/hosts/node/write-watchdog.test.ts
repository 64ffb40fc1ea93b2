import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { WriteWatchdog } from '../../../src/hosts/node/write-watchdog.ts';
import { SockJSConnection, type SockJSSettings } from '../../../src/index.ts';

import { AsyncQueue } from '../../../testkit/async-queue.ts';
import { OPCODE, encodeFrame } from '../../../testkit/websocket-frames.ts';
import {
  RawHttpConnection,
  encodeRequest,
  httpConnection,
  httpRequest,
  neverReadingClient,
} from '../../../testkit/raw-http.ts';
import { Receiver, assertServes, poll } from '../../../testkit/sockjs-http.ts';
import { VirtualProcess } from '../../../testkit/virtual-process.ts';
import { temporaryDirectory } from '../../../testkit/process.ts';
import {
  TRANSPORTS,
  type Transport,
  WS_TRANSPORTS,
  XHR,
  openRequest,
  parseMessages,
} from '../../../testkit/transports.ts';
import { collectGarbage } from '../../../testkit/memory.ts';
import { startRouter } from '../../../testkit/server.ts';
import { testEach } from '../../../testkit/node-test.ts';
import { until, within } from '../../../testkit/until.ts';

const KIBIBYTE = 1024;

/** A socket with a client that reads as much as the test sets. */
class FakeSocket {
  writableLength: number;
  readonly bytesWritten: number;

  constructor(bytes: number) {
    this.writableLength = bytes;
    this.bytesWritten = bytes;
  }

  read(bytes: number): void {
    this.writableLength = Math.max(0, this.writableLength - bytes);
  }
}

/**
 * Watches a client in virtual time, with the default limits.
 * @param rate bytes that it reads in each second
 * @returns the seconds until it is reported, or undefined if it has read everything before
 */
function watch(
  t: TestContext,
  bytes: number,
  rate: (second: number) => number,
): number | undefined {
  const clock = new VirtualProcess(t.mock);
  const socket = new FakeSocket(bytes);
  const limits = { writeTimeout: 30_000, sendTimeLimit: 180_000 };
  let reportedAt: number | undefined;
  const watchdog = new WriteWatchdog(socket as unknown as Socket, limits, () => {
    reportedAt = clock.now() / 1000;
  });
  watchdog.start();
  for (let second = 0; socket.writableLength > 0 && second < 1000; second += 1) {
    socket.read(rate(second));
    clock.runSync(1000);
  }
  watchdog.stop();
  t.mock.restoreAll();
  return reportedAt;
}

test('a client that reads a large buffer too slowly is reported after writeTimeout', (t) => {
  for (const rate of [0, 1, 1000, 6000]) {
    assert.equal(
      watch(t, 2048 * KIBIBYTE, () => rate),
      30,
      `${rate} bytes per second`,
    );
  }
});

test('a slow client that reads steadily is kept, and a larger buffer needs a higher rate', (t) => {
  for (const [kibibytes, rate] of [
    [10, 100],
    [64, 500],
    [512, 4000],
    [2048, 15_000],
    [4096, 30_000],
  ] as const) {
    assert.equal(
      watch(t, kibibytes * KIBIBYTE, () => rate),
      undefined,
      `${kibibytes} KiB`,
    );
  }
});

test('a client that stops for less than writeTimeout is kept', (t) => {
  const rate = (second: number): number => (second % 29 === 28 ? 20_000 : 0);
  assert.equal(watch(t, 64 * KIBIBYTE, rate), undefined);
});

test('a client that reads fast at first and then too slowly is reported', (t) => {
  const seconds = watch(t, 4096 * KIBIBYTE, (second) => (second < 10 ? 200_000 : 100));
  assert.ok(seconds !== undefined && seconds <= 60, `${seconds} s`);
});

interface End {
  readonly code: number;
  readonly reason: string;
}

const SESSION = '/echo/000/never-reading';
const POLLING = new Set(['xhr', 'jsonp']);

/** Size of a message that does not fit into the kernel's buffers. */
const LARGE_BYTES = 30_000_000;

/** Rate of a client that reads slowly. */
const BYTES_PER_MS = 6000;

/** Starts a router that sends one large message to each client. */
async function startSendingRouter(t: TestContext, settings: SockJSSettings) {
  const ends = new AsyncQueue<End>('onClose');
  class Sending extends SockJSConnection {
    override onOpen(): void {
      this.send('x'.repeat(LARGE_BYTES));
    }

    override onClose(code: number, reason: string): void {
      ends.push({ code, reason });
    }
  }
  return {
    ...(await startRouter(
      t,
      { sessionCheckInterval: 20, maxBufferedBytes: 2 * LARGE_BYTES, ...settings },
      Sending,
    )),
    ends,
  };
}

/** Opens a client for which many bytes are buffered, and that reads none of them. */
async function openNeverReading(
  t: TestContext,
  port: number,
  transport: Transport,
): Promise<Socket> {
  // The first poll gets `o`, and the large message waits for the second.
  if (POLLING.has(transport.name)) {
    const { method = 'GET', path } = openRequest(transport, { session: SESSION });
    assert.equal((await httpRequest(port, { method, path })).status, 200);
  }
  return neverReadingClient(t, port, openRequest(transport, { session: SESSION })).socket;
}

testEach(
  TRANSPORTS,
  'a client that takes nothing for writeTimeout is closed with 1013',
  async (t, transport) => {
    const { port, ends, router } = await startSendingRouter(t, { writeTimeout: 200 });
    const socket = await openNeverReading(t, port, transport);
    assert.deepEqual(await ends.next(), { code: 1013, reason: 'Client stopped reading' });
    assert.equal(router.stats.dump().closed.writeTimeout, 1);
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    await within(gone, 'the end of its socket');
  },
);

testEach(
  TRANSPORTS,
  'a client that reads too slowly is closed with 1013, also before disconnectDelay has passed',
  async (t, transport) => {
    const settings = { writeTimeout: 800, sendTimeLimit: 500, disconnectDelay: 60_000 };
    const { port, ends } = await startSendingRouter(t, settings);
    const socket = await openNeverReading(t, port, transport);
    let taken = 0;
    socket.on('data', (data) => {
      taken += data.length;
      socket.pause();
    });
    const reading = setInterval(() => socket.resume(), 16);
    t.after(() => clearInterval(reading));
    assert.deepEqual(await ends.next(), { code: 1013, reason: 'Client stopped reading' });
    assert.ok(taken > 0 && taken < LARGE_BYTES, `${taken} bytes were taken`);
  },
);

/** Starts a router with a script that does not fit into the kernel's buffers. */
async function startScriptRouter(t: TestContext) {
  const file = join(await temporaryDirectory(t), 'sockjs.js');
  await writeFile(file, 'x'.repeat(LARGE_BYTES));
  return startRouter(t, { writeTimeout: 200, sockjsUrl: pathToFileURL(file) });
}

test('a response without a session has a write timeout', async (t) => {
  const { port, server } = await startScriptRouter(t);
  const { socket } = neverReadingClient(t, port, { path: '/echo/sockjs.js' });
  const connections = (): Promise<number> => promisify(server.getConnections.bind(server))();
  await until(async () => (await connections()) === 1, 'the connection');
  await until(async () => (await connections()) === 0, 'the server to close it');
  socket.destroy();
});

test('a response without a session is not cut off while its client reads', async (t) => {
  const { port } = await startScriptRouter(t);
  const { status, body } = await httpRequest(port, { path: '/echo/sockjs.js' });
  assert.deepEqual([status, body.length], [200, LARGE_BYTES]);
});

test('100 responses of a connection may wait for the one before them', async (t) => {
  const { port } = await startRouter(t);
  const client = httpConnection(t, port);
  for (let round = 0; round < 3; round += 1) {
    client.send('GET /echo/info HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(101));
    for (let count = 0; count < 101; count += 1) {
      assert.equal((await client.response()).status, 200);
    }
  }
});

test('requests with many headers count more', async (t) => {
  const { port } = await startRouter(t);
  const client = httpConnection(t, port);
  client.send({ method: 'POST', path: '/echo/000/s/xhr_streaming' });
  await client.readHead();
  const headers = Array.from({ length: 900 }, () => 'a: b\r\n').join('');
  client.send(`GET /echo/info HTTP/1.1\r\nHost: a\r\n${headers}\r\n`.repeat(2));
  await delay(50);
  assert.equal(client.raw.isEnded, false);
  client.send(`GET /echo/info HTTP/1.1\r\nHost: a\r\n${headers}\r\n`);
  await client.raw.ended();
});

for (const path of ['/echo/info', '/echo/sockjs.js', '/echo/0/s/nothing', '/elsewhere']) {
  test(`a connection with more waiting responses is closed: ${path}`, async (t) => {
    const { port } = await startRouter(t);
    const client = httpConnection(t, port);
    const stream = encodeRequest({ method: 'POST', path: '/echo/000/s/xhr_streaming' });
    const requests = `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(101);
    client.send(Buffer.concat([stream, Buffer.from(requests)]));
    await client.raw.ended();
    await assertServes(port);
  });
}

test('a response that waits behind an idle stream has no write timeout', async (t) => {
  const { port, router } = await startRouter(t, { writeTimeout: 100 });
  const client = httpConnection(t, port);
  client.send({ method: 'POST', path: '/echo/000/s/xhr_streaming' });
  await client.readHead();
  client.send({ path: '/echo/info' });
  assert.equal(await client.nextChunk().then((chunk) => chunk?.length), 2049);
  assert.equal(await client.nextChunk(), 'o\n');
  await delay(400);
  assert.equal(client.raw.isEnded, false);
  assert.equal(router.stats.dump().sessionsActive, 1);
});

testEach(
  TRANSPORTS.filter(({ name }) => ['websocket', 'xhr_streaming', 'xhr'].includes(name)),
  'a client that takes a little from time to time is kept',
  async (t, transport) => {
    const { port, router } = await startSendingRouter(t, {
      writeTimeout: 800,
      disconnectDelay: 5000,
    });
    const socket = await openNeverReading(t, port, transport);
    let taken = 0;
    const began = performance.now();
    const isAhead = (): boolean => taken > (performance.now() - began) * BYTES_PER_MS;
    socket.on('data', (data) => {
      taken += data.length;
      if (isAhead()) socket.pause();
    });
    const reading = setInterval(() => isAhead() || socket.resume(), 8);
    t.after(() => clearInterval(reading));
    // Three times the write timeout.
    await until(
      () => performance.now() - began > 2400 && taken > 0,
      'the client has read for a while',
    );
    assert.ok(taken < LARGE_BYTES, `it should have been slower: ${taken}`);
    assert.equal(router.stats.dump().sessionsActive, 1);
    assert.equal(router.stats.dump().closed.writeTimeout, 0);
  },
);

testEach(
  WS_TRANSPORTS,
  'input of a client does not prevent the write timeout',
  async (t, transport) => {
    const { port, ends } = await startSendingRouter(t, { writeTimeout: 200 });
    const socket = await openNeverReading(t, port, transport);
    const pinging = setInterval(() => socket.write(encodeFrame(OPCODE.ping, '')), 20);
    t.after(() => clearInterval(pinging));
    assert.deepEqual(await ends.next(), { code: 1013, reason: 'Client stopped reading' });
  },
);

test('xhr_streaming: nor do further requests on the same connection', async (t) => {
  const { port, ends } = await startSendingRouter(t, { writeTimeout: 200 });
  const transport = TRANSPORTS.find(({ name }) => name === 'xhr_streaming');
  assert.ok(transport !== undefined);
  const socket = await openNeverReading(t, port, transport);
  const asking = setInterval(() => socket.write('GET /echo HTTP/1.1\r\nHost: a\r\n\r\n'), 20);
  t.after(() => clearInterval(asking));
  assert.deepEqual(await ends.next(), { code: 1013, reason: 'Client stopped reading' });
});

test('a second poll gets no frame before the first response has been taken', async (t) => {
  const { port, router } = await startSendingRouter(t, {});
  assert.equal(await poll(port, SESSION), 'o');
  const first = new RawHttpConnection(port);
  t.after(() => first.close());
  first.socket.pause();
  first.send({ method: 'POST', path: `${SESSION}/xhr` });
  const [connection] = router.connections;
  assert.ok(connection !== undefined);
  await until(() => router.stats.dump().packetsSentTotal === 1, 'the first answer is on its way');
  const second = new Receiver(port, SESSION, XHR);
  t.after(() => second.connection.close());
  await until(() => router.stats.dump().connectionsActive === 1, 'the second poll is there');
  connection.send('after');
  // After a round trip the server has written all that it would write.
  await httpRequest(port, { path: '/echo' });
  assert.equal(second.connection.socket.bytesRead, 0);
  first.socket.resume();
  const { body } = await first.response();
  assert.equal(parseMessages(body).length, 1);
  assert.equal(await second.frame(), 'a["after"]');
});

testEach(
  WS_TRANSPORTS,
  'a client that pings without reading fills no buffer',
  async (t, transport) => {
    // The rate limit would delay the pings.
    const settings = { maxMessagesPerSecond: Infinity };
    const { port, router, server } = await startRouter(t, settings, SockJSConnection);
    const { socket } = neverReadingClient(t, port, openRequest(transport));
    await until(() => router.stats.dump().sessionsActive === 1, 'it is there');
    const [connection] = router.connections;
    assert.ok(connection !== undefined);
    const pings = Buffer.concat(
      Array.from({ length: 500 }, () => encodeFrame(OPCODE.ping, 'x'.repeat(125))),
    );
    await collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    let rounds = 0;
    // 32 MB of pings would cause 31 MB of pongs, more than the kernel buffers.
    while (rounds < 500) {
      if (!socket.write(pings))
        await within(
          new Promise((resolve) => socket.once('drain', resolve)),
          'a server that reads',
        );
      most = Math.max(most, connection.bufferedBytes);
      rounds += 1;
    }
    assert.ok(most < 200_000, `${most} bytes wait`);
    await collectGarbage();
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown < 10 * 1024 ** 2, `${grown} bytes are held`);
    assert.equal(server.listening, true);
  },
);

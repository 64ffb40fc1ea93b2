import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { SockJSConnection, type SockJSSettings } from '../../../src/index.ts';

import { AsyncQueue } from '../../../testkit/async-queue.ts';
import { OPCODE, encodeFrame } from '../../../testkit/websocket-frames.ts';
import { RawHttpConnection, httpRequest, neverReadingClient } from '../../../testkit/raw-http.ts';
import { Receiver, poll } from '../../../testkit/sockjs-http.ts';
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

interface End {
  readonly code: number;
  readonly reason: string;
}

const SESSION = '/echo/000/never-reading';
const POLLING = new Set(['xhr', 'jsonp']);

/** Size of a message that does not fit into the kernel's buffers. */
const LARGE_BYTES = 30_000_000;

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
  TRANSPORTS.filter(({ name }) => ['websocket', 'xhr_streaming', 'xhr'].includes(name)),
  'a client that takes a little from time to time is kept',
  async (t, transport) => {
    const { port, router } = await startSendingRouter(t, {
      writeTimeout: 800,
      disconnectDelay: 5000,
    });
    const socket = await openNeverReading(t, port, transport);
    let taken = 0;
    socket.on('data', (data) => {
      taken += data.length;
      socket.pause();
    });
    const reading = setInterval(() => socket.resume(), 8);
    t.after(() => clearInterval(reading));
    const began = performance.now();
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
    const { port, router, server } = await startRouter(t, {}, SockJSConnection);
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

/** `writeTimeout`: who takes nothing of what waits is let go; who takes a little is not. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { SockJSConnection, type SockJSSettings } from '../../../src/index.ts';
import { Receiver, XHR, messagesIn, poll } from '../../conformance/dialects.ts';
import { Queue, until, within } from '../../support/client.ts';
import { collectGarbage } from '../../support/garbage.ts';
import { HttpConnection, ask } from '../../support/http.ts';
import { serve } from '../../support/service.ts';
import { MUCH, deafClient } from '../../limits/deaf.ts';
import {
  PING,
  TRANSPORTS,
  type Transport,
  WEBSOCKETS,
  maskedFrame,
  overAll,
} from '../../limits/transports.ts';

interface End {
  readonly code: number;
  readonly reason: string;
}

const SESSION = '/echo/000/deaf';
const POLLING = new Set(['xhr', 'jsonp']);

/** A service that sends much to everybody at once. */
async function serveMuch(t: TestContext, settings: SockJSSettings) {
  const ends = new Queue<End>('onClose');
  class Sending extends SockJSConnection {
    override onOpen(): void {
      this.send('x'.repeat(MUCH));
    }

    override onClose(code: number, reason: string): void {
      ends.put({ code, reason });
    }
  }
  return {
    ...(await serve(
      t,
      { sessionCheckInterval: 20, maxBufferedBytes: 2 * MUCH, ...settings },
      Sending,
    )),
    ends,
  };
}

/** A client that much waits for, and that reads nothing of it. */
async function deafTo(t: TestContext, port: number, transport: Transport): Promise<Socket> {
  // The first poll gets `o`, and much waits for the second.
  if (POLLING.has(transport.name)) {
    const { method = 'GET', path } = transport.request({ id: 'deaf' });
    assert.equal((await ask(port, { method, path })).status, 200);
  }
  return deafClient(t, port, transport);
}

overAll(
  'a client that takes nothing for writeTimeout is closed with 1013',
  async (t, transport) => {
    const { port, ends, router } = await serveMuch(t, { writeTimeout: 200 });
    const socket = await deafTo(t, port, transport);
    assert.deepEqual(await ends.next(), { code: 1013, reason: 'Client stopped reading' });
    assert.equal(router.stats.dump().closed.writeTimeout, 1);
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    await within(gone, 'the end of its socket');
  },
);

overAll(
  'a client that takes a little every now and then is not',
  async (t, transport) => {
    const { port, router } = await serveMuch(t, { writeTimeout: 250, disconnectDelay: 1000 });
    const socket = await deafTo(t, port, transport);
    let taken = 0;
    socket.on('data', (data) => {
      taken += data.length;
      socket.pause();
    });
    const reading = setInterval(() => socket.resume(), 8);
    t.after(() => clearInterval(reading));
    const began = performance.now();
    // Three times as long as a client may take nothing.
    await until('it has read for a while', () => performance.now() - began > 750);
    assert.ok(taken > 0);
    assert.ok(taken < MUCH, `it should have been slower: ${taken}`);
    assert.equal(router.stats.dump().sessionsActive, 1);
    assert.equal(router.stats.dump().closed.writeTimeout, 0);
  },
  TRANSPORTS.filter(({ name }) => ['websocket', 'xhr_streaming', 'xhr'].includes(name)),
);

overAll(
  'what a client sends does not make up for what it does not take',
  async (t, transport) => {
    const { port, ends } = await serveMuch(t, { writeTimeout: 200 });
    const socket = await deafTo(t, port, transport);
    const pinging = setInterval(() => socket.write(maskedFrame(PING, '')), 20);
    t.after(() => clearInterval(pinging));
    assert.deepEqual(await ends.next(), { code: 1013, reason: 'Client stopped reading' });
  },
  WEBSOCKETS,
);

test('xhr_streaming: nor do further requests on the same connection', async (t) => {
  const { port, ends } = await serveMuch(t, { writeTimeout: 200 });
  const transport = TRANSPORTS.find(({ name }) => name === 'xhr_streaming');
  assert.ok(transport !== undefined);
  const socket = await deafTo(t, port, transport);
  const asking = setInterval(() => socket.write('GET /echo HTTP/1.1\r\nHost: a\r\n\r\n'), 20);
  t.after(() => clearInterval(asking));
  assert.deepEqual(await ends.next(), { code: 1013, reason: 'Client stopped reading' });
});

test('a second poll gets nothing before the answer to the first is taken', async (t) => {
  const { port, router } = await serveMuch(t, {});
  assert.equal(await poll(port, SESSION), 'o');
  const first = new HttpConnection(port);
  t.after(() => first.close());
  first.socket.pause();
  first.send({ method: 'POST', path: `${SESSION}/xhr` });
  const [connection] = router.connections;
  assert.ok(connection !== undefined);
  await until('the first answer is on its way', () => router.stats.dump().packetsSentTotal === 1);
  const second = new Receiver(port, SESSION, XHR);
  t.after(() => second.connection.close());
  await until('the second poll is there', () => router.stats.dump().connectionsActive === 1);
  connection.send('after');
  // A round trip: whatever the server had to say by now is said.
  await ask(port, { path: '/echo' });
  assert.equal(second.connection.socket.bytesRead, 0);
  first.socket.resume();
  const { body } = await first.answer();
  assert.equal(messagesIn(body).length, 1);
  assert.equal(await second.frame(), 'a["after"]');
});

overAll(
  'a client that pings without end, and reads nothing, makes nothing wait here',
  async (t, transport) => {
    const { port, router, server } = await serve(t, {}, SockJSConnection);
    const socket = deafClient(t, port, transport);
    await until('it is there', () => router.stats.dump().sessionsActive === 1);
    const [connection] = router.connections;
    assert.ok(connection !== undefined);
    const pings = Buffer.concat(
      Array.from({ length: 500 }, () => maskedFrame(PING, 'x'.repeat(125))),
    );
    await collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    let rounds = 0;
    // 32 MB of pings would be 31 MB of pongs: more than any kernel keeps.
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
  WEBSOCKETS,
);

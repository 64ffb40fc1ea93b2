/** Attacks of docs/security.md by slow clients. One test for each row. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import {
  EVENTSOURCE,
  WS_TRANSPORTS,
  XHR_STREAMING,
  newSession,
  openRequest,
} from '../../testkit/transports.ts';
import { Echo, startRouter } from '../../testkit/server.ts';
import { RawHttpConnection, neverReadingClient } from '../../testkit/raw-http.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { assertServes, poll } from '../../testkit/sockjs-http.ts';
import { until, within } from '../../testkit/until.ts';

const KIBIBYTE = 1024;
const CHUNK = 'x'.repeat(64 * KIBIBYTE);
/** Larger than the kernel's buffers of a connection. */
const FLOOD = 1024;

const DEAF = [
  ...WS_TRANSPORTS.map((transport) => ({ name: transport.name, request: openRequest(transport) })),
  ...[XHR_STREAMING, EVENTSOURCE].map(({ name, method, path }) => ({
    name,
    request: { method, path: `${newSession()}/${path}` },
  })),
];

interface Outcome {
  readonly isClosed: boolean;
  readonly mostBuffered: number;
}

/** Sends without a look at the result of `send`. */
function flooding(outcomes: AsyncQueue<Outcome>): new () => SockJSConnection {
  return class Flooding extends Echo {
    override async onOpen(): Promise<void> {
      if (this.info.getArgument('flood') === undefined) return;
      let mostBuffered = 0;
      for (let sent = 0; sent < FLOOD && !this.isClosed; sent += 1) {
        this.send(CHUNK);
        mostBuffered = Math.max(mostBuffered, this.bufferedBytes);
        // oxlint-disable-next-line no-await-in-loop -- one frame in each turn of the event loop
        await new Promise(setImmediate);
      }
      outcomes.push({ isClosed: this.isClosed, mostBuffered });
    }
  };
}

test('a client that never reads, or never polls', async (t) => {
  const outcomes = new AsyncQueue<Outcome>('the end of the flood');
  const settings = { maxBufferedBytes: 512 * KIBIBYTE, responseLimit: 1024 ** 3 };
  const { port, router } = await startRouter(t, settings, flooding(outcomes));
  const most = 512 * KIBIBYTE + CHUNK.length + 100;
  for (const { name, request } of DEAF) {
    await t.test(`${name} that never reads`, async (sub) => {
      neverReadingClient(sub, port, { ...request, path: `${request.path}?flood` });
      const { isClosed, mostBuffered } = await outcomes.next();
      assert.ok(isClosed);
      assert.ok(mostBuffered <= most, `${mostBuffered} bytes waited`);
    });
  }
  await t.test('xhr that never polls again', async () => {
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    const [connection] = router.connections;
    assert.ok(connection !== undefined);
    for (let sent = 0; sent < FLOOD; sent += 1) {
      connection.send(CHUNK);
      assert.ok(connection.bufferedBytes <= most);
      await Promise.resolve();
    }
    assert.equal(await poll(port, session), 'c[1013,"Client does not keep up"]');
  });
  assert.equal(router.stats.dump().closed.slowConsumer, DEAF.length + 1);
  await t.test('many of them, each below its own limit, together', async (sub) => {
    const total = { maxTotalBufferedBytes: 512 * KIBIBYTE, highWaterMark: 64 * KIBIBYTE };
    const crowded = await startRouter(sub, { ...total, disconnectDelay: 60_000 });
    for (let count = 0; count < 20; count += 1) {
      assert.equal(await poll(crowded.port, newSession()), 'o');
    }
    const connections = [...crowded.router.connections];
    for (let sent = 0; sent < 16; sent += 1) {
      for (const connection of connections) connection.send(CHUNK);
      await new Promise(setImmediate);
      // Each client may have one message over the limit.
      const { bufferedBytes } = crowded.router.stats.dump();
      assert.ok(bufferedBytes <= 512 * KIBIBYTE + 20 * (CHUNK.length + 100), String(bufferedBytes));
    }
    assert.ok(crowded.router.stats.dump().closed.slowConsumer > 0);
  });
  await assertServes(port);
});

const SOON = 200;

test('slow headers, slow bodies, slow readers', async (t) => {
  const { port, logger } = await startRouter(t, { bodyTimeout: SOON });
  await t.test('a head that never ends, on a server that listen() made', async (sub) => {
    const ownLogger = new RecordingLogger();
    const own = new SockJSRouter(Echo, '/echo', { logger: ownLogger, headersTimeout: SOON });
    const server = own.listen(0, '127.0.0.1');
    sub.after(() => own.close());
    await within(new Promise((resolve) => server.once('listening', resolve)), 'the server');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const client = new RawHttpConnection(address.port).send('GET /echo HTTP/1.1\r\nX-Slow: ');
    assert.match(await client.readToEnd(), /^HTTP\/1\.1 408 /);
  });
  for (const header of [
    ['Content-Length', '100'],
    ['Transfer-Encoding', 'chunked'],
  ] as const) {
    await t.test(`a body that never ends, with ${header[0]}`, async () => {
      const session = newSession();
      await poll(port, session);
      const path = `${session}/xhr_send`;
      const client = new RawHttpConnection(port).send({ method: 'POST', path, headers: [header] });
      assert.match(await client.readToEnd(), /^HTTP\/1\.1 408 .*Body took too long\.$/s);
    });
  }
  assert.match(logger.take()[0]?.line ?? '', /longer than bodyTimeout/);
  for (const { name, request } of DEAF) {
    await t.test(`${name} that stops reading`, async (sub) => {
      const { port: own, router } = await startRouter(sub, { writeTimeout: SOON });
      neverReadingClient(sub, own, request);
      await until(() => [...router.connections].length === 1, 'it has opened');
      const [connection] = router.connections;
      assert.ok(connection !== undefined);
      // Larger than the kernel's buffers, and a single message, so not over maxBufferedBytes.
      connection.send('x'.repeat(16 * 1024 * KIBIBYTE));
      await until(() => router.stats.dump().closed.writeTimeout === 1, 'it is let go');
    });
  }
  await assertServes(port);
});

/** Symptoms of docs/troubleshooting.md: "The connection closes". One test for each row. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { connectOfficial, openOfficial } from '../../testkit/official-client.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { createRouter, listen, startRouter, stop } from '../../testkit/server.ts';
import { startHttpProxy } from './http-proxy.ts';

const POLLING = { transports: 'xhr-polling' } as const;
const STREAMING = { transports: 'xhr-streaming' } as const;

test('`1006 permanent`', async (t) => {
  const server = createServer();
  createRouter(t).attach(server);
  const port = await listen(server);
  const client = await openOfficial(t, `http://127.0.0.1:${port}/echo`, POLLING);
  await stop(server);
  assert.deepEqual(await client.closed(), { code: 1006, reason: 'permanent', wasClean: false });
});

test('`1002 Connection interrupted`', async (t) => {
  const { port } = await startRouter(t);
  const proxy = await startHttpProxy(t, [port], { maxResponseTime: 200 });
  const client = await openOfficial(t, `http://127.0.0.1:${proxy}/echo`, STREAMING);
  const { code, reason } = await client.closed();
  assert.deepEqual({ code, reason }, { code: 1002, reason: 'Connection interrupted' });
});

test('`1009 Message too big`, or `1006 Sending error: Error: http status 413`', async (t) => {
  const { url, logger } = await startRouter(t, { maxMessageBytes: 100 });
  const closed = async (transports: 'websocket' | 'xhr-streaming'): Promise<unknown> => {
    const client = await openOfficial(t, url, { transports });
    client.send('x'.repeat(200));
    const { code, reason } = await client.closed();
    return { code, reason };
  };
  assert.deepEqual(await closed('websocket'), { code: 1009, reason: 'Message too big' });
  assert.deepEqual(await closed('xhr-streaming'), {
    code: 1006,
    reason: 'Sending error: Error: http status 413',
  });
  assert.match(logger.take()[0]?.line ?? '', /longer than maxMessageBytes/);
});

test('`1011 Internal error`', async (t) => {
  class Failing extends SockJSConnection {
    override onMessage(): void {
      throw new Error('no database');
    }
  }
  const { url, logger } = await startRouter(t, {}, Failing);
  const client = await openOfficial(t, url);
  client.send('hello');
  assert.deepEqual(await client.closed(), { code: 1011, reason: 'Internal error', wasClean: true });
  assert.match(logger.take()[0]?.line ?? '', /^Failing\.onMessage failed.*no database/);
});

test('`1013 Client does not keep up`', async (t) => {
  const ends = new AsyncQueue<unknown>('onClose');
  class Flooding extends SockJSConnection {
    override async onMessage(): Promise<void> {
      while (!this.isClosed) {
        this.send('x'.repeat(100_000));
        await new Promise(setImmediate);
      }
    }

    override onClose(code: number, reason: string): void {
      ends.push({ code, reason });
    }
  }
  const { port, logger } = await startRouter(t, { maxBufferedBytes: 1_000_000 }, Flooding);
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.pause();
  client.send('start');
  assert.deepEqual(await ends.next(), { code: 1013, reason: 'Client does not keep up' });
  assert.match(logger.take()[0]?.line ?? '', /see maxBufferedBytes/);
});

test('`2010 Another connection still open`', async (t) => {
  const { url } = await startRouter(t);
  const options = { ...STREAMING, server: '000', sessionId: () => 'constant' };
  const first = await openOfficial(t, url, options);
  const { code, reason } = await connectOfficial(t, url, options).closed();
  assert.deepEqual({ code, reason }, { code: 2010, reason: 'Another connection still open' });
  first.send('hello');
  assert.equal(await first.next(), 'hello');
});

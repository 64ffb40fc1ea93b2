/** A program with the calls of Meteor, on npm `sockjs` and on the drop-in. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { WebSocket } from 'ws';
import { AsyncQueue } from '../../../testkit/async-queue.ts';
import { httpConnection, httpRequest } from '../../../testkit/raw-http.ts';
import { HandshakeError, RawWebSocket, openWebSocket } from '../../../testkit/raw-websocket.ts';
import { openSockJS } from '../../../testkit/sockjs-client.ts';
import { sendMessages } from '../../../testkit/sockjs-http.ts';
import {
  EVENTSOURCE,
  RAW_WEBSOCKET,
  WEBSOCKET,
  XHR,
  XHR_STREAMING,
  newSession,
} from '../../../testkit/transports.ts';
import { until } from '../../../testkit/until.ts';
import { type Dependent, IMPLEMENTATIONS, startDependent } from './dependent.ts';

const MESSAGES = Array.from({ length: 1000 }, (_, index) => `["message",${index}]`);

const PROTOCOLS = [
  { transport: WEBSOCKET, protocol: 'websocket' },
  { transport: RAW_WEBSOCKET, protocol: 'websocket-raw' },
  { transport: XHR_STREAMING, protocol: 'xhr-streaming' },
  { transport: XHR, protocol: 'xhr-polling' },
  { transport: EVENTSOURCE, protocol: 'eventsource' },
] as const;

/** Waits until each session has a receiving request. */
async function untilAttached(dependent: Dependent): Promise<void> {
  const isAttached = async () => {
    dependent.command('attached');
    return isDeepStrictEqual(await dependent.next(), { event: 'attached', isAttached: true });
  };
  await until(isAttached, 'a receiving request');
}

/** Waits until the socket of the last request for a URL has a timeout in a range. */
async function untilTimeout(
  dependent: Dependent,
  url: string,
  min: number,
  max: number,
): Promise<void> {
  const isInRange = async () => {
    dependent.command('timeout', url);
    const { timeout } = (await dependent.next()) as { readonly timeout: number };
    return timeout >= min && timeout <= max;
  };
  await until(isInRange, `a socket timeout from ${min} to ${max} ms`);
}

for (const implementation of IMPLEMENTATIONS) {
  describe(implementation, () => {
    for (const { transport, protocol } of PROTOCOLS) {
      test(`messages, sockets and endings over ${protocol}`, async (t) => {
        const dependent = await startDependent(t, implementation, 'meteor');
        const { port } = dependent;
        const session = newSession('/sockjs');
        const client = await openSockJS(t, transport, { server: port, session });
        const { isWebSocket } = transport;
        const path = isWebSocket ? 'websocket' : transport.path;
        const url = transport === RAW_WEBSOCKET ? '/sockjs/websocket' : `${session}/${path}`;
        const socket = isWebSocket
          ? { timeout: 45_000, hasItsSocket: true }
          : { hasItsSocket: false };
        const connection = { event: 'connection', protocol, url, ...socket };
        assert.partialDeepStrictEqual(await dependent.next(), connection);

        await client.send(...MESSAGES);
        assert.deepEqual(await client.take(MESSAGES.length), MESSAGES);
        await untilAttached(dependent);
        client.close();
        assert.deepEqual(await dependent.next(), { event: 'close', open: 0 });

        const second = await openSockJS(t, transport, {
          server: port,
          session: newSession('/sockjs'),
        });
        assert.partialDeepStrictEqual(await dependent.next(), { event: 'connection', ...socket });
        dependent.command('close');
        const { code, reason } = await second.closed();
        assert.deepEqual({ code, reason }, { code: 1000, reason: 'Normal closure' });
      });
    }

    for (const path of ['/websocket', '/websocket/', '/websocket?a=1']) {
      test(`a listener redirects ${path} to the raw WebSocket`, async (t) => {
        const dependent = await startDependent(t, implementation, 'meteor');
        const client = await openWebSocket(t, dependent.port, path);
        const url = `/sockjs${path.replace(/\/$/, '')}`;
        const connection = { event: 'connection', protocol: 'websocket-raw', url };
        assert.partialDeepStrictEqual(await dependent.next(), connection);
        for (const message of MESSAGES) client.send(message);
        assert.deepEqual(await client.take(MESSAGES.length), MESSAGES);
        client.close(1000);
        assert.deepEqual(await dependent.next(), { event: 'close', open: 0 });
      });
    }

    for (const path of ['/websocket', `${newSession('/sockjs')}/websocket`]) {
      const kind = path === '/websocket' ? 'raw' : 'framed';
      test(`a ${kind} WebSocket stays open after a timeout of its socket`, async (t) => {
        const dependent = await startDependent(t, implementation, 'meteor');
        const client = await openWebSocket(t, dependent.port, path);
        if (kind === 'framed') assert.equal(await client.next(), 'o');
        await dependent.next();
        client.send(kind === 'raw' ? 'socket timeout' : '["socket timeout"]');
        assert.deepEqual(await dependent.next(), { event: 'timeout' });
        client.send(kind === 'raw' ? 'hello' : '["hello"]');
        assert.equal(await client.next(), kind === 'raw' ? 'hello' : 'a["hello"]');
        client.close(1000);
        assert.deepEqual(await dependent.next(), { event: 'close', open: 0 });
      });
    }

    test('a pending poll has a long socket timeout, which is short after the response', async (t) => {
      const dependent = await startDependent(t, implementation, 'meteor');
      const { port } = dependent;
      const session = newSession('/sockjs');
      const polling = httpConnection(t, port);
      const first = await polling.request({ method: 'POST', path: `${session}/xhr` });
      assert.equal(first.body, 'o\n');
      assert.deepEqual(first.head.all('set-cookie'), ['JSESSIONID=dummy; path=/']);
      await dependent.next();
      const url = `${session}/xhr`;
      // Node adds its timeout for idle connections, of a few seconds.
      await untilTimeout(dependent, url, 5000, 10_000);
      polling.send({ method: 'POST', path: url });
      await untilTimeout(dependent, url, 120_000, 120_000);
      await sendMessages(port, session, 'hello');
      assert.equal((await polling.response('POST')).body, 'a["hello"]\n');
    });

    for (const path of ['xhr', 'xhr_streaming']) {
      test(`the server shuts down with an open ${path} response`, async (t) => {
        const dependent = await startDependent(t, implementation, 'meteor');
        const session = newSession('/sockjs');
        const opening = { method: 'POST', path: `${session}/${path}` };
        const connection = httpConnection(t, dependent.port);
        if (path === 'xhr') await connection.request(opening);
        connection.send(path === 'xhr' ? { method: 'POST', path: `${session}/xhr` } : opening);
        await dependent.next();
        await untilAttached(dependent);
        dependent.command('shutDown');
        assert.match((await connection.response('POST')).body, /c\[1000,"Normal closure"\]\n$/);
        let event = await dependent.next();
        // The drop-in emits `close` at once, and the original after its delay.
        if (isDeepStrictEqual(event, { event: 'close', open: 0 })) event = await dependent.next();
        assert.deepEqual(event, { event: 'shut down' });
      });
    }

    test('the application keeps its own requests and upgrades', async (t) => {
      const { port } = await startDependent(t, implementation, 'meteor');
      const { body } = await httpRequest(port, { method: 'GET', path: '/page?a=1' });
      assert.equal(body, 'application /page?a=1');
      const { body: greeting } = await httpRequest(port, { method: 'GET', path: '/sockjs' });
      assert.equal(greeting, 'Welcome to SockJS!\n');
      await assert.rejects(RawWebSocket.open(port, '/hot'), (error) => {
        assert.ok(error instanceof HandshakeError);
        assert.equal(error.status, 418);
        return true;
      });
    });

    test('a client that offers permessage-deflate exchanges long messages', async (t) => {
      const dependent = await startDependent(t, implementation, 'meteor');
      const client = new WebSocket(`ws://127.0.0.1:${dependent.port}/websocket`, {
        perMessageDeflate: { threshold: 0 },
      });
      t.after(() => client.terminate());
      const received = new AsyncQueue<string>('a message');
      client.on('message', (data: Buffer) => received.push(data.toString()));
      client.on('open', () => {
        for (const message of ['short', 'long '.repeat(20_000), '']) client.send(message);
      });
      assert.deepEqual(await received.take(3), ['short', 'long '.repeat(20_000), '']);
    });
  });
}

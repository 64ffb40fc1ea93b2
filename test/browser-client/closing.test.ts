/** Closes by the application and by the server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { BROWSER_TRANSPORTS, connectClient, openClient } from '../../testkit/browser-client.ts';
import { testEach } from '../../testkit/node-test.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';
import { startService } from './service.ts';

testEach(
  BROWSER_TRANSPORTS,
  'close sends what is queued, raises close once, and ends the session on the server',
  async (t, transport) => {
    const ends = new AsyncQueue<readonly [number, string]>('onClose');
    const received: string[] = [];
    class Recording extends SockJSConnection {
      override onMessage(message: string): void {
        received.push(message);
      }

      override onClose(code: number, reason: string): void {
        ends.push([code, reason]);
      }
    }
    const { url } = await startRouter(t, {}, Recording);
    const { socket, closings, losses } = await openClient(t, url, { transports: [transport] });
    socket.send('last 1');
    socket.send('last 2');
    socket.close(4001, 'done');
    assert.equal(socket.readyState, 2);
    assert.equal(socket.send('too late'), false);
    socket.close(4002);
    const { code, reason, wasClean } = await closings.next();
    assert.deepEqual([code, reason, wasClean], [4001, 'done', true]);
    assert.equal(socket.readyState, 3);
    const end = await ends.next();
    if (transport === 'websocket') assert.deepEqual(end, [4001, 'done']);
    assert.deepEqual(received, ['last 1', 'last 2']);
    assert.deepEqual([closings.size, losses.size], [0, 0]);
  },
);

testEach(
  BROWSER_TRANSPORTS,
  'a close by the server has its code and reason',
  async (t, transport) => {
    const service = await startService(t);
    const { socket, closings } = await openClient(t, service.url, { transports: [transport] });
    socket.send('close');
    const { code, reason, wasClean } = await closings.next();
    assert.deepEqual([code, reason, wasClean], [4321, 'Until “tomorrow”', true]);
    assert.equal(socket.send('too late'), false);
  },
);

test('a close before the socket is open ends the attempt and drops the queue', async (t) => {
  const service = await startService(t);
  const { socket, closings, opens } = connectClient(t, service.url);
  socket.send('dropped');
  socket.close();
  assert.equal((await closings.next()).code, 1000);
  assert.equal(opens.size, 0);
  await until(() => service.record.opened === service.record.closings.length, 'no session');
});

test('a close while the socket waits to reconnect ends it', async (t) => {
  const service = await startService(t);
  const { socket, closings, losses } = await openClient(t, service.url, { reconnectDelay: 60_000 });
  await service.kill();
  await losses.next();
  socket.close();
  assert.equal((await closings.next()).code, 1000);
});

test('a close in a reconnecting listener ends it', async (t) => {
  const service = await startService(t);
  const { socket, closings } = await openClient(t, service.url);
  socket.onreconnecting = () => socket.close(3001);
  await service.kill();
  assert.equal((await closings.next()).code, 3001);
});

test('a close in a message listener suppresses the rest of the frame', async (t) => {
  class Bursting extends SockJSConnection {
    override onOpen(): void {
      this.send('one');
      this.send('two');
    }
  }
  const { url } = await startRouter(t, {}, Bursting);
  const { socket, closings, messages } = connectClient(t, url);
  socket.onmessage = () => socket.close();
  await closings.next();
  assert.deepEqual(messages.drain(), ['one']);
});

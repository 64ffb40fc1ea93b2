/** The class `SockJS`, in place of that of sockjs-client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OfficialSockJS from 'sockjs-client';
import Default, { SockJS, type SockJSOptions } from '../../client/sockjs.ts';
import { Refusal } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { BROWSER_TRANSPORTS } from '../../testkit/browser-client.ts';
import { testEach } from '../../testkit/node-test.ts';
import type { TestScope } from '../../testkit/scope.ts';
import { startService } from './service.ts';

function open(scope: TestScope, url: string, options?: SockJSOptions) {
  const socket = new SockJS(url, null, options);
  const events = new AsyncQueue<unknown>('an event');
  socket.onopen = () => events.push('open');
  socket.onmessage = ({ type, data }) => events.push([type, data]);
  socket.onclose = ({ code, reason, wasClean }) => events.push({ code, reason, wasClean });
  scope.after(() => socket.close());
  return { socket, events };
}

test('the class is the default and a named export, with the constants of sockjs-client', () => {
  assert.equal(Default, SockJS);
  for (const name of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'] as const)
    assert.equal(SockJS[name], OfficialSockJS[name]);
});

testEach(
  BROWSER_TRANSPORTS,
  'messages pass, and close has the code of sockjs-client',
  async (t, transports) => {
    const { url } = await startService(t);
    const { socket, events } = open(t, url, { transports });
    assert.throws(() => socket.send('early'), { name: 'InvalidStateError' });
    assert.equal(await events.next(), 'open');
    assert.equal(socket.transport, transports);
    socket.send('hello');
    socket.send(5);
    assert.deepEqual(await events.take(2), [
      ['message', 'hello'],
      ['message', '5'],
    ]);
    socket.close();
    assert.deepEqual(await events.next(), { code: 1000, reason: 'Normal closure', wasClean: true });
    socket.send('late');
    socket.close();
    assert.equal(events.size, 0);
  },
);

testEach(
  BROWSER_TRANSPORTS,
  'a lost connection closes with 1006 and is not restored',
  async (t, transport) => {
    const service = await startService(t);
    const { socket, events } = open(t, service.url, { transports: [transport] });
    await events.next();
    await service.kill();
    const { code, wasClean } = (await events.next()) as { code: number; wasClean: boolean };
    assert.deepEqual([code, wasClean, socket.readyState], [1006, false, 3]);
  },
);

test('failures have the codes of sockjs-client', async (t) => {
  const service = await startService(t, { authorize: () => new Refusal(403) });
  const failed = { code: 2000, reason: 'All transports failed', wasClean: false };
  assert.deepEqual(await open(t, service.url).events.next(), failed);
  const transports = ['jsonp-polling', 'iframe-eventsource'];
  assert.deepEqual(await open(t, service.url, { transports }).events.next(), failed);
  const none = { code: 1002, reason: 'Cannot connect to server', wasClean: false };
  assert.deepEqual(await open(t, `${service.site.origin}/nothing`).events.next(), none);
});

test('server, sessionId, transports and timeout are those of sockjs-client', async (t) => {
  const service = await startService(t);
  const options = {
    server: 'seven',
    sessionId: () => 'secret',
    transports: ['xdr-streaming', 'xhr-polling', 'websocket'],
    timeout: 5000,
    debug: true,
  };
  const { socket, events } = open(t, service.url, options);
  await events.next();
  assert.equal(socket.transport, 'xhr-polling');
  assert.equal(service.record.requests[1], '/seven/secret/xhr');
  await open(t, service.url, { sessionId: 20, transports: 'websocket' }).events.next();
  assert.match(service.record.requests.at(-1) ?? '', /^\/\d{3}\/[0-9a-v]{20}\/websocket$/);
});

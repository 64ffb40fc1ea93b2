/** Events of the browser client: handlers, listeners and their errors. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { connect } from '../../client/index.ts';
import type { SocketMessageEvent } from '../../client/index.ts';
import { openClient } from '../../testkit/browser-client.ts';
import { startRouter } from '../../testkit/server.ts';
import { deferred } from '../../testkit/until.ts';

/** A socket without a server, on which the test dispatches messages. */
function createSocket(t: TestContext) {
  const socket = connect('http://127.0.0.1:1/', { shouldReconnect: () => true });
  t.after(() => socket.close());
  const calls: string[] = [];
  return {
    socket,
    calls,
    /** Creates a listener that records its name. */
    record: (name: string) => () => void calls.push(name),
    /** Dispatches a message. @returns the calls since the last one */
    dispatch: () => {
      assert.equal(socket.dispatchEvent({ type: 'message' }), true);
      return calls.splice(0).join(' ');
    },
  };
}

test('onmessage is called before the listeners, and those in the order of their addition', (t) => {
  const { socket, record, dispatch } = createSocket(t);
  socket.addEventListener('message', record('first'));
  socket.addEventListener('message', record('second'));
  socket.addEventListener('open', record('open'));
  socket.onmessage = record('on');
  assert.equal(dispatch(), 'on first second');
  socket.onmessage = null;
  assert.equal(dispatch(), 'first second');
});

test('a listener is added once, and called until it is removed', (t) => {
  const { socket, record, dispatch } = createSocket(t);
  const listener = record('listener');
  socket.addEventListener('message', listener);
  socket.addEventListener('message', listener);
  assert.equal(dispatch(), 'listener');
  socket.removeEventListener('open', listener);
  assert.equal(dispatch(), 'listener');
  socket.removeEventListener('message', listener);
  assert.equal(dispatch(), '');
});

test('once and signal remove a listener', (t) => {
  const { socket, record, dispatch } = createSocket(t);
  const controller = new AbortController();
  const { signal } = controller;
  socket.addEventListener('message', record('once'), { once: true });
  socket.addEventListener('message', record('signal'), { signal });
  assert.equal(dispatch(), 'once signal');
  assert.equal(dispatch(), 'signal');
  controller.abort();
  assert.equal(dispatch(), '');
  socket.addEventListener('message', record('aborted'), { signal });
  assert.equal(dispatch(), '');
});

test('a listener with once that dispatches is not called again', (t) => {
  const { socket, calls, record } = createSocket(t);
  const listener = (): void => {
    record('once')();
    socket.dispatchEvent({ type: 'message' });
  };
  socket.addEventListener('message', listener, { once: true });
  socket.dispatchEvent({ type: 'message' });
  assert.deepEqual(calls, ['once']);
});

test('a listener that is added during an event is called for the next one, and a removed one is not called', (t) => {
  const { socket, record, dispatch } = createSocket(t);
  const removed = record('removed');
  socket.onmessage = () => {
    record('on')();
    socket.removeEventListener('message', removed);
  };
  socket.addEventListener('message', () => socket.addEventListener('message', record('added')), {
    once: true,
  });
  socket.addEventListener('message', removed);
  assert.equal(dispatch(), 'on');
  assert.equal(dispatch(), 'on added');
});

test('this is the socket in handlers and listeners', (t) => {
  const { socket } = createSocket(t);
  const receivers: unknown[] = [];
  function listener(this: unknown): void {
    receivers.push(this);
  }
  socket.onmessage = listener;
  socket.addEventListener('message', listener);
  socket.dispatchEvent({ type: 'message' });
  assert.deepEqual(
    receivers.map((receiver) => receiver === socket),
    [true, true],
  );
});

test('an event has a type, the socket as target, and its fields', async (t) => {
  const { url } = await startRouter(t);
  const client = await openClient(t, url);
  const event = deferred<SocketMessageEvent>();
  client.socket.onmessage = event.resolve;
  client.socket.send('hello');
  const { target, ...fields } = await event.promise;
  assert.equal(target, client.socket);
  assert.deepEqual(fields, { type: 'message', data: 'hello' });
});

test('an event of the platform can be dispatched', (t) => {
  const { socket } = createSocket(t);
  const events: SocketMessageEvent[] = [];
  socket.onmessage = (event) => void events.push(event);
  const event = Object.assign(new Event('message'), { data: 'hello' });
  socket.dispatchEvent(event);
  assert.deepEqual(
    events.map(({ data }) => data),
    ['hello'],
  );
});

test('a socket is an EventTarget', (t) => {
  assert.ok(createSocket(t).socket instanceof EventTarget);
});

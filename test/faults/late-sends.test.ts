/**
 * A client that sends while the server closes. Over HTTP the message and the close cross each other. When its
 * body is refused, sockjs-client gives the session up with 1006 `Sending error`: it polls no more, and loses
 * the close and the messages before it. So the server accepts such a body.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { testEach } from '../../testkit/node-test.ts';
import { startRouter } from '../../testkit/server.ts';
import { Receiver, poll, postBody } from '../../testkit/sockjs-http.ts';
import { HTTP_TRANSPORTS, newSession, parseMessages } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';

const FORM = [['Content-Type', 'application/x-www-form-urlencoded']] as const;

for (const { endpoint, headers, body, expected } of [
  { endpoint: 'xhr_send', headers: [], body: '["late"]', expected: { status: 204, body: '' } },
  {
    endpoint: 'jsonp_send',
    headers: FORM,
    body: 'd=["late"]',
    expected: { status: 200, body: 'ok' },
  },
] as const) {
  test(`${endpoint}: a body after close() is accepted and dropped, and the client receives the close`, async (t) => {
    const messages: string[] = [];
    class RecordingConnection extends SockJSConnection {
      override onMessage(message: string): void {
        messages.push(message);
      }
    }
    const { port, router } = await startRouter(t, {}, RecordingConnection);
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    const [connection] = router.connections;
    connection?.send('last words');
    connection?.close(4000, 'enough');
    const response = await postBody(port, session, body, { endpoint, headers });
    assert.deepEqual({ status: response.status, body: response.body }, expected);
    assert.equal(await poll(port, session), 'a["last words"]');
    assert.equal(await poll(port, session), 'c[4000,"enough"]');
    assert.deepEqual(messages, [], 'onMessage was called after close()');
  });
}

testEach(
  HTTP_TRANSPORTS,
  'a body is accepted after the close frame has been written',
  async (t, transport) => {
    const { port, router } = await startRouter(t, {}, SockJSConnection);
    const session = newSession();
    let receiver = new Receiver(port, session, transport);
    assert.equal(await receiver.frame(), 'o');
    if (!transport.isStreaming) receiver = new Receiver(port, session, transport);
    t.after(() => receiver.close());
    const { stats } = router;
    await until(() => stats.dump().connectionsActive === 1, 'an attached receiver');
    const [connection] = router.connections;
    if (transport.isStreaming) connection?.send('last words');
    connection?.close(4000, 'enough');
    await until(() => stats.dump().connectionsActive === 0, 'the response to end');
    const { status } = await postBody(port, session, '["late"]');
    assert.equal(status, 204);
    if (transport.isStreaming)
      assert.deepEqual(parseMessages(await receiver.frame()), ['last words']);
    assert.equal(await receiver.frame(), 'c[4000,"enough"]');
  },
);

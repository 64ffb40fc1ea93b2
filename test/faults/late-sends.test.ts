/**
 * A client that sends while the server closes. On HTTP the two meet on their way, and sockjs-client gives its
 * connection up (1006 `Sending error`) when a body is refused: then it asks for nothing more, and loses what
 * was sent before the close, and the close.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { DIALECTS, Receiver, messagesIn, poll, sendBody } from '../conformance/dialects.ts';
import { until } from '../support/client.ts';
import { serve } from '../support/service.ts';

const FORM = [['Content-Type', 'application/x-www-form-urlencoded']] as const;

for (const { target, headers, body, answer } of [
  { target: 'xhr_send', headers: [], body: '["late"]', answer: { status: 204, body: '' } },
  { target: 'jsonp_send', headers: FORM, body: 'd=["late"]', answer: { status: 200, body: 'ok' } },
] as const) {
  test(`${target}: a client that sends before it has heard of the close still gets all`, async (t) => {
    const heard: string[] = [];
    class CloseStatus extends SockJSConnection {
      override onMessage(message: string): void {
        heard.push(message);
      }
    }
    const { port, router } = await serve(t, {}, CloseStatus);
    const session = `/echo/000/${randomUUID()}`;
    assert.equal(await poll(port, session), 'o');
    const [connection] = router.connections;
    connection?.send('last words');
    connection?.close(4000, 'enough');
    const { status, body: said } = await sendBody(port, session, body, { target, headers });
    assert.deepEqual({ status, body: said }, answer);
    assert.equal(await poll(port, session), 'a["last words"]');
    assert.equal(await poll(port, session), 'c[4000,"enough"]');
    assert.deepEqual(heard, [], 'no message is handled after close()');
  });
}

for (const dialect of DIALECTS) {
  test(`${dialect.name}: nor does it give up while the close is on its way`, async (t) => {
    const { port, router } = await serve(t, {}, SockJSConnection);
    const session = `/echo/000/${randomUUID()}`;
    let receiver = new Receiver(port, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    if (!dialect.streams) receiver = new Receiver(port, session, dialect);
    const { stats } = router;
    await until('a receiver is attached', () => stats.dump().connectionsActive === 1);
    const [connection] = router.connections;
    if (dialect.streams) connection?.send('last words');
    connection?.close(4000, 'enough');
    await until('the end is written', () => stats.dump().connectionsActive === 0);
    const { status } = await sendBody(port, session, '["late"]');
    assert.equal(status, 204);
    if (dialect.streams) assert.deepEqual(messagesIn(await receiver.frame()), ['last words']);
    assert.equal(await receiver.frame(), 'c[4000,"enough"]');
    receiver.connection.close();
  });
}

/** `multiplex` with slow clients: memoized messages, and `drained()`. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { linkOf } from '../../src/api/connection.ts';
import { multiplex } from '../../src/extras/multiplex.ts';
import { SockJSConnection } from '../../src/index.ts';
import type { Message } from '../../src/protocol/message.ts';
import { createMessage } from '../../src/sessions/create-message.ts';
import { collectGarbage } from '../../testkit/memory.ts';
import { newSession } from '../../testkit/transports.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

for (const [length, isMemoized] of [
  [1000, true],
  [70_000, false],
] as const) {
  test(`a message of ${length} bytes is ${isMemoized ? '' : 'not '}memoized after it is sent`, async (t) => {
    const sent: WeakRef<Message>[] = [];
    class Sender extends SockJSConnection {
      override onOpen(): void {
        const message = createMessage('x'.repeat(length));
        sent.push(new WeakRef(message));
        linkOf(this).backend.send(message);
      }
    }
    const { port } = await startRouter(t, {}, multiplex({ echo: Sender }));
    const client = await openWebSocket(t, port, '/echo/websocket');
    client.send('sub,echo');
    assert.equal((await client.next()).length, 'msg,echo,'.length + length);
    await collectGarbage();
    assert.equal(sent[0]?.deref() !== undefined, isMemoized);
  });
}

/** Opens a channel with buffered data, and records the results of `drained()`. */
async function openSlowChannel(t: TestContext) {
  const channels: SockJSConnection[] = [];
  const results: boolean[] = [];
  class Sender extends SockJSConnection {
    override onOpen(): void {
      channels.push(this);
      this.send('x'.repeat(70_000));
      void this.drained().then((result) => results.push(result));
    }
  }
  const { port } = await startRouter(t, {}, multiplex({ echo: Sender }));
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await postBody(port, session, '["sub,echo"]');
  assert.deepEqual(results, []);
  return { port, session, channels, results };
}

test('drained resolves to false when the server closes the channel', async (t) => {
  const { channels, results } = await openSlowChannel(t);
  for (const channel of channels) channel.close();
  await until(() => results.length === 1, 'drained has resolved');
  assert.deepEqual(results, [false]);
});

test('drained resolves to false when the client closes the channel', async (t) => {
  const { port, session, results } = await openSlowChannel(t);
  await postBody(port, session, '["uns,echo"]');
  await until(() => results.length === 1, 'drained has resolved');
  assert.deepEqual(results, [false]);
});

test('drained resolves to true when the client has caught up', async (t) => {
  const { port, session, results } = await openSlowChannel(t);
  await poll(port, session);
  await until(() => results.length === 1, 'drained has resolved');
  assert.deepEqual(results, [true]);
});

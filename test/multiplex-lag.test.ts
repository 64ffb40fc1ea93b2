/** What channels keep in memory, and what they are told while their clients lag. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { linkOf } from '../src/connection.ts';
import { multiplex } from '../src/extras/multiplex.ts';
import { SockJSConnection } from '../src/index.ts';
import { Message } from '../src/protocol/message.ts';
import { poll, sendBody } from './conformance/dialects.ts';
import { newSession } from './conformance/services.ts';
import { until } from './support/client.ts';
import { collectGarbage } from './support/garbage.ts';
import { serve } from './support/service.ts';
import { connectWebSocket } from './support/ws.ts';

for (const [length, kept] of [
  [1000, true],
  [70_000, false],
] as const) {
  test(`a message of ${length} bytes is ${kept ? 'kept for other receivers' : 'forgotten once it is sent'}`, async (t) => {
    const sent: WeakRef<Message>[] = [];
    class Sender extends SockJSConnection {
      override onOpen(): void {
        const message = new Message('x'.repeat(length));
        sent.push(new WeakRef(message));
        linkOf(this).send(message);
      }
    }
    const { url } = await serve(t, {}, multiplex({ echo: Sender }));
    const client = await connectWebSocket(t, `${url}/websocket`);
    client.send('sub,echo');
    assert.equal((await client.next()).length, 'msg,echo,'.length + length);
    await collectGarbage();
    assert.equal(sent[0]?.deref() !== undefined, kept);
  });
}

/** A channel whose client does not keep up, and what it hears about that. */
async function lagging(t: TestContext) {
  const channels: SockJSConnection[] = [];
  const answers: boolean[] = [];
  class Pouring extends SockJSConnection {
    override onOpen(): void {
      channels.push(this);
      this.send('x'.repeat(70_000));
      void this.drained().then((answer) => answers.push(answer));
    }
  }
  const { port } = await serve(t, {}, multiplex({ echo: Pouring }));
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await sendBody(port, session, '["sub,echo"]');
  assert.deepEqual(answers, []);
  return { port, session, channels, answers };
}

test('a channel that the server ends before its client keeps up is not drained', async (t) => {
  const { channels, answers } = await lagging(t);
  for (const channel of channels) channel.close();
  await until('it is answered', () => answers.length === 1);
  assert.deepEqual(answers, [false]);
});

test('a channel that the client ends before it keeps up is not drained', async (t) => {
  const { port, session, answers } = await lagging(t);
  await sendBody(port, session, '["uns,echo"]');
  await until('it is answered', () => answers.length === 1);
  assert.deepEqual(answers, [false]);
});

test('a channel whose client keeps up again is drained', async (t) => {
  const { port, session, answers } = await lagging(t);
  await poll(port, session);
  await until('it is answered', () => answers.length === 1);
  assert.deepEqual(answers, [true]);
});

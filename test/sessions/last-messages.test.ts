/** Messages for which `send` returned true before the end of a connection: they are delivered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multiplex } from '../../src/extras/multiplex.ts';
import { webSocketHandler } from '../../src/extras/ws-compat.ts';
import { SockJSConnection, type SockJSSettings } from '../../src/index.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { testEach } from '../../testkit/node-test.ts';
import { newSession, parseMessages } from '../../testkit/transports.ts';
import { OPCODE, encodeClose, encodeFrame } from '../../testkit/websocket-frames.ts';

/** Replies with a text of the length that the client names, and can close. */
class Replying extends SockJSConnection {
  override onMessage(message: string): void {
    if (Number(message) > 0) assert.equal(this.send('x'.repeat(Number(message))), true);
    if (message === 'close') {
      this.send('last');
      this.close(4000, 'bye');
    }
    if (message === 'throw') {
      this.send('last');
      throw new Error('broken');
    }
  }
}

const CLOSE = encodeFrame(OPCODE.close, encodeClose(1000));
const ENDINGS = [
  { name: 'a close frame', bytes: CLOSE },
  { name: 'an invalid frame', bytes: encodeFrame(OPCODE.text, 'x', { rsv: 1 }) },
  { name: 'a message that is not UTF-8', bytes: encodeFrame(OPCODE.text, Buffer.from([0xff])) },
  { name: 'the end of the connection', bytes: undefined },
];

const SETTINGS: readonly SockJSSettings[] = [{}, { immediateFlush: false }];

for (const settings of SETTINGS) {
  const suffix = settings.immediateFlush === false ? ', without immediateFlush' : '';

  testEach(
    ENDINGS,
    `the reply to a message in the same segment is delivered${suffix}`,
    async (t, { bytes }) => {
      const { port } = await startRouter(t, settings, Replying);
      const client = await openWebSocket(t, port, '/echo/websocket', { autoClose: false });
      const lengths = [1, 60_000];
      const messages = lengths.map((length) => encodeFrame(OPCODE.text, String(length)));
      client.write(...messages, ...(bytes === undefined ? [] : [bytes]));
      if (bytes === undefined) client.raw.end();
      for (const length of lengths) assert.equal((await client.nextText()).length, length);
    },
  );
}

test('the reply on a SockJS WebSocket comes before the close frame', async (t) => {
  const { port } = await startRouter(t, {}, Replying);
  const client = await openWebSocket(t, port, `${newSession()}/websocket`, { autoClose: false });
  client.write(encodeFrame(OPCODE.text, '["3"]'), CLOSE);
  assert.deepEqual(await client.take(2), ['o', 'a["xxx"]']);
  assert.equal((await client.closed()).code, 1000);
});

for (const [message, code] of [
  ['close', 4000],
  ['throw', 1011],
] as const) {
  test(`what a handler has sent before '${message}' is delivered, also if the client closes`, async (t) => {
    const { port, logger } = await startRouter(t, {}, Replying);
    const client = await openWebSocket(t, port, '/echo/websocket', { autoClose: false });
    client.write(encodeFrame(OPCODE.text, message), CLOSE);
    assert.equal(await client.next(), 'last');
    assert.equal((await client.closed()).code, code);
    logger.take();
  });
}

test('what a handler has sent before close() is delivered to the next poll', async (t) => {
  const { port } = await startRouter(t, {}, Replying);
  const session = newSession();
  await poll(port, session);
  await postBody(port, session, '["close"]');
  assert.equal(await poll(port, session), 'a["last"]');
  assert.equal(await poll(port, session), 'c[4000,"bye"]');
});

test('the reply on a channel is delivered before a close frame in the same segment', async (t) => {
  const { port } = await startRouter(t, {}, multiplex({ news: Replying }));
  const client = await openWebSocket(t, port, `${newSession()}/websocket`, { autoClose: false });
  const text = JSON.stringify(['sub,news', 'msg,news,3', 'uns,news', 'sub,news', 'msg,news,2']);
  client.write(encodeFrame(OPCODE.text, text), CLOSE);
  assert.equal(await client.next(), 'o');
  assert.deepEqual(parseMessages(await client.nextText()), ['msg,news,xxx', 'msg,news,xx']);
});

test('the reply of a handler for ws is delivered before a close frame in the same segment', async (t) => {
  const echo = webSocketHandler((socket) => {
    socket.on('message', (data) => socket.send(data.toString()));
  });
  const { port } = await startRouter(t, {}, echo);
  const client = await openWebSocket(t, port, '/echo/websocket', { autoClose: false });
  client.write(encodeFrame(OPCODE.text, 'hello'), CLOSE);
  assert.equal(await client.next(), 'hello');
});

test('send returns false once the client has closed', async (t) => {
  const results: boolean[] = [];
  class Late extends SockJSConnection {
    override async onMessage(): Promise<void> {
      await Promise.resolve();
      results.push(this.send('late'));
    }
  }
  const { port } = await startRouter(t, {}, Late);
  const client = await openWebSocket(t, port, '/echo/websocket', { autoClose: false });
  client.write(encodeFrame(OPCODE.text, 'x'), CLOSE);
  assert.equal((await client.closed()).code, 1000);
  assert.equal(client.messages.size, 0);
  assert.deepEqual(results, [false]);
});

/** Floods of WebSocket frames without a message: they cost few writes, and count against the rate limit. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { SockJSSettings } from '../../src/index.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { testEach } from '../../testkit/node-test.ts';
import { newSession } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import { OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';

const FLOODS = [
  { name: 'pings', frame: encodeFrame(OPCODE.ping) },
  { name: 'pongs', frame: encodeFrame(OPCODE.pong) },
  { name: 'empty messages', frame: encodeFrame(OPCODE.text) },
  { name: 'empty arrays', frame: encodeFrame(OPCODE.text, '[]') },
];

async function connect(t: TestContext, settings: SockJSSettings) {
  const running = await startRouter(t, settings);
  const client = await openWebSocket(t, running.port, `${newSession()}/websocket`);
  assert.equal(await client.next(), 'o');
  return { ...running, client };
}

testEach(FLOODS, 'a flood is delayed by maxMessagesPerSecond', async (t, { frame }) => {
  const { client, router } = await connect(t, { maxMessagesPerSecond: 1000 });
  const began = performance.now();
  client.write(...Array.from({ length: 1500 }, () => frame), encodeFrame(OPCODE.text, '"first"'));
  assert.equal(await client.next(), 'a["first"]');
  client.send('"after"');
  assert.equal(await client.next(), 'a["after"]');
  assert.ok(router.stats.dump().throttledTotal > 0);
  const took = performance.now() - began;
  assert.ok(took > 480, `${took} ms`);
});

testEach(FLOODS, 'a flood is closed with 1008 by rateLimitPolicy', async (t, { frame }) => {
  const settings = { maxMessagesPerSecond: 1000, rateLimitPolicy: 'close' } as const;
  const { client } = await connect(t, settings);
  client.write(...Array.from({ length: 1500 }, () => frame));
  assert.equal((await client.closed()).code, 1008);
});

test('a flood of tiny fragments is delayed by maxMessagesPerSecond', async (t) => {
  const { client, router } = await connect(t, { maxMessagesPerSecond: 1000 });
  client.sendFrame(OPCODE.text, '', { fin: false });
  const fragment = encodeFrame(OPCODE.continuation, ' ', { fin: false });
  client.write(...Array.from({ length: 1500 }, () => fragment));
  await until(() => router.stats.dump().throttledTotal > 0, 'the flood to be delayed');
});

test('a flood of pings gets far fewer pongs than pings, and far fewer writes', async (t) => {
  const { client } = await connect(t, { maxMessagesPerSecond: Infinity });
  const write = t.mock.method(Socket.prototype, 'write');
  const pings = 50_000;
  client.write(...Array.from({ length: pings }, () => encodeFrame(OPCODE.ping)));
  client.ping('last');
  client.send('"after"');
  assert.equal(await client.next(), 'a["after"]');
  let pongs = 0;
  for (;;) {
    pongs += 1;
    if (String(await client.pongs.next()) === 'last') break;
  }
  assert.ok(pongs < pings / 100, `${pongs} pongs`);
  assert.ok(write.mock.callCount() < pings / 100, `${write.mock.callCount()} writes`);
});

test('the pong and the replies to a chunk are one write to the system', async (t) => {
  const { client, router } = await connect(t, {});
  const [connection] = router.connections;
  assert.ok(connection !== undefined);
  const text = encodeFrame(OPCODE.text, '"hello"');
  const before = client.frames.size;
  const chunks: number[] = [];
  client.raw.stream.on('data', (data: Buffer) => chunks.push(data.length));
  client.write(encodeFrame(OPCODE.ping, 'p'), text, text);
  assert.equal(await client.next(), 'a["hello","hello"]');
  assert.equal(String(await client.pongs.next()), 'p');
  assert.equal(chunks.length, 1);
  assert.ok(client.frames.size > before);
});

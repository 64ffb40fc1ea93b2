/**
 * A few bytes of a compressed message expand to a long one. One client that sends many of them does not keep the server
 * from others, whatever the rest of its input is.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { OFFER_COMPRESSION, openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { newSession } from '../../testkit/transports.ts';
import { COMPRESSED, OPCODE, deflate, encodeFrame } from '../../testkit/websocket-frames.ts';

const MESSAGES = 20;

for (const [name, message] of [
  ['long strings', `["${'x'.repeat(2_000_000)}"]`],
  ['many messages', `[${'"",'.repeat(9999)}""]`],
  ['invalid JSON', '['.repeat(2_000_000)],
] as const) {
  test(`${name}: a client with many bombs in one chunk does not delay another one`, async (t) => {
    const order: string[] = [];
    class Watching extends SockJSConnection {
      override onMessage(received: string): void {
        order.push(received === 'hello' ? received : 'bomb');
        this.send(received.slice(0, 10));
      }
    }
    const { port, router } = await startRouter(
      t,
      { compression: {}, maxMessagesPerSecond: 1e9 },
      Watching,
    );
    const attacker = await openWebSocket(t, port, `${newSession()}/websocket`, {
      headers: OFFER_COMPRESSION,
    });
    const healthy = await openWebSocket(t, port, `${newSession()}/websocket`);
    assert.equal(await healthy.next(), 'o');
    assert.equal(await attacker.next(), 'o');
    const bomb = encodeFrame(OPCODE.text, deflate(message), COMPRESSED);
    assert.ok(bomb.length < 3000);
    attacker.write(...Array.from({ length: MESSAGES }, () => bomb));
    healthy.send('["hello"]');
    assert.equal(await healthy.next(), 'a["hello"]');
    const bombs = order.filter((kind) => kind === 'bomb').length;
    const total = name === 'many messages' ? 10_000 * MESSAGES : MESSAGES;
    assert.ok(bombs < total, `${bombs} messages of the attacker came first`);
    if (name === 'invalid JSON') {
      assert.equal((await attacker.closed()).code, 1007);
      assert.equal(router.stats.dump().closed.invalidJson, 1);
    } else {
      await attacker.next();
    }
  });
}

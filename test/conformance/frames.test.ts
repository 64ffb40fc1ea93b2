/** PROTOCOL "Frames from the server": the four frames and the characters that must not travel as they are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { serve } from '../support/service.ts';
import {
  DIALECTS,
  JSONP,
  Receiver,
  STREAMING,
  XHR_STREAMING,
  messagesIn,
  poll,
  send,
  sendBody,
} from './dialects.ts';
import { newSession, startServices } from './services.ts';
import { WebSocketClient } from './web-socket.ts';

const { port } = await startServices();

for (const dialect of DIALECTS) {
  test(`${dialect.name}: the first frame is o, then come the messages`, async () => {
    const session = newSession();
    let receiver = new Receiver(port, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    if (!dialect.streams) receiver = new Receiver(port, session, dialect);
    await send(port, session, 'm1', 'm2');
    assert.equal(await receiver.frame(), 'a["m1","m2"]');
    receiver.connection.close();
  });

  test(`${dialect.name}: messages that are sent one by one come in order`, async () => {
    const session = newSession();
    let receiver = new Receiver(port, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    const received: unknown[] = [];
    for (let number = 0; number < 10; number += 1) {
      if (!dialect.streams) receiver = new Receiver(port, session, dialect);
      await send(port, session, String(number));
      received.push(...messagesIn(await receiver.frame()));
    }
    assert.deepEqual(received, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    receiver.connection.close();
  });

  test(`${dialect.name}: the close frame is c with code and reason`, async () => {
    const session = newSession('/close');
    if (!dialect.streams) assert.equal(await poll(port, session, dialect), 'o');
    const receiver = new Receiver(port, session, dialect);
    if (dialect.streams) assert.equal(await receiver.frame(), 'o');
    assert.equal(await receiver.frame(), 'c[3000,"Go away!"]');
    assert.equal(await receiver.frame(), undefined);
    receiver.connection.close();
  });

  test(`${dialect.name}: the close frame is served again to every request`, async () => {
    const session = newSession('/close');
    await poll(port, session, dialect);
    for (let again = 0; again < 3; again += 1)
      assert.equal(await poll(port, session, dialect), 'c[3000,"Go away!"]');
  });

  test(`${dialect.name}: a client that was told nothing for heartbeatDelay gets h`, async (t) => {
    const { port: own } = await serve(t, { heartbeatDelay: 40 });
    const session = newSession();
    let start = performance.now();
    let receiver = new Receiver(own, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    if (!dialect.streams) {
      start = performance.now();
      receiver = new Receiver(own, session, dialect);
    }
    assert.equal(await receiver.frame(), 'h');
    const waited = performance.now() - start;
    assert.ok(waited >= 40, `it came after ${waited} ms`);
    receiver.connection.close();
  });
}

for (const dialect of STREAMING) {
  test(`${dialect.name}: heartbeats go on and on`, async (t) => {
    const { port: own } = await serve(t, { heartbeatDelay: 20 });
    const receiver = new Receiver(own, newSession(), dialect);
    const frames = [];
    for (let count = 0; count < 4; count += 1) frames.push(await receiver.frame());
    assert.deepEqual(frames, ['o', 'h', 'h', 'h']);
    receiver.connection.close();
  });
}

test('websocket: o, messages, heartbeat and close frame are one text message each', async (t) => {
  class Brief extends SockJSConnection {
    override onMessage(message: string): void {
      if (message === 'end') this.close(3999, 'The "end"');
      else this.send(message);
    }
  }
  const { port: own } = await serve(t, { heartbeatDelay: 40 }, Brief);
  const client = await WebSocketClient.open(own, `${newSession()}/websocket`);
  assert.equal(await client.next(), 'o');
  client.sendMessages('m1', 'm2');
  assert.equal(await client.next(), 'a["m1","m2"]');
  assert.equal(await client.next(), 'h');
  client.sendMessages('end');
  let frame = await client.next();
  while (frame === 'h') frame = await client.next();
  assert.equal(frame, String.raw`c[3999,"The \"end\""]`);
  assert.deepEqual(await client.closed(), { code: 3999, reason: 'The "end"' });
});

// Escapes

/** What PROTOCOL lists, by ranges of code units. */
const ESCAPED: readonly { from: number; to: number }[] = [
  { from: 0x200c, to: 0x200f },
  { from: 0x2028, to: 0x202f },
  { from: 0x2060, to: 0x206f },
  { from: 0xfff0, to: 0xffff },
  { from: 0xd800, to: 0xdbff },
  { from: 0xdc00, to: 0xdfff },
];

function unicodeEscape(unit: number): string {
  return String.raw`\u${unit.toString(16).padStart(4, '0')}`;
}

for (const { from, to } of ESCAPED) {
  test(`U+${from.toString(16)} to U+${to.toString(16)} are escaped in lower-case hex`, async () => {
    const session = newSession();
    await poll(port, session);
    const units = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    await send(port, session, units.map((unit) => String.fromCharCode(unit)).join(''));
    assert.equal(await poll(port, session), `a["${units.map(unicodeEscape).join('')}"]`);
  });
}

test('U+0000 to U+001f are escaped', async () => {
  const session = newSession();
  await poll(port, session);
  const units = Array.from({ length: 0x20 }, (_, unit) => unit);
  const text = String.fromCharCode(...units);
  await send(port, session, text);
  const frame = await poll(port, session);
  assert.deepEqual(messagesIn(frame), [text]);
  // Five of them have a shorter form in JSON, which every client reads as well.
  const short = new Map(
    [8, 9, 10, 12, 13].map((unit, index) => [unit, `\\${'btnfr'.charAt(index)}`]),
  );
  const escapes = units.map((unit) => short.get(unit) ?? unicodeEscape(unit));
  assert.equal(frame, `a["${escapes.join('')}"]`);
});

test('quotes and backslashes are escaped', async () => {
  const session = newSession();
  await poll(port, session);
  await send(port, session, String.raw`"\"`);
  assert.equal(await poll(port, session), String.raw`a["\"\\\""]`);
});

test('a surrogate pair is one character and travels as it is', async () => {
  const session = newSession();
  await poll(port, session);
  await send(port, session, '𝄞😀');
  assert.equal(await poll(port, session), 'a["𝄞😀"]');
});

test('the neighbours of the escaped ranges travel as they are', async () => {
  const session = newSession();
  await poll(port, session);
  const text = ' ~\u007f\u200b\u2010\u2027\u2030\u205f\u2070\ud7ff\ue000\uffef';
  await send(port, session, text);
  assert.equal(await poll(port, session), `a["${text}"]`);
});

test('the reason in a close frame is escaped like a message', async (t) => {
  class Odd extends SockJSConnection {
    override onOpen(): void {
      this.close(3001, '\u2028"\ud800');
    }
  }
  const { port: own } = await serve(t, {}, Odd);
  const session = newSession();
  await poll(own, session);
  assert.equal(await poll(own, session), String.raw`c[3001,"\u2028\"\ud800"]`);
});

// Every character, both ways

const ASCENDING = String.fromCharCode(...Array.from({ length: 0x8000 }, (_, unit) => unit)).concat(
  String.fromCharCode(...Array.from({ length: 0x8000 }, (_, unit) => unit + 0x8000)),
);
/** In this order no two surrogates make a pair: each of them is alone. */
const DESCENDING = [...Array(0x1_0000).keys()]
  .map((unit) => String.fromCharCode(0xffff - unit))
  .join('');

for (const { name, text } of [
  { name: 'U+0000 to U+FFFF', text: ASCENDING },
  { name: 'U+FFFF to U+0000, every surrogate alone', text: DESCENDING },
]) {
  for (const dialect of DIALECTS) {
    test(`${dialect.name}: ${name} come through xhr_send and back`, async () => {
      const session = newSession();
      let receiver = new Receiver(port, session, dialect);
      assert.equal(await receiver.frame(), 'o');
      if (!dialect.streams) receiver = new Receiver(port, session, dialect);
      await send(port, session, text);
      const messages = messagesIn(await receiver.frame());
      // Not deepEqual: the difference of two such texts takes long to print.
      assert.ok(messages.length === 1 && messages[0] === text);
      receiver.connection.close();
    });
  }

  for (const { type, body } of [
    {
      type: 'application/x-www-form-urlencoded',
      body: `d=${encodeURIComponent(JSON.stringify([text]))}`,
    },
    { type: 'text/plain', body: JSON.stringify([text]) },
  ]) {
    test(`jsonp: ${name} come through jsonp_send as ${type} and back`, async () => {
      const session = newSession();
      await poll(port, session, JSONP);
      const receiver = new Receiver(port, session, JSONP);
      const headers = [['Content-Type', type] as const];
      const answer = await sendBody(port, session, body, { target: 'jsonp_send', headers });
      assert.equal(answer.body, 'ok');
      const messages = messagesIn(await receiver.frame());
      assert.ok(messages.length === 1 && messages[0] === text);
      receiver.connection.close();
    });
  }

  test(`websocket: ${name} come through and back`, async () => {
    const client = await WebSocketClient.open(port, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    client.sendMessages(text);
    const messages = messagesIn(String(await client.next()));
    assert.ok(messages.length === 1 && messages[0] === text);
    client.socket.close();
  });
}

test('raw websocket: every character that is one comes through and back', async () => {
  const text = DESCENDING.replaceAll(/[\ud800-\udfff]/g, '') + '𝄞😀';
  const client = await WebSocketClient.open(port, '/echo/websocket');
  client.send(text);
  assert.ok((await client.next()) === text);
  client.socket.close();
});

test('characters that clients escape are understood', async () => {
  const session = newSession();
  const receiver = new Receiver(port, session, XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  const body = `["${[...Array(0x1_0000).keys()].map(unicodeEscape).join('')}"]`;
  assert.equal((await sendBody(port, session, body)).status, 204);
  const messages = messagesIn(await receiver.frame());
  assert.ok(messages.length === 1 && messages[0] === ASCENDING);
  receiver.connection.close();
});

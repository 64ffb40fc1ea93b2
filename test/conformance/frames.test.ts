/** PROTOCOL "Frames from the server": the four frames, and the characters that are escaped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { startServices } from './services.ts';
import {
  HTTP_TRANSPORTS,
  JSONP,
  STREAMING_TRANSPORTS,
  XHR_STREAMING,
  newSession,
  parseMessages,
} from '../../testkit/transports.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { Receiver, poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';

const { port } = await startServices();

for (const transport of HTTP_TRANSPORTS) {
  test(`${transport.name}: the first frame is o, and messages follow`, async () => {
    const session = newSession();
    let receiver = new Receiver(port, session, transport);
    assert.equal(await receiver.frame(), 'o');
    if (!transport.isStreaming) receiver = new Receiver(port, session, transport);
    await sendMessages(port, session, 'm1', 'm2');
    assert.equal(await receiver.frame(), 'a["m1","m2"]');
    receiver.close();
  });

  test(`${transport.name}: messages that are sent one by one arrive in order`, async () => {
    const session = newSession();
    let receiver = new Receiver(port, session, transport);
    assert.equal(await receiver.frame(), 'o');
    const received: unknown[] = [];
    for (let number = 0; number < 10; number += 1) {
      if (!transport.isStreaming) receiver = new Receiver(port, session, transport);
      await sendMessages(port, session, String(number));
      received.push(...parseMessages(await receiver.frame()));
    }
    assert.deepEqual(received, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    receiver.close();
  });

  test(`${transport.name}: the close frame has the code and the reason`, async () => {
    const session = newSession('/close');
    if (!transport.isStreaming) assert.equal(await poll(port, session, transport), 'o');
    const receiver = new Receiver(port, session, transport);
    if (transport.isStreaming) assert.equal(await receiver.frame(), 'o');
    assert.equal(await receiver.frame(), 'c[3000,"Go away!"]');
    assert.equal(await receiver.frame(), undefined);
    receiver.close();
  });

  test(`${transport.name}: each later request gets the close frame again`, async () => {
    const session = newSession('/close');
    await poll(port, session, transport);
    for (let count = 0; count < 3; count += 1)
      assert.equal(await poll(port, session, transport), 'c[3000,"Go away!"]');
  });

  test(`${transport.name}: a client gets h after heartbeatDelay without a frame`, async (t) => {
    const { port: own } = await startRouter(t, { heartbeatDelay: 40 });
    const session = newSession();
    let start = performance.now();
    let receiver = new Receiver(own, session, transport);
    assert.equal(await receiver.frame(), 'o');
    if (!transport.isStreaming) {
      start = performance.now();
      receiver = new Receiver(own, session, transport);
    }
    assert.equal(await receiver.frame(), 'h');
    const elapsed = performance.now() - start;
    assert.ok(elapsed >= 40, `h came after ${elapsed} ms`);
    receiver.close();
  });
}

for (const transport of STREAMING_TRANSPORTS) {
  test(`${transport.name}: heartbeats repeat`, async (t) => {
    const { port: own } = await startRouter(t, { heartbeatDelay: 20 });
    const receiver = new Receiver(own, newSession(), transport);
    const frames = [];
    for (let count = 0; count < 4; count += 1) frames.push(await receiver.frame());
    assert.deepEqual(frames, ['o', 'h', 'h', 'h']);
    receiver.close();
  });
}

test('websocket: o, messages, heartbeat and close frame are one text message each', async (t) => {
  class Brief extends SockJSConnection {
    override onMessage(message: string): void {
      if (message === 'end') this.close(3999, 'The "end"');
      else this.send(message);
    }
  }
  const { port: own } = await startRouter(t, { heartbeatDelay: 1000 }, Brief);
  const client = await openWebSocket(t, own, `${newSession()}/websocket`);
  assert.equal(await client.next(), 'o');
  client.send(JSON.stringify(['m1', 'm2']));
  assert.equal(await client.next(), 'a["m1","m2"]');
  assert.equal(await client.next(), 'h');
  client.send(JSON.stringify(['end']));
  let frame = await client.next();
  while (frame === 'h') frame = await client.next();
  assert.equal(frame, String.raw`c[3999,"The \"end\""]`);
  assert.deepEqual(await client.closed(), { code: 3999, reason: 'The "end"' });
  assert.equal(client.messages.size, 0);
});

// Escapes

/** Ranges of code units that PROTOCOL lists. */
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
    await sendMessages(port, session, units.map((unit) => String.fromCharCode(unit)).join(''));
    assert.equal(await poll(port, session), `a["${units.map(unicodeEscape).join('')}"]`);
  });
}

test('U+0000 to U+001f are escaped', async () => {
  const session = newSession();
  await poll(port, session);
  const units = Array.from({ length: 0x20 }, (_, unit) => unit);
  const text = String.fromCharCode(...units);
  await sendMessages(port, session, text);
  const frame = await poll(port, session);
  assert.deepEqual(parseMessages(frame), [text]);
  // Five of them have a shorter form in JSON.
  const short = new Map(
    [8, 9, 10, 12, 13].map((unit, index) => [unit, `\\${'btnfr'.charAt(index)}`]),
  );
  const escapes = units.map((unit) => short.get(unit) ?? unicodeEscape(unit));
  assert.equal(frame, `a["${escapes.join('')}"]`);
});

test('quotes and backslashes are escaped', async () => {
  const session = newSession();
  await poll(port, session);
  await sendMessages(port, session, String.raw`"\"`);
  assert.equal(await poll(port, session), String.raw`a["\"\\\""]`);
});

test('a surrogate pair is not escaped', async () => {
  const session = newSession();
  await poll(port, session);
  await sendMessages(port, session, '𝄞😀');
  assert.equal(await poll(port, session), 'a["𝄞😀"]');
});

test('the neighbours of the escaped ranges are not escaped', async () => {
  const session = newSession();
  await poll(port, session);
  const text = ' ~\u007f\u200b\u2010\u2027\u2030\u205f\u2070\ud7ff\ue000\uffef';
  await sendMessages(port, session, text);
  assert.equal(await poll(port, session), `a["${text}"]`);
});

test('the reason in a close frame is escaped like a message', async (t) => {
  class Odd extends SockJSConnection {
    override onOpen(): void {
      this.close(3001, '\u2028"\ud800');
    }
  }
  const { port: own } = await startRouter(t, {}, Odd);
  const session = newSession();
  await poll(own, session);
  assert.equal(await poll(own, session), String.raw`c[3001,"\u2028\"\ud800"]`);
});

// All characters in both directions

const ASCENDING = String.fromCharCode(...Array.from({ length: 0x8000 }, (_, unit) => unit)).concat(
  String.fromCharCode(...Array.from({ length: 0x8000 }, (_, unit) => unit + 0x8000)),
);
/** In this order no two surrogates form a pair. */
const DESCENDING = [...Array(0x1_0000).keys()]
  .map((unit) => String.fromCharCode(0xffff - unit))
  .join('');

for (const { name, text } of [
  { name: 'U+0000 to U+FFFF', text: ASCENDING },
  { name: 'U+FFFF to U+0000 with lone surrogates', text: DESCENDING },
]) {
  for (const transport of HTTP_TRANSPORTS) {
    test(`${transport.name}: ${name} are echoed through xhr_send`, async () => {
      const session = newSession();
      let receiver = new Receiver(port, session, transport);
      assert.equal(await receiver.frame(), 'o');
      if (!transport.isStreaming) receiver = new Receiver(port, session, transport);
      await sendMessages(port, session, text);
      const messages = parseMessages(await receiver.frame());
      // Not deepEqual, which takes long to print the difference of two such texts.
      assert.ok(messages.length === 1 && messages[0] === text);
      receiver.close();
    });
  }

  for (const { type, body } of [
    {
      type: 'application/x-www-form-urlencoded',
      body: `d=${encodeURIComponent(JSON.stringify([text]))}`,
    },
    { type: 'text/plain', body: JSON.stringify([text]) },
  ]) {
    test(`jsonp: ${name} are echoed through jsonp_send as ${type}`, async () => {
      const session = newSession();
      await poll(port, session, JSONP);
      const receiver = new Receiver(port, session, JSONP);
      const headers = [['Content-Type', type] as const];
      const response = await postBody(port, session, body, { endpoint: 'jsonp_send', headers });
      assert.equal(response.body, 'ok');
      const messages = parseMessages(await receiver.frame());
      assert.ok(messages.length === 1 && messages[0] === text);
      receiver.close();
    });
  }

  test(`websocket: ${name} are echoed`, async (t) => {
    const client = await openWebSocket(t, port, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    client.send(JSON.stringify([text]));
    const messages = parseMessages(String(await client.next()));
    assert.ok(messages.length === 1 && messages[0] === text);
    client.close();
  });
}

test('raw websocket: all characters are echoed', async (t) => {
  const text = DESCENDING.replaceAll(/[\ud800-\udfff]/g, '') + '𝄞😀';
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.send(text);
  assert.ok((await client.next()) === text);
  client.close();
});

test('characters that a client escapes are decoded', async () => {
  const session = newSession();
  const receiver = new Receiver(port, session, XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  const body = `["${[...Array(0x1_0000).keys()].map(unicodeEscape).join('')}"]`;
  assert.equal((await postBody(port, session, body)).status, 204);
  const messages = parseMessages(await receiver.frame());
  assert.ok(messages.length === 1 && messages[0] === ASCENDING);
  receiver.close();
});

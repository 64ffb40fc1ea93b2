/** PROTOCOL "Messages from the client": `xhr_send`, `jsonp_send` and text messages of a WebSocket. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { HttpConnection } from '../support/http.ts';
import { serve } from '../support/service.ts';
import {
  type Headers,
  JSONP,
  Receiver,
  XHR,
  messagesIn,
  poll,
  send,
  sendBody,
} from './dialects.ts';
import { newSession, receivers, startServices } from './services.ts';
import { WebSocketClient } from './web-socket.ts';

const { port, router } = await startServices();

interface Sender {
  readonly name: string;
  readonly target: string;
  readonly headers: Headers;
  /** The body that carries this JSON. */
  body(json: string): string;
  readonly answer: { readonly status: number; readonly body: string };
}

const FORM = 'application/x-www-form-urlencoded';
const OK = { status: 200, body: 'ok' };
const SENDERS: readonly Sender[] = [
  {
    name: 'xhr_send',
    target: 'xhr_send',
    headers: [['Content-Type', 'text/plain']],
    body: (json) => json,
    answer: { status: 204, body: '' },
  },
  {
    name: 'jsonp_send with a form',
    target: 'jsonp_send',
    headers: [['Content-Type', FORM]],
    body: (json) => `d=${encodeURIComponent(json)}`,
    answer: OK,
  },
  {
    name: 'jsonp_send with text',
    target: 'jsonp_send',
    headers: [['Content-Type', 'text/plain;charset=UTF-8']],
    body: (json) => json,
    answer: OK,
  },
];

async function openSession(): Promise<string> {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  return session;
}

for (const sender of SENDERS) {
  const { name, target, headers } = sender;
  const sent = async (session: string, body: string) =>
    sendBody(port, session, body, { target, headers });

  test(`${name}: the answer to messages`, async () => {
    const { head, status, body } = await sent(await openSession(), sender.body('["x"]'));
    assert.deepEqual({ status, body }, sender.answer);
    assert.deepEqual(head.all('Content-Type'), ['text/plain; charset=UTF-8']);
  });

  test(`${name}: the messages of one body, and of several, arrive in order`, async () => {
    const session = await openSession();
    await sent(session, sender.body('["a","b"]'));
    await sent(session, sender.body('["c"]'));
    assert.equal(await poll(port, session), 'a["a","b","c"]');
  });

  test(`${name}: an unknown session is 404`, async () => {
    const session = newSession();
    assert.equal((await sent(session, sender.body('["x"]'))).status, 404);
    assert.equal(await poll(port, session), 'o', 'it has not opened the session either');
  });

  for (const body of ['', sender.body('')]) {
    test(`${name}: ${JSON.stringify(body)} is no payload, and the session goes on`, async () => {
      const session = await openSession();
      const answer = await sent(session, body);
      assert.equal(answer.status, 500);
      assert.equal(answer.body, 'Payload expected.');
      await sent(session, sender.body('["still here"]'));
      assert.equal(await poll(port, session), 'a["still here"]');
    });
  }

  for (const json of [
    '["x',
    '[',
    'x',
    '["a",]',
    "['a']",
    '["a"]["b"]',
    '["\u0001"]',
    '\ufeff["x"]',
  ]) {
    test(`${name}: ${JSON.stringify(json)} is broken JSON, and the session goes on`, async () => {
      const session = await openSession();
      const answer = await sent(session, sender.body(json));
      assert.equal(answer.status, 500);
      assert.equal(answer.body, 'Broken JSON encoding.');
      await sent(session, sender.body('["still here"]'));
      assert.equal(await poll(port, session), 'a["still here"]');
    });
  }

  for (const json of ['[]', ' [ ] ']) {
    test(`${name}: ${json} is accepted and does nothing`, async () => {
      const session = await openSession();
      const { status, body } = await sent(session, sender.body(json));
      assert.deepEqual({ status, body }, sender.answer);
      await sent(session, sender.body('["next"]'));
      assert.equal(await poll(port, session), 'a["next"]');
    });
  }

  test(`${name}: an empty string is a message`, async () => {
    const session = await openSession();
    await sent(session, sender.body('["",""]'));
    assert.equal(await poll(port, session), 'a["",""]');
  });

  test(`${name}: the answer goes out after the application has had the messages`, async (t) => {
    const had: string[] = [];
    class Slow extends SockJSConnection {
      override onMessage(message: string): void {
        had.push(message);
      }
    }
    const { port: own } = await serve(t, {}, Slow);
    const session = newSession();
    await poll(own, session);
    await sendBody(own, session, sender.body('["a","b"]'), { target, headers });
    assert.deepEqual(had, ['a', 'b']);
  });
}

for (const type of [
  'application/json',
  'application/json; charset=utf-8',
  'text/plain;charset=UTF-8',
  'text/plain; charset=ISO-8859-1',
  'T',
  '',
  'application/xml',
  'text/html',
  FORM,
  undefined,
]) {
  test(`xhr_send takes its body for JSON when its Content-Type is ${type ?? 'absent'}`, async () => {
    const session = await openSession();
    const headers = type === undefined ? [] : [['Content-Type', type] as const];
    const { status } = await sendBody(port, session, '["é😀"]', { headers });
    assert.equal(status, 204);
    assert.equal(await poll(port, session), 'a["é😀"]');
  });
}

for (const { body, messages } of [
  { body: 'd=%5B%22a%20b%22%5D', messages: '["a b"]' },
  { body: 'd=%5B%22a+b%22%5D', messages: '["a b"]' },
  { body: 'd=%5B%22a%2Bb%26%3D%22%5D', messages: '["a+b&="]' },
  { body: 'x=1&d=%5B%22a%22%5D&y=2', messages: '["a"]' },
  { body: 'd=["%C3%A9"]', messages: '["é"]' },
]) {
  test(`jsonp_send decodes the form ${body}`, async () => {
    const session = await openSession();
    const headers = [['Content-Type', FORM] as const];
    assert.equal(
      (await sendBody(port, session, body, { target: 'jsonp_send', headers })).body,
      'ok',
    );
    assert.equal(await poll(port, session), `a${messages}`);
  });
}

for (const body of ['x=1', 'd', 'd=', 'D=%5B%22a%22%5D', '=d']) {
  test(`jsonp_send finds no payload in the form ${body}`, async () => {
    const headers = [['Content-Type', FORM] as const];
    const answer = await sendBody(port, await openSession(), body, {
      target: 'jsonp_send',
      headers,
    });
    assert.equal(answer.status, 500);
    assert.equal(answer.body, 'Payload expected.');
  });
}

test('jsonp_send reads a form when there is no Content-Type', async () => {
  const session = await openSession();
  const { body } = await sendBody(port, session, 'd=%5B%22a%22%5D', { target: 'jsonp_send' });
  assert.equal(body, 'ok');
  assert.equal(await poll(port, session, JSONP), 'a["a"]');
});

test('a body may come in many small pieces', async () => {
  const session = await openSession();
  const connection = new HttpConnection(port);
  const body = Buffer.from('["é😀","x"]');
  connection.send(
    `POST ${session}/xhr_send HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  for (const byte of body) connection.send('1\r\n').send(Uint8Array.of(byte)).send('\r\n');
  connection.send('0\r\n\r\n');
  assert.equal((await connection.answer()).status, 204);
  assert.equal(await poll(port, session), 'a["é😀","x"]');
  connection.close();
});

test('a message of 1 MiB goes there and back', async () => {
  const session = await openSession();
  const message = 'é'.repeat(512 * 1024);
  await send(port, session, message);
  assert.ok(messagesIn(await poll(port, session))[0] === message);
});

test('a thousand messages in one body arrive in order', async () => {
  const session = await openSession();
  const messages = Array.from({ length: 1000 }, (_, index) => `message ${index}`);
  await send(port, session, ...messages);
  assert.deepEqual(messagesIn(await poll(port, session)), messages);
});

test('a closed session takes no more messages, but does not refuse a client that may not know', async () => {
  const session = newSession('/close');
  await poll(port, session);
  assert.equal((await sendBody(port, session, '["x"]')).status, 204);
  assert.equal(await poll(port, session), 'c[3000,"Go away!"]');
});

// WebSocket

for (const { name, data, messages } of [
  { name: 'an array of strings', data: '["a","b"]', messages: 'a["a","b"]' },
  { name: 'one string', data: '"abc"', messages: 'a["abc"]' },
  { name: 'one empty string', data: '""', messages: 'a[""]' },
  { name: 'an array with blanks', data: ' [ "a" ] ', messages: 'a["a"]' },
]) {
  test(`websocket: ${name}`, async () => {
    const client = await WebSocketClient.open(port, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    client.send(data);
    assert.equal(await client.next(), messages);
    client.socket.close();
  });
}

for (const { name, data } of [
  { name: 'an empty message', data: '' },
  { name: '[]', data: '[]' },
]) {
  test(`websocket: ${name} does nothing`, async () => {
    const client = await WebSocketClient.open(port, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    client.send(data);
    client.send('["next"]');
    assert.equal(await client.next(), 'a["next"]');
    client.socket.close();
  });
}

for (const data of [
  '["x',
  '{',
  'x',
  '"',
  '["a"',
  '[1]',
  '{"a":1}',
  'null',
  '5',
  '[null]',
  '[["a"]]',
]) {
  test(`websocket: ${data} ends the connection at once`, async () => {
    const client = await WebSocketClient.open(port, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    client.send(data);
    client.send('["too late"]');
    // No frame: `closed` would complain of it.
    assert.deepEqual(await client.closed(), { code: 1007, reason: 'Broken JSON encoding.' });
  });
}

test('websocket: two of them with one session id are two sessions', async () => {
  const path = `${newSession()}/websocket`;
  const first = await WebSocketClient.open(port, path);
  const second = await WebSocketClient.open(port, path);
  assert.equal(await first.next(), 'o');
  assert.equal(await second.next(), 'o');
  first.sendMessages('a');
  second.sendMessages('b');
  assert.equal(await first.next(), 'a["a"]');
  assert.equal(await second.next(), 'a["b"]');
  first.socket.close();
  await first.closed();
  second.sendMessages('c');
  assert.equal(await second.next(), 'a["c"]');
  second.socket.close();
});

test('websocket: its session is not one that xhr_send or a poll finds', async () => {
  const session = newSession();
  const client = await WebSocketClient.open(port, `${session}/websocket`);
  assert.equal(await client.next(), 'o');
  assert.equal((await sendBody(port, session, '["x"]')).status, 404);
  assert.equal(await poll(port, session), 'o');
  client.socket.close();
});

test('messages from one client reach that client alone', async () => {
  const [first, second] = [await openSession(), await openSession()];
  const waiting = new Receiver(port, second, XHR);
  await send(port, first, 'for the first');
  assert.equal(await poll(port, first), 'a["for the first"]');
  await send(port, second, 'for the second');
  assert.equal(await waiting.frame(), 'a["for the second"]');
  waiting.connection.close();
});

test('/broadcast sends each message to all of its clients, whatever their transport', async () => {
  const session = newSession('/broadcast');
  const socket = await WebSocketClient.open(port, `${newSession('/broadcast')}/websocket`);
  const raw = await WebSocketClient.open(port, '/broadcast/websocket');
  assert.equal(await socket.next(), 'o');
  await poll(port, session);
  const waiting = new Receiver(port, session, XHR);
  await receivers(router('/broadcast'), 3);
  socket.sendMessages('to all');
  assert.equal(await socket.next(), 'a["to all"]');
  assert.equal(await raw.next(), 'to all');
  assert.equal(await waiting.frame(), 'a["to all"]');
  socket.socket.close();
  raw.socket.close();
  waiting.connection.close();
});

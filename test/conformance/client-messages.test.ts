/** PROTOCOL "Messages from the client": `xhr_send`, `jsonp_send` and text messages of a WebSocket. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { receivers, startServices } from './services.ts';
import { JSONP, XHR, newSession, parseMessages } from '../../testkit/transports.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { Receiver, poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { type Headers, httpConnection } from '../../testkit/raw-http.ts';

const { port, router } = await startServices();

interface Sender {
  readonly name: string;
  readonly endpoint: string;
  readonly headers: Headers;
  /** The body with this JSON. */
  body(json: string): string;
  readonly response: { readonly status: number; readonly body: string };
}

const FORM = 'application/x-www-form-urlencoded';
const OK = { status: 200, body: 'ok' };
const SENDERS: readonly Sender[] = [
  {
    name: 'xhr_send',
    endpoint: 'xhr_send',
    headers: [['Content-Type', 'text/plain']],
    body: (json) => json,
    response: { status: 204, body: '' },
  },
  {
    name: 'jsonp_send with a form',
    endpoint: 'jsonp_send',
    headers: [['Content-Type', FORM]],
    body: (json) => `d=${encodeURIComponent(json)}`,
    response: OK,
  },
  {
    name: 'jsonp_send with text',
    endpoint: 'jsonp_send',
    headers: [['Content-Type', 'text/plain;charset=UTF-8']],
    body: (json) => json,
    response: OK,
  },
];

async function openSession(): Promise<string> {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  return session;
}

for (const sender of SENDERS) {
  const { name, endpoint, headers } = sender;
  const post = async (session: string, body: string) =>
    postBody(port, session, body, { endpoint, headers });

  test(`${name}: messages get a response with ${sender.response.status}`, async () => {
    const { head, status, body } = await post(await openSession(), sender.body('["x"]'));
    assert.deepEqual({ status, body }, sender.response);
    assert.deepEqual(head.all('Content-Type'), ['text/plain; charset=UTF-8']);
  });

  test(`${name}: messages of one body and of two arrive in order`, async () => {
    const session = await openSession();
    await post(session, sender.body('["a","b"]'));
    await post(session, sender.body('["c"]'));
    assert.equal(await poll(port, session), 'a["a","b","c"]');
  });

  test(`${name}: an unknown session is 404`, async () => {
    const session = newSession();
    assert.equal((await post(session, sender.body('["x"]'))).status, 404);
    assert.equal(await poll(port, session), 'o', 'no session was opened');
  });

  for (const body of ['', sender.body('')]) {
    test(`${name}: ${JSON.stringify(body)} is refused as empty, and the session stays open`, async () => {
      const session = await openSession();
      const answer = await post(session, body);
      assert.equal(answer.status, 500);
      assert.equal(answer.body, 'Payload expected.');
      await post(session, sender.body('["still here"]'));
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
    test(`${name}: ${JSON.stringify(json)} is refused as broken JSON, and the session stays open`, async () => {
      const session = await openSession();
      const answer = await post(session, sender.body(json));
      assert.equal(answer.status, 500);
      assert.equal(answer.body, 'Broken JSON encoding.');
      await post(session, sender.body('["still here"]'));
      assert.equal(await poll(port, session), 'a["still here"]');
    });
  }

  for (const json of ['[]', ' [ ] ']) {
    test(`${name}: ${json} is accepted without a message`, async () => {
      const session = await openSession();
      const { status, body } = await post(session, sender.body(json));
      assert.deepEqual({ status, body }, sender.response);
      await post(session, sender.body('["next"]'));
      assert.equal(await poll(port, session), 'a["next"]');
    });
  }

  test(`${name}: an empty string is a message`, async () => {
    const session = await openSession();
    await post(session, sender.body('["",""]'));
    assert.equal(await poll(port, session), 'a["",""]');
  });

  test(`${name}: the response follows the calls of onMessage`, async (t) => {
    const received: string[] = [];
    class Recorder extends SockJSConnection {
      override onMessage(message: string): void {
        received.push(message);
      }
    }
    const { port: own } = await startRouter(t, {}, Recorder);
    const session = newSession();
    await poll(own, session);
    await postBody(own, session, sender.body('["a","b"]'), { endpoint, headers });
    assert.deepEqual(received, ['a', 'b']);
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
  test(`xhr_send reads its body as JSON when its Content-Type is ${type ?? 'absent'}`, async () => {
    const session = await openSession();
    const headers = type === undefined ? [] : [['Content-Type', type] as const];
    const { status } = await postBody(port, session, '["é😀"]', { headers });
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
      (await postBody(port, session, body, { endpoint: 'jsonp_send', headers })).body,
      'ok',
    );
    assert.equal(await poll(port, session), `a${messages}`);
  });
}

for (const body of ['x=1', 'd', 'd=', 'D=%5B%22a%22%5D', '=d']) {
  test(`jsonp_send refuses the form ${body} as empty`, async () => {
    const headers = [['Content-Type', FORM] as const];
    const answer = await postBody(port, await openSession(), body, {
      endpoint: 'jsonp_send',
      headers,
    });
    assert.equal(answer.status, 500);
    assert.equal(answer.body, 'Payload expected.');
  });
}

test('jsonp_send reads a form when there is no Content-Type', async () => {
  const session = await openSession();
  const { body } = await postBody(port, session, 'd=%5B%22a%22%5D', { endpoint: 'jsonp_send' });
  assert.equal(body, 'ok');
  assert.equal(await poll(port, session, JSONP), 'a["a"]');
});

test('a body may arrive in chunks of one byte', async (t) => {
  const session = await openSession();
  const connection = httpConnection(t, port);
  const body = Buffer.from('["é😀","x"]');
  connection.send(
    `POST ${session}/xhr_send HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  for (const byte of body) connection.send('1\r\n').send(Uint8Array.of(byte)).send('\r\n');
  connection.send('0\r\n\r\n');
  assert.equal((await connection.response()).status, 204);
  assert.equal(await poll(port, session), 'a["é😀","x"]');
});

test('a message of 1 MiB is echoed', async () => {
  const session = await openSession();
  const message = 'é'.repeat(512 * 1024);
  await sendMessages(port, session, message);
  assert.ok(parseMessages(await poll(port, session))[0] === message);
});

test('a thousand messages in one body arrive in order', async () => {
  const session = await openSession();
  const messages = Array.from({ length: 1000 }, (_, index) => `message ${index}`);
  await sendMessages(port, session, ...messages);
  assert.deepEqual(parseMessages(await poll(port, session)), messages);
});

test('messages for a closed session are accepted and dropped until the client gets the close frame', async () => {
  const session = newSession('/close');
  await poll(port, session);
  assert.equal((await postBody(port, session, '["x"]')).status, 204);
  assert.equal(await poll(port, session), 'c[3000,"Go away!"]');
});

// WebSocket

for (const { name, data, messages } of [
  { name: 'an array of strings', data: '["a","b"]', messages: 'a["a","b"]' },
  { name: 'one string', data: '"abc"', messages: 'a["abc"]' },
  { name: 'one empty string', data: '""', messages: 'a[""]' },
  { name: 'an array with blanks', data: ' [ "a" ] ', messages: 'a["a"]' },
]) {
  test(`websocket: ${name} is delivered`, async (t) => {
    const client = await openWebSocket(t, port, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    client.send(data);
    assert.equal(await client.next(), messages);
    client.close();
  });
}

for (const { name, data } of [
  { name: 'an empty message', data: '' },
  { name: '[]', data: '[]' },
]) {
  test(`websocket: ${name} is ignored`, async (t) => {
    const client = await openWebSocket(t, port, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    client.send(data);
    client.send('["next"]');
    assert.equal(await client.next(), 'a["next"]');
    client.close();
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
  test(`websocket: ${data} closes the connection with 1007`, async (t) => {
    const client = await openWebSocket(t, port, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    client.send(data);
    client.send('["too late"]');
    assert.deepEqual(await client.closed(), { code: 1007, reason: 'Broken JSON encoding.' });
    assert.equal(client.messages.size, 0);
  });
}

test('websocket: two connections with one session id are two sessions', async (t) => {
  const path = `${newSession()}/websocket`;
  const first = await openWebSocket(t, port, path);
  const second = await openWebSocket(t, port, path);
  assert.equal(await first.next(), 'o');
  assert.equal(await second.next(), 'o');
  first.send(JSON.stringify(['a']));
  second.send(JSON.stringify(['b']));
  assert.equal(await first.next(), 'a["a"]');
  assert.equal(await second.next(), 'a["b"]');
  first.close();
  await first.closed();
  assert.equal(first.messages.size, 0);
  second.send(JSON.stringify(['c']));
  assert.equal(await second.next(), 'a["c"]');
  second.close();
});

test('websocket: xhr_send and polls do not find its session', async (t) => {
  const session = newSession();
  const client = await openWebSocket(t, port, `${session}/websocket`);
  assert.equal(await client.next(), 'o');
  assert.equal((await postBody(port, session, '["x"]')).status, 404);
  assert.equal(await poll(port, session), 'o');
  client.close();
});

test('an echo reaches only the client that sent the message', async () => {
  const [first, second] = [await openSession(), await openSession()];
  const waiting = new Receiver(port, second, XHR);
  await sendMessages(port, first, 'for the first');
  assert.equal(await poll(port, first), 'a["for the first"]');
  await sendMessages(port, second, 'for the second');
  assert.equal(await waiting.frame(), 'a["for the second"]');
  waiting.close();
});

test('/broadcast sends each message to its clients on all transports', async (t) => {
  const session = newSession('/broadcast');
  const socket = await openWebSocket(t, port, `${newSession('/broadcast')}/websocket`);
  const raw = await openWebSocket(t, port, '/broadcast/websocket');
  assert.equal(await socket.next(), 'o');
  await poll(port, session);
  const waiting = new Receiver(port, session, XHR);
  await receivers(router('/broadcast'), 3);
  socket.send(JSON.stringify(['to all']));
  assert.equal(await socket.next(), 'a["to all"]');
  assert.equal(await raw.next(), 'to all');
  assert.equal(await waiting.frame(), 'a["to all"]');
  socket.close();
  raw.close();
  waiting.close();
});

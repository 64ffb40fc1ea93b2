/** PROTOCOL "Transports" and "Messages from the client", the WebSocket side: handshakes, framing, raw WebSockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpConnection, type RequestOptions, encodeRequest } from '../support/http.ts';
import { serve } from '../support/service.ts';
import { type Headers, poll } from './dialects.ts';
import { newSession, startServices } from './services.ts';
import { WebSocketClient } from './web-socket.ts';

const { logs, port } = await startServices();

/** The key of RFC 6455, 1.3, and what it must be answered with. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

function handshake(changes: Readonly<Record<string, string | undefined>> = {}): Headers {
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...changes,
  };
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
}

function upgrade(path: string, request: Partial<RequestOptions> = {}): HttpConnection {
  return new HttpConnection(port).send({ path, headers: handshake(), ...request });
}

const URLS: readonly { name: string; path: () => string; raw: boolean }[] = [
  { name: 'session', path: () => `${newSession()}/websocket`, raw: false },
  { name: 'raw', path: () => '/echo/websocket', raw: true },
];

for (const { name, path, raw } of URLS) {
  test(`${name}: the handshake is that of RFC 6455`, async () => {
    const connection = upgrade(path());
    const head = await connection.readHead();
    assert.equal(head.status, 101);
    assert.equal(head.header('Upgrade')?.toLowerCase(), 'websocket');
    assert.equal(head.header('Connection')?.toLowerCase(), 'upgrade');
    assert.equal(head.header('Sec-WebSocket-Accept'), ACCEPT);
    assert.equal(head.header('Sec-WebSocket-Extensions'), undefined);
    assert.equal(head.header('Content-Length'), undefined);
    // A text frame of one byte (0x81 is no UTF-8 by itself). A raw WebSocket says nothing at first.
    if (!raw) assert.equal(await connection.read(3), '\ufffd\u0001o');
    connection.close();
  });

  for (const protocolVersion of [13, 8] as const) {
    test(`${name}: version ${protocolVersion} of the protocol is served`, async () => {
      const client = await WebSocketClient.open(port, path(), { protocolVersion });
      if (!raw) assert.equal(await client.next(), 'o');
      client.send(raw ? 'x' : '["x"]');
      assert.equal(await client.next(), raw ? 'x' : 'a["x"]');
      client.socket.close(1000);
      assert.equal((await client.closed()).code, 1000);
    });
  }

  for (const { what, changes } of [
    { what: 'version 7', changes: { 'Sec-WebSocket-Version': '7' } },
    { what: 'version 14', changes: { 'Sec-WebSocket-Version': '14' } },
    { what: 'no version', changes: { 'Sec-WebSocket-Version': undefined } },
    { what: 'a version that is no number', changes: { 'Sec-WebSocket-Version': 'x' } },
    { what: 'no key', changes: { 'Sec-WebSocket-Key': undefined } },
    { what: 'a key that is too short', changes: { 'Sec-WebSocket-Key': 'abc' } },
    { what: 'an upgrade to something else', changes: { Upgrade: 'h2c' } },
  ]) {
    test(`${name}: a handshake with ${what} is refused`, async () => {
      const connection = upgrade(path(), { headers: handshake(changes) });
      const { status } = await connection.answer();
      assert.ok(status === 400 || status === 426, `it is answered by ${status}`);
      connection.close();
    });
  }

  test(`${name}: the draft of 2010 is refused`, async () => {
    const headers = handshake({
      'Sec-WebSocket-Key': undefined,
      'Sec-WebSocket-Version': undefined,
      'Sec-WebSocket-Key1': '4 @1  46546xW%0l 1 5',
      'Sec-WebSocket-Key2': '12998 5 Y3 1  .P00',
      Origin: 'http://example.com',
    });
    const connection = upgrade(path(), { headers, body: '^n:ds[4U' });
    assert.equal((await connection.readHead()).status, 400);
    connection.close();
  });

  for (const { what, headers } of [
    { what: 'without an upgrade', headers: [] },
    { what: 'with an empty Upgrade', headers: handshake({ Upgrade: '' }) },
  ]) {
    test(`${name}: GET ${what} is 400`, async () => {
      const connection = upgrade(path(), { headers });
      const { status, body } = await connection.answer();
      assert.equal(status, 400);
      assert.equal(body, 'Can "Upgrade" only to "WebSocket".');
      connection.close();
      for (const { line } of logs.take())
        assert.match(line, /without its Upgrade and Connection headers/);
    });
  }

  test(`${name}: Connection: close is 400`, async () => {
    const connection = upgrade(path(), { headers: handshake({ Connection: 'close' }) });
    const { status, body } = await connection.answer();
    assert.equal(status, 400);
    assert.equal(body, '"Connection" must be "Upgrade".');
    await connection.readToEnd();
    for (const { line } of logs.take())
      assert.match(line, /without its Upgrade and Connection headers/);
  });

  for (const Connection of ['keep-alive, Upgrade', 'upgrade']) {
    test(`${name}: Connection: ${Connection} upgrades`, async () => {
      const connection = upgrade(path(), {
        headers: handshake({ Connection, Upgrade: 'WebSocket' }),
      });
      assert.equal((await connection.readHead()).status, 101);
      connection.close();
    });
  }

  for (const method of ['POST', 'PUT', 'DELETE']) {
    test(`${name}: ${method} with an upgrade is 405`, async () => {
      const connection = upgrade(path(), { method });
      const { status, head, body } = await connection.answer(method);
      assert.equal(status, 405);
      assert.equal(head.header('Allow'), 'GET');
      assert.equal(body, '');
      connection.close();
    });
  }

  test(`${name}: HTTP/1.0 cannot upgrade`, async () => {
    const connection = upgrade(path(), { version: '1.0' });
    const head = await connection.readHead();
    assert.ok(head.status === 400 || head.status === 101, `${head.status}`);
    connection.close();
  });

  test(`${name}: a client's first message may come with the handshake`, async () => {
    const text = raw ? 'early' : '["early"]';
    const request = encodeRequest({ path: path(), headers: handshake() });
    const connection = new HttpConnection(port);
    connection.send(Buffer.concat([request, maskedFrame(0x81, text)]));
    assert.equal((await connection.readHead()).status, 101);
    if (!raw) await connection.read(3);
    const answer = raw ? 'early' : 'a["early"]';
    assert.equal((await connection.read(2 + answer.length)).slice(-answer.length), answer);
    connection.close();
  });

  test(`${name}: a message may come in fragments`, async () => {
    const client = await WebSocketClient.open(port, path());
    if (!raw) assert.equal(await client.next(), 'o');
    const text = raw ? 'one two' : '["one two"]';
    for (let index = 0; index < text.length; index += 1)
      client.socket.send(text.charAt(index), { fin: index === text.length - 1 });
    assert.equal(await client.next(), raw ? text : `a${text}`);
    client.socket.close();
  });

  test(`${name}: 1 MiB there and back`, async () => {
    const client = await WebSocketClient.open(port, path());
    if (!raw) assert.equal(await client.next(), 'o');
    const text = 'x'.repeat(1024 * 1024);
    client.send(raw ? text : JSON.stringify([text]));
    assert.ok((await client.next()) === (raw ? text : `a["${text}"]`));
    client.socket.close();
  });

  test(`${name}: a thousand messages arrive in order`, async () => {
    const client = await WebSocketClient.open(port, path());
    if (!raw) assert.equal(await client.next(), 'o');
    const sent = Array.from({ length: 1000 }, (_, index) => `message ${index}`);
    for (const message of sent) client.send(raw ? message : JSON.stringify([message]));
    const received: string[] = [];
    while (received.length < sent.length) {
      const data = String(await client.next());
      const messages: unknown = raw ? [data] : JSON.parse(data.slice(1));
      assert.ok(Array.isArray(messages));
      for (const message of messages) received.push(String(message));
    }
    assert.deepEqual(received, sent);
    client.socket.close();
  });

  test(`${name}: a ping is answered by a pong`, async () => {
    const client = await WebSocketClient.open(port, path());
    const pong = new Promise((resolve) =>
      client.socket.once('pong', (data) => resolve(String(data))),
    );
    client.socket.ping('are you there?');
    assert.equal(await pong, 'are you there?');
    client.socket.close();
  });

  for (const { what, frame, code } of [
    { what: 'an unmasked frame', frame: Buffer.from([0x81, 0x01, 0x78]), code: 1002 },
    { what: 'reserved bits', frame: maskedFrame(0xf1, 'x'), code: 1002 },
    { what: 'an unknown opcode', frame: maskedFrame(0x83, 'x'), code: 1002 },
    { what: 'a fragment of nothing', frame: maskedFrame(0x80, 'x'), code: 1002 },
    { what: 'a fragmented ping', frame: maskedFrame(0x09, 'x'), code: 1002 },
    { what: 'invalid UTF-8', frame: maskedFrame(0x81, Buffer.from([0xc3, 0x28])), code: 1007 },
    {
      what: 'a surrogate in UTF-8',
      frame: maskedFrame(0x81, Buffer.from([0xed, 0xa0, 0x80])),
      code: 1007,
    },
  ]) {
    test(`${name}: ${what} closes the WebSocket with ${code}`, async () => {
      const connection = upgrade(path());
      assert.equal((await connection.readHead()).status, 101);
      if (!raw) await connection.read(3);
      const closing = new Promise<Buffer>((resolve) => connection.socket.once('data', resolve));
      connection.send(frame);
      const bytes = await closing;
      assert.equal(bytes[0], 0x88);
      assert.equal(bytes.readUInt16BE(2), code);
      connection.abort();
    });
  }

  test(`${name}: a message over maxMessageBytes closes the WebSocket with 1009`, async (t) => {
    const { port: own } = await serve(t, { maxMessageBytes: 100 });
    const client = await WebSocketClient.open(own, path());
    if (!raw) assert.equal(await client.next(), 'o');
    client.send(JSON.stringify(['x'.repeat(96)]));
    assert.notEqual(await client.next(), undefined);
    client.send(JSON.stringify(['x'.repeat(97)]));
    assert.equal((await client.closed()).code, 1009);
  });
}

/** A frame as a client sends it, with a mask of zeros. At most 125 bytes. */
function maskedFrame(first: number, payload: string | Uint8Array): Buffer {
  const data = Buffer.from(payload);
  return Buffer.concat([Buffer.from([first, 0x80 | data.length, 0, 0, 0, 0]), data]);
}

test('websocket: bytes close it with 1003', async () => {
  const client = await WebSocketClient.open(port, `${newSession()}/websocket`);
  assert.equal(await client.next(), 'o');
  client.send(Buffer.from('["x"]'));
  assert.equal((await client.closed()).code, 1003);
});

test('websocket: it has nothing to do with the polls of the same id', async () => {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  const client = await WebSocketClient.open(port, `${session}/websocket`);
  assert.equal(await client.next(), 'o');
  client.socket.close();
  await client.closed();
});

// Raw

test('raw: what the client gets is what was sent, without a frame around it', async () => {
  const client = await WebSocketClient.open(port, '/echo/websocket');
  for (const text of ['Hello world!\uffff', '', '["x"]', '{', 'o', 'c[3000,"x"]']) {
    client.send(text);
    assert.equal(await client.next(), text);
  }
  client.socket.close();
});

test('raw: bytes are echoed as bytes', async () => {
  const client = await WebSocketClient.open(port, '/echo/websocket');
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  client.send(bytes);
  assert.deepEqual(await client.next(), bytes);
  client.send('and text');
  assert.equal(await client.next(), 'and text');
  client.socket.close();
});

test('raw: messages of one turn stay apart', async () => {
  const client = await WebSocketClient.open(port, '/echo/websocket');
  client.send('a');
  client.send('b');
  assert.equal(await client.next(), 'a');
  assert.equal(await client.next(), 'b');
  client.socket.close();
});

test('raw: a heartbeat is a ping, and no message', async (t) => {
  const { port: own } = await serve(t, { heartbeatDelay: 30 });
  const client = await WebSocketClient.open(own, '/echo/websocket');
  await new Promise((resolve) => client.socket.once('ping', resolve));
  client.send('first');
  assert.equal(await client.next(), 'first');
  client.socket.close();
});

for (const service of ['/echo', '/cookie_needed_echo', '/broadcast']) {
  test(`${service} echoes on both kinds of WebSocket`, async () => {
    const framed = await WebSocketClient.open(port, `${newSession(service)}/websocket`);
    assert.equal(await framed.next(), 'o');
    framed.sendMessages('x');
    assert.equal(await framed.next(), 'a["x"]');
    framed.socket.close();
    await framed.closed();
    const raw = await WebSocketClient.open(port, `${service}/websocket`);
    raw.send('y');
    assert.equal(await raw.next(), 'y');
    raw.socket.close();
  });
}

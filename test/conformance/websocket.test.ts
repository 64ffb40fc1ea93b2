/** PROTOCOL "Transports" and "Messages from the client" on WebSockets: handshakes, framing, raw WebSockets. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startServices } from './services.ts';
import { RawWebSocket, handshakeHeaders, openWebSocket } from '../../testkit/raw-websocket.ts';
import { OPCODE, encodeFrame, readServerFrame } from '../../testkit/websocket-frames.ts';
import { newSession } from '../../testkit/transports.ts';
import { poll } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import {
  type RawHttpConnection,
  type RawRequest,
  encodeRequest,
  httpConnection,
} from '../../testkit/raw-http.ts';

const { logger, port } = await startServices();

/** The accept value of RFC 6455, 1.3, for `HANDSHAKE_KEY`. */
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

function upgrade(
  t: TestContext,
  path: string,
  request: Partial<RawRequest> = {},
): RawHttpConnection {
  return httpConnection(t, port).send({ path, headers: handshakeHeaders(), ...request });
}

const URLS: readonly { name: string; path: () => string; raw: boolean }[] = [
  { name: 'session', path: () => `${newSession()}/websocket`, raw: false },
  { name: 'raw', path: () => '/echo/websocket', raw: true },
];

for (const { name, path, raw } of URLS) {
  test(`${name}: the handshake follows RFC 6455`, async (t) => {
    const connection = upgrade(t, path());
    const head = await connection.readHead();
    assert.equal(head.status, 101);
    assert.equal(head.header('Upgrade')?.toLowerCase(), 'websocket');
    assert.equal(head.header('Connection')?.toLowerCase(), 'upgrade');
    assert.equal(head.header('Sec-WebSocket-Accept'), ACCEPT);
    assert.equal(head.header('Sec-WebSocket-Extensions'), undefined);
    assert.equal(head.header('Content-Length'), undefined);
    // A text frame of one byte; 0x81 is not valid UTF-8. A raw WebSocket sends no first message.
    if (!raw) assert.equal(await connection.read(3), '\ufffd\u0001o');
  });

  for (const version of ['13', '8']) {
    test(`${name}: version ${version} of the protocol is accepted`, async (t) => {
      const headers = handshakeHeaders({ 'Sec-WebSocket-Version': version });
      const connection = upgrade(t, path(), { headers });
      const head = await connection.readHead();
      assert.equal(head.status, 101);
      const client = new RawWebSocket(connection.raw, head);
      if (!raw) assert.equal(await client.next(), 'o');
      client.send(raw ? 'x' : '["x"]');
      assert.equal(await client.next(), raw ? 'x' : 'a["x"]');
      client.close(1000);
      assert.equal((await client.closed()).code, 1000);
      assert.equal(client.messages.size, 0);
    });
  }

  for (const { fault, changes } of [
    { fault: 'version 7', changes: { 'Sec-WebSocket-Version': '7' } },
    { fault: 'version 14', changes: { 'Sec-WebSocket-Version': '14' } },
    { fault: 'no version', changes: { 'Sec-WebSocket-Version': undefined } },
    { fault: 'a version that is no number', changes: { 'Sec-WebSocket-Version': 'x' } },
    { fault: 'no key', changes: { 'Sec-WebSocket-Key': undefined } },
    { fault: 'a key that is too short', changes: { 'Sec-WebSocket-Key': 'abc' } },
    { fault: 'an upgrade to something else', changes: { Upgrade: 'h2c' } },
  ]) {
    test(`${name}: a handshake with ${fault} is refused`, async (t) => {
      const connection = upgrade(t, path(), { headers: handshakeHeaders(changes) });
      const { status } = await connection.response();
      assert.ok(status === 400 || status === 426, `status ${status}`);
    });
  }

  test(`${name}: the draft of 2010 is refused`, async (t) => {
    const headers = handshakeHeaders({
      'Sec-WebSocket-Key': undefined,
      'Sec-WebSocket-Version': undefined,
      'Sec-WebSocket-Key1': '4 @1  46546xW%0l 1 5',
      'Sec-WebSocket-Key2': '12998 5 Y3 1  .P00',
      Origin: 'http://example.com',
    });
    const connection = upgrade(t, path(), { headers, body: '^n:ds[4U' });
    assert.equal((await connection.readHead()).status, 400);
  });

  for (const { fault, headers } of [
    { fault: 'without an upgrade', headers: [] },
    { fault: 'with an empty Upgrade', headers: handshakeHeaders({ Upgrade: '' }) },
  ]) {
    test(`${name}: GET ${fault} is 400`, async (t) => {
      const connection = upgrade(t, path(), { headers });
      const { status, body } = await connection.response();
      assert.equal(status, 400);
      assert.equal(body, 'Can "Upgrade" only to "WebSocket".');
      for (const { line } of logger.take())
        assert.match(line, /without its Upgrade and Connection headers/);
    });
  }

  test(`${name}: Connection: close is 400`, async (t) => {
    const connection = upgrade(t, path(), { headers: handshakeHeaders({ Connection: 'close' }) });
    const { status, body } = await connection.response();
    assert.equal(status, 400);
    assert.equal(body, '"Connection" must be "Upgrade".');
    await connection.readToEnd();
    for (const { line } of logger.take())
      assert.match(line, /without its Upgrade and Connection headers/);
  });

  for (const Connection of ['keep-alive, Upgrade', 'upgrade']) {
    test(`${name}: Connection: ${Connection} upgrades`, async (t) => {
      const connection = upgrade(t, path(), {
        headers: handshakeHeaders({ Connection, Upgrade: 'WebSocket' }),
      });
      assert.equal((await connection.readHead()).status, 101);
    });
  }

  for (const method of ['POST', 'PUT', 'DELETE']) {
    test(`${name}: ${method} with an upgrade is 405`, async (t) => {
      const connection = upgrade(t, path(), { method });
      const { status, head, body } = await connection.response(method);
      assert.equal(status, 405);
      assert.equal(head.header('Allow'), 'GET');
      assert.equal(body, '');
    });
  }

  test(`${name}: an upgrade over HTTP/1.0 gets 400 or 101`, async (t) => {
    const connection = upgrade(t, path(), { version: '1.0' });
    const head = await connection.readHead();
    assert.ok(head.status === 400 || head.status === 101, `${head.status}`);
  });

  test(`${name}: the first message of a client may arrive with the handshake`, async (t) => {
    const text = raw ? 'early' : '["early"]';
    const request = encodeRequest({ path: path(), headers: handshakeHeaders() });
    const connection = httpConnection(t, port);
    connection.send(Buffer.concat([request, encodeFrame(OPCODE.text, text)]));
    assert.equal((await connection.readHead()).status, 101);
    if (!raw) await connection.read(3);
    const response = raw ? 'early' : 'a["early"]';
    assert.equal((await connection.read(2 + response.length)).slice(-response.length), response);
  });

  test(`${name}: a message may arrive in fragments`, async (t) => {
    const client = await openWebSocket(t, port, path());
    if (!raw) assert.equal(await client.next(), 'o');
    const text = raw ? 'one two' : '["one two"]';
    client.sendFragments(...text.split(''));
    assert.equal(await client.next(), raw ? text : `a${text}`);
    client.close();
  });

  test(`${name}: a message of 1 MiB is echoed`, async (t) => {
    const client = await openWebSocket(t, port, path());
    if (!raw) assert.equal(await client.next(), 'o');
    const text = 'x'.repeat(1024 * 1024);
    client.send(raw ? text : JSON.stringify([text]));
    assert.ok((await client.next()) === (raw ? text : `a["${text}"]`));
    client.close();
  });

  test(`${name}: a thousand messages arrive in order`, async (t) => {
    const client = await openWebSocket(t, port, path());
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
    client.close();
  });

  test(`${name}: a ping gets a pong`, async (t) => {
    const client = await openWebSocket(t, port, path());
    client.ping('are you there?');
    assert.equal(String(await client.pongs.next()), 'are you there?');
    client.close();
  });

  for (const { fault, frame, code } of [
    {
      fault: 'an unmasked frame',
      frame: encodeFrame(OPCODE.text, 'x', { mask: false }),
      code: 1002,
    },
    { fault: 'reserved bits', frame: encodeFrame(OPCODE.text, 'x', { rsv: 7 }), code: 1002 },
    { fault: 'an unknown opcode', frame: encodeFrame(3, 'x'), code: 1002 },
    {
      fault: 'a continuation without a message',
      frame: encodeFrame(OPCODE.continuation, 'x'),
      code: 1002,
    },
    {
      fault: 'a fragmented ping',
      frame: encodeFrame(OPCODE.ping, 'x', { fin: false }),
      code: 1002,
    },
    {
      fault: 'invalid UTF-8',
      frame: encodeFrame(OPCODE.text, Buffer.from([0xc3, 0x28])),
      code: 1007,
    },
    {
      fault: 'a surrogate in UTF-8',
      frame: encodeFrame(OPCODE.text, Buffer.from([0xed, 0xa0, 0x80])),
      code: 1007,
    },
  ]) {
    test(`${name}: ${fault} closes the WebSocket with ${code}`, async (t) => {
      const connection = upgrade(t, path());
      assert.equal((await connection.readHead()).status, 101);
      if (!raw) await connection.read(3);
      connection.send(frame);
      const { opcode, payload } = await readServerFrame(connection.raw);
      assert.equal(opcode, OPCODE.close);
      assert.equal(payload.readUInt16BE(0), code);
      connection.abort();
    });
  }

  test(`${name}: a message over maxMessageBytes closes the WebSocket with 1009`, async (t) => {
    const { port: own } = await startRouter(t, { maxMessageBytes: 100 });
    const client = await openWebSocket(t, own, path());
    if (!raw) assert.equal(await client.next(), 'o');
    client.send(JSON.stringify(['x'.repeat(96)]));
    assert.notEqual(await client.next(), undefined);
    client.send(JSON.stringify(['x'.repeat(97)]));
    assert.equal((await client.closed()).code, 1009);
    assert.equal(client.messages.size, 0);
  });
}

test('websocket: a binary message closes it with 1003', async (t) => {
  const client = await openWebSocket(t, port, `${newSession()}/websocket`);
  assert.equal(await client.next(), 'o');
  client.send(Buffer.from('["x"]'));
  assert.equal((await client.closed()).code, 1003);
  assert.equal(client.messages.size, 0);
});

test('websocket: polls with the same id are another session', async (t) => {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  const client = await openWebSocket(t, port, `${session}/websocket`);
  assert.equal(await client.next(), 'o');
  client.close();
  await client.closed();
  assert.equal(client.messages.size, 0);
});

// Raw

test('raw: messages have no SockJS frame', async (t) => {
  const client = await openWebSocket(t, port, '/echo/websocket');
  for (const text of ['Hello world!\uffff', '', '["x"]', '{', 'o', 'c[3000,"x"]']) {
    client.send(text);
    assert.equal(await client.next(), text);
  }
  client.close();
});

test('raw: binary messages are echoed as binary messages', async (t) => {
  const client = await openWebSocket(t, port, '/echo/websocket');
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  client.send(bytes);
  assert.deepEqual(await client.next(), bytes);
  client.send('and text');
  assert.equal(await client.next(), 'and text');
  client.close();
});

test('raw: two messages at once stay separate', async (t) => {
  const client = await openWebSocket(t, port, '/echo/websocket');
  client.send('a');
  client.send('b');
  assert.equal(await client.next(), 'a');
  assert.equal(await client.next(), 'b');
  client.close();
});

test('raw: a heartbeat is a ping', async (t) => {
  const { port: own } = await startRouter(t, { heartbeatDelay: 30 });
  const client = await openWebSocket(t, own, '/echo/websocket');
  await client.pings.next();
  client.send('first');
  assert.equal(await client.next(), 'first');
  client.close();
});

for (const service of ['/echo', '/cookie_needed_echo', '/broadcast']) {
  test(`${service} echoes on WebSockets and raw WebSockets`, async (t) => {
    const framed = await openWebSocket(t, port, `${newSession(service)}/websocket`);
    assert.equal(await framed.next(), 'o');
    framed.send(JSON.stringify(['x']));
    assert.equal(await framed.next(), 'a["x"]');
    framed.close();
    await framed.closed();
    assert.equal(framed.messages.size, 0);
    const raw = await openWebSocket(t, port, `${service}/websocket`);
    raw.send('y');
    assert.equal(await raw.next(), 'y');
    raw.close();
  });
}

/** Attacks of docs/security.md with URLs, upgrades and bodies. One test for each row. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { SockJSRouter } from '../../src/index.ts';
import { Echo, listen, startRouter, stop } from '../../testkit/server.ts';
import { RawHttpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { RawWebSocket, UPGRADE_HEADERS } from '../../testkit/raw-websocket.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { WS_TRANSPORTS, newSession, openRequest } from '../../testkit/transports.ts';
import { assertServes, poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { deferred } from '../../testkit/until.ts';
import { encodeFrame } from '../../testkit/websocket-frames.ts';

const TARGETS = [
  '//',
  String.raw`//\evil`,
  'http://[::1',
  '/echo/%',
  '/echo/%zz',
  '/echo/__proto__',
  '/nowhere',
  '*',
];

/** Resets a connection whose socket the application reads without an error listener. */
async function resetsWhileUpgrading(t: TestContext, path: string, byHand: boolean): Promise<void> {
  const verdict = deferred();
  const upgraded = deferred();
  const closed = deferred();
  const logger = new RecordingLogger();
  const allowedOrigins = (): Promise<boolean> => verdict.promise.then(() => false);
  const router = new SockJSRouter(Echo, '/echo', { logger, allowedOrigins });
  const server = createServer();
  server.prependListener('connection', (socket) => socket.once('close', closed.resolve));
  server.on('upgrade', (request, socket, head) => {
    if (byHand) router.handleUpgrade(request, socket, head);
    socket.resume();
    upgraded.resolve();
  });
  if (!byHand) router.attach(server);
  const port = await listen(server);
  t.after(() => stop(server));
  const headers = [...UPGRADE_HEADERS, ['Origin', 'http://evil.example']] as const;
  const client = new RawHttpConnection(port).send({ path, headers });
  await upgraded.promise;
  client.abort();
  await closed.promise;
  verdict.resolve();
  logger.take(); // The origin was refused, if the client was still connected.
}

test('an upgrade to an unknown path, a malformed URL, an abrupt reset', async (t) => {
  const { port } = await startRouter(t);
  for (const path of TARGETS) {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      await t.test(`${method} ${path}`, async () => {
        const { status } = await httpRequest(port, { method, path });
        assert.ok(status >= 400 && status < 500, String(status));
      });
    }
    await t.test(`an upgrade of ${path}`, async () => {
      const { status } = await httpRequest(port, { path, headers: UPGRADE_HEADERS });
      assert.ok(status >= 400 && status < 500, String(status));
    });
  }
  await t.test('a reset of an upgrade that no router handles', (sub) =>
    resetsWhileUpgrading(sub, '/nowhere', false),
  );
  await t.test('a reset of an upgrade that was routed by hand', (sub) =>
    resetsWhileUpgrading(sub, '/echo/websocket', true),
  );
  await assertServes(port);
});

const NO_MESSAGES = [
  'null',
  '[null]',
  '["a",1]',
  '[{"a":1},5]',
  '[["a"]]',
  '{"__proto__":null}',
  '{"0":"a","length":1}',
  'undefined',
];

test('JSON other than an array of strings; a message after close()', async (t) => {
  const seen: string[] = [];
  class Noting extends Echo {
    override onMessage(message: string): void {
      seen.push(message);
      if (message === 'end') this.close();
      else super.onMessage(message);
    }
  }
  const { port } = await startRouter(t, {}, Noting);
  for (const json of [...NO_MESSAGES, '"abc"']) {
    await t.test(`xhr_send of ${json}`, async () => {
      const session = newSession();
      assert.equal(await poll(port, session), 'o');
      const { status, body } = await postBody(port, session, json);
      assert.deepEqual({ status, body }, { status: 500, body: 'Broken JSON encoding.' });
      await sendMessages(port, session, 'next');
      assert.equal(await poll(port, session), 'a["next"]');
    });
  }
  for (const json of NO_MESSAGES) {
    await t.test(`a WebSocket message of ${json}`, async () => {
      const client = await RawWebSocket.open(port, `${newSession()}/websocket`);
      assert.equal(await client.next(), 'o');
      client.send(json);
      assert.equal((await client.closed()).code, 1007);
    });
  }
  await t.test('a WebSocket message of "abc" is one message', async () => {
    const client = await RawWebSocket.open(port, `${newSession()}/websocket`);
    client.send('"abc"');
    assert.equal(await client.next(), 'o');
    assert.equal(await client.next(), 'a["abc"]');
    client.abort();
  });
  assert.deepEqual(new Set(seen), new Set(['next', 'abc']));
  await t.test('messages after close() in one body are not handled', async () => {
    const session = newSession();
    await poll(port, session);
    await sendMessages(port, session, 'end', 'too', 'late');
    assert.equal(await poll(port, session), 'c[3000,"Go away!"]');
    assert.deepEqual(seen.slice(-2), ['abc', 'end']);
  });
  await assertServes(port);
});

const MEBIBYTE = 1024 ** 2;

test('a body of 64 MiB for a session that does not exist', async (t) => {
  const { port, router, logger } = await startRouter(t);
  const begin = (path: string, header: readonly [string, string]): RawHttpConnection => {
    const connection = new RawHttpConnection(port);
    t.after(() => connection.close());
    return connection.send({ method: 'POST', path, headers: [header] });
  };
  for (const target of ['xhr_send', 'jsonp_send']) {
    const path = `${newSession()}/${target}`;
    // No byte of the body is sent, so a server that reads the body first does not respond.
    await t.test(`${target}: 404 by its head alone`, async () => {
      const announced = begin(path, ['Content-Length', String(64 * MEBIBYTE)]);
      assert.equal((await announced.response()).status, 404);
      const chunked = begin(path, ['Transfer-Encoding', 'chunked']);
      assert.equal((await chunked.response()).status, 404);
    });
  }
  await t.test('for a session that exists, 413 as soon as it is too long', async () => {
    const session = newSession();
    await poll(port, session);
    const connection = begin(`${session}/xhr_send`, ['Transfer-Encoding', 'chunked']);
    const chunk = `100000\r\n${'x'.repeat(MEBIBYTE)}\r\n`;
    connection.send(chunk).send(chunk).send(chunk);
    assert.equal((await connection.response()).status, 413);
    assert.match(logger.take()[0]?.line ?? '', /longer than maxMessageBytes/);
  });
  assert.equal(router.stats.dump().packetsRecvTotal, 0);
  await assertServes(port);
});

test('thousands of tiny messages or newlines in one body', async (t) => {
  let received = 0;
  class Counting extends Echo {
    override onMessage(message: string): void {
      received += 1;
      super.onMessage(message);
    }
  }
  const { port } = await startRouter(t, {}, Counting);
  const many = JSON.stringify(Array.from({ length: 10_001 }, () => ''));
  const bodies = [
    [many, 413],
    ['\n'.repeat(MEBIBYTE), 500],
    ['["a"]\n'.repeat(10_000), 500],
  ] as const;
  const session = newSession();
  await poll(port, session);
  for (const [body, expected] of bodies) {
    await t.test(`xhr_send of ${JSON.stringify(body.slice(0, 8))} and so on`, async () => {
      assert.equal((await postBody(port, session, body)).status, expected);
    });
  }
  await t.test('a WebSocket message of them', async () => {
    const client = await RawWebSocket.open(port, `${newSession()}/websocket`);
    assert.equal(await client.next(), 'o');
    client.send(many);
    assert.equal(await client.next(), 'c[1009,"Too many messages at once"]');
    assert.equal((await client.closed()).code, 1009);
  });
  assert.equal(received, 0);
  await assertServes(port);
});

test('decompression bombs', async (t) => {
  const { port } = await startRouter(t);
  const session = newSession();
  await poll(port, session);
  const bomb = gzipSync(`["${'x'.repeat(MEBIBYTE)}"]`);
  for (const encoding of ['gzip', 'deflate', 'br', 'GZIP', 'identity, gzip']) {
    await t.test(`a body with Content-Encoding: ${encoding}`, async () => {
      const headers = [['Content-Encoding', encoding]] as const;
      assert.equal((await postBody(port, session, bomb, { headers })).status, 415);
    });
  }
  for (const transport of WS_TRANSPORTS) {
    await t.test(`${transport.name}: compression is offered, and not taken`, async (sub) => {
      const offer = ['Sec-WebSocket-Extensions', 'permessage-deflate'] as const;
      const connection = new RawHttpConnection(port).send(
        openRequest(transport, { headers: [offer] }),
      );
      sub.after(() => connection.close());
      const head = await connection.readHead();
      assert.equal(head.status, 101);
      assert.deepEqual(head.all('sec-websocket-extensions'), []);
      // RSV1 marks a compressed message.
      connection.send(encodeFrame(0x41, 'x'));
      if (transport.name === 'websocket') assert.equal((await connection.read(3)).slice(2), 'o');
      // A close frame; its code is 1002, 0x03ea.
      assert.equal((await connection.read(4)).charCodeAt(2), 0x03);
    });
  }
  await assertServes(port);
});

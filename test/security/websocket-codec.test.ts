/** Attacks of docs/security.md: past faults of `ws`, tried on our codec. One test for each row. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { SockJSRouter } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { Echo, listen, startRouter, stop } from '../../testkit/server.ts';
import { RawHttpConnection, type RawRequest, httpRequest } from '../../testkit/raw-http.ts';
import { UPGRADE_HEADERS } from '../../testkit/raw-websocket.ts';
import { WS_TRANSPORTS, openRequest } from '../../testkit/transports.ts';
import { assertServes } from '../../testkit/sockjs-http.ts';
import { encodeFrame } from '../../testkit/websocket-frames.ts';
import { until } from '../../testkit/until.ts';

/** Encodes a fragment that is not the last one. */
function fragment(opcode: number, payload: string): Buffer {
  const frame = encodeFrame(opcode, payload);
  frame[0] = opcode;
  return frame;
}

/** Encodes the head of a text frame without its payload. */
function longHead(bytes: number): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes));
  return Buffer.concat([Buffer.from([0x81, 0xff]), length, Buffer.alloc(4)]);
}

test('vulnerabilities that `ws` has had', async (t) => {
  const ends = new AsyncQueue<number>('onClose');
  let received = 0;
  class Noting extends Echo {
    override onMessage(message: string): void {
      received += 1;
      super.onMessage(message);
    }

    override onClose(code: number): void {
      if (this.transport === 'rawwebsocket') ends.push(code);
    }
  }
  const { port } = await startRouter(t, {}, Noting);
  const open = async (request: RawRequest): Promise<RawHttpConnection> => {
    const connection = new RawHttpConnection(port).send(request);
    t.after(() => connection.close());
    assert.equal((await connection.readHead()).status, 101);
    return connection;
  };
  const [, raw] = WS_TRANSPORTS;
  assert.ok(raw !== undefined);

  // CVE-2024-37890: the header that says "Upgrade" was beyond the number of headers that Node keeps.
  await t.test('more headers than Node keeps', async () => {
    const many = Array.from({ length: 2000 }, () => ['a', ''] as const);
    for (const path of ['/echo/websocket', '/echo', '/nowhere']) {
      const { status } = await httpRequest(port, { path, headers: [...many, ...UPGRADE_HEADERS] });
      assert.ok(status >= 200 && status < 500, String(status));
    }
  });

  await t.test('an upgrade that has lost its header', async (sub) => {
    const own = new SockJSRouter(Echo, '/echo', { logger: false });
    const server = createServer();
    server.on('upgrade', (request, socket, head) => {
      delete request.headers.upgrade; // As older versions of Node do over their limit; newer ones respond with 431.
      own.handleUpgrade(request, socket, head);
    });
    const ownPort = await listen(server);
    sub.after(() => stop(server));
    const { status } = await httpRequest(ownPort, openRequest(raw));
    assert.equal(status, 400);
  });

  // CVE-2021-32640: blanks in this header took quadratic time.
  await t.test('a Sec-WebSocket-Protocol of blanks', async () => {
    const header = ['Sec-WebSocket-Protocol', `a${' '.repeat(15_000)}b`] as const;
    const before = process.cpuUsage();
    for (let count = 0; count < 16; count += 1) {
      const { head } = await httpRequest(port, openRequest(raw, { headers: [header] }));
      assert.equal(head.header('sec-websocket-protocol'), undefined);
      assert.equal(await ends.next(), 1006);
    }
    const { user } = process.cpuUsage(before);
    assert.ok(user < 1_000_000, `${user / 1000} ms of processor time`);
  });

  /** Waits for the close frame, and closes. */
  const refusedWith = async (connection: RawHttpConnection, code: number): Promise<void> => {
    const frame = await connection.read(4);
    assert.ok(frame.includes(String.fromCodePoint(code >> 8)), JSON.stringify(frame));
    connection.close();
    assert.equal(await ends.next(), code);
  };

  await t.test('a message over maxMessageBytes, by its head alone', async () => {
    const connection = await open(openRequest(raw));
    await refusedWith(connection.send(longHead(64 * 1024 ** 2)), 1009);
  });

  await t.test('a message over maxMessageBytes in fragments', async () => {
    const connection = await open(openRequest(raw));
    const part = 'x'.repeat(60_000);
    connection.send(fragment(0x01, part));
    for (let count = 0; count < 40; count += 1) connection.send(fragment(0x00, part));
    await refusedWith(connection, 1009);
  });

  await t.test('a length of 63 bits', async () => {
    const connection = await open(openRequest(raw));
    await refusedWith(connection.send(longHead(Number.MAX_SAFE_INTEGER)), 1009);
  });

  await t.test('a message of very many empty fragments is still one message', async () => {
    const connection = await open(openRequest(raw));
    connection.send(fragment(0x01, ''));
    connection.send(Buffer.concat(Array.from({ length: 100_000 }, () => fragment(0x00, ''))));
    connection.send(encodeFrame(0x00, 'end'));
    assert.equal((await connection.read(5)).slice(2), 'end');
    connection.close();
    assert.equal(await ends.next(), 1006);
    received -= 1;
  });

  await t.test('messages that never end, each below its limit, on many sockets', async (sub) => {
    const crowded = await startRouter(sub, {
      maxTotalBufferedBytes: 200_000,
      maxBufferedBytesPerAddress: 200_000,
      highWaterMark: 10_000,
    });
    for (let count = 0; count < 5; count += 1) {
      const connection = new RawHttpConnection(crowded.port).send(openRequest(raw));
      sub.after(() => connection.close());
      assert.equal((await connection.readHead()).status, 101);
      connection.socket.once('data', () => connection.close()); // The input was refused.
      connection.send(longHead(60_000)).send('x'.repeat(50_000));
    }
    await until(() => crowded.router.stats.dump().sessionsActive < 5, 'one is refused');
    assert.equal(crowded.router.stats.dump().closed.memoryLimit, 1);
  });

  assert.equal(received, 0);
  await assertServes(port);
});

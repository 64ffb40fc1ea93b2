/** The table of attacks: faults that `ws` has had, whose place our own codec takes. One test a row. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { SockJSRouter } from '../../src/index.ts';
import { UPGRADE, WEBSOCKETS, maskedFrame } from '../limits/transports.ts';
import { Queue, until } from '../support/client.ts';
import { HttpConnection, type RequestOptions, ask } from '../support/http.ts';
import { Echo, listening, serve, stopped } from '../support/service.ts';
import { stillServes } from '../attack-table/help.ts';

/** A part of a message that goes on after it: its first byte has no FIN. */
function fragment(opcode: number, payload: string): Buffer {
  const frame = maskedFrame(opcode, payload);
  frame[0] = opcode;
  return frame;
}

/** The head of a text of so many bytes, which are yet to come. */
function longHead(bytes: number): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes));
  return Buffer.concat([Buffer.from([0x81, 0xff]), length, Buffer.alloc(4)]);
}

test('faults that ws has had', async (t) => {
  const ends = new Queue<number>('onClose');
  let received = 0;
  class Noting extends Echo {
    override onMessage(message: string): void {
      received += 1;
      super.onMessage(message);
    }

    override onClose(code: number): void {
      if (this.transport === 'rawwebsocket') ends.put(code);
    }
  }
  const { port } = await serve(t, {}, Noting);
  const open = async (request: RequestOptions): Promise<HttpConnection> => {
    const connection = new HttpConnection(port).send(request);
    t.after(() => connection.close());
    assert.equal((await connection.readHead()).status, 101);
    return connection;
  };
  const [, raw] = WEBSOCKETS;
  assert.ok(raw !== undefined);

  // CVE-2024-37890: the header that says "Upgrade" was beyond the number of headers that Node keeps.
  await t.test('more headers than Node keeps', async () => {
    const many = Array.from({ length: 2000 }, () => ['a', ''] as const);
    for (const path of ['/echo/websocket', '/echo', '/nowhere']) {
      const { status } = await ask(port, { path, headers: [...many, ...UPGRADE] });
      assert.ok(status >= 200 && status < 500, String(status));
    }
  });

  await t.test('an upgrade that has lost its header', async (sub) => {
    const own = new SockJSRouter(Echo, '/echo', { logger: false });
    const server = createServer();
    server.on('upgrade', (request, socket, head) => {
      delete request.headers.upgrade; // As older Nodes do beyond their limit; newer ones answer 431.
      own.handleUpgrade(request, socket, head);
    });
    const ownPort = await listening(server);
    sub.after(() => stopped(server));
    const { status } = await ask(ownPort, raw.request());
    assert.equal(status, 400);
  });

  // CVE-2021-32640: blanks in this header took quadratic time.
  await t.test('a Sec-WebSocket-Protocol of blanks', async () => {
    const header = ['Sec-WebSocket-Protocol', `a${' '.repeat(15_000)}b`] as const;
    const before = process.cpuUsage();
    for (let count = 0; count < 16; count += 1) {
      const { head } = await ask(port, raw.request({ headers: [header] }));
      assert.equal(head.header('sec-websocket-protocol'), undefined);
      assert.equal(await ends.next(), 1006);
    }
    const { user } = process.cpuUsage(before);
    assert.ok(user < 1_000_000, `${user / 1000} ms of processor time`);
  });

  /** Waits for the close frame, and hangs up. */
  const refusedWith = async (connection: HttpConnection, code: number): Promise<void> => {
    const frame = await connection.read(4);
    assert.ok(frame.includes(String.fromCodePoint(code >> 8)), JSON.stringify(frame));
    connection.close();
    assert.equal(await ends.next(), code);
  };

  await t.test('a message over maxMessageBytes, by its head alone', async () => {
    const connection = await open(raw.request());
    await refusedWith(connection.send(longHead(64 * 1024 ** 2)), 1009);
  });

  await t.test('a message over maxMessageBytes in fragments', async () => {
    const connection = await open(raw.request());
    const part = 'x'.repeat(60_000);
    connection.send(fragment(0x01, part));
    for (let count = 0; count < 40; count += 1) connection.send(fragment(0x00, part));
    await refusedWith(connection, 1009);
  });

  await t.test('a length of 63 bits', async () => {
    const connection = await open(raw.request());
    await refusedWith(connection.send(longHead(Number.MAX_SAFE_INTEGER)), 1009);
  });

  await t.test('a message of very many empty fragments is still one message', async () => {
    const connection = await open(raw.request());
    connection.send(fragment(0x01, ''));
    connection.send(Buffer.concat(Array.from({ length: 100_000 }, () => fragment(0x00, ''))));
    connection.send(maskedFrame(0x00, 'end'));
    assert.equal((await connection.read(5)).slice(2), 'end');
    connection.close();
    assert.equal(await ends.next(), 1006);
    received -= 1;
  });

  await t.test('messages that never end, each below its limit, on many sockets', async (sub) => {
    const crowded = await serve(sub, { maxTotalBufferedBytes: 200_000, highWaterMark: 10_000 });
    for (let count = 0; count < 5; count += 1) {
      const connection = new HttpConnection(crowded.port).send(raw.request());
      sub.after(() => connection.close());
      assert.equal((await connection.readHead()).status, 101);
      connection.socket.once('data', () => connection.close()); // It was refused.
      connection.send(longHead(60_000)).send('x'.repeat(50_000));
    }
    await until('one is refused', () => crowded.router.stats.dump().sessionsActive < 5);
    assert.equal(crowded.router.stats.dump().closed.memoryLimit, 1);
  });

  assert.equal(received, 0);
  await stillServes(port);
});

/**
 * The table "Memory limits" of docs/security.md: each line is measured with the worst input. The server is a separate
 * process, so its memory is that of these clients.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { SockJSSettings } from '../../src/index.ts';
import { testEach } from '../../testkit/node-test.ts';
import { startNode } from '../../testkit/process.ts';
import {
  type Headers,
  type RawHttpConnection,
  encodeRequest,
  httpConnection,
} from '../../testkit/raw-http.ts';
import {
  RAW_WEBSOCKET,
  HTTP_TRANSPORTS,
  type Transport,
  WS_TRANSPORTS,
  XHR_STREAMING,
  openRequest,
} from '../../testkit/transports.ts';
import { OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';
import type { MemoryReport } from './memory-server.ts';

const KIBIBYTE = 1024;

interface MeasuredServer {
  readonly port: number;
  /** Collects garbage, and returns the memory in use. */
  readonly measure: () => Promise<MemoryReport>;
}

async function startServer(
  t: TestContext,
  settings: SockJSSettings & { readonly pending?: true } = {},
): Promise<MeasuredServer> {
  const file = fileURLToPath(new URL('memory-server.ts', import.meta.url));
  const program = startNode(t, file, [JSON.stringify(settings)], { ipc: true });
  const { port } = (await program.nextMessage()) as { port: number };
  return {
    port,
    measure: async () => {
      program.send('measure');
      return (await program.nextMessage()) as MemoryReport;
    },
  };
}

/** Bytes that the URL and the headers of every request take, of the 16 KiB of a head. */
const OTHER_HEAD_BYTES = 500;

/** Returns headers that fill a head, as many as possible up to `count`. */
function worstHeaders(count: number): Headers {
  const valueBytes = Math.floor((16 * KIBIBYTE - OTHER_HEAD_BYTES) / count) - 'h999: \r\n'.length;
  return Array.from(
    { length: count },
    (_, index) => [`h${String(index).padStart(3, '0')}`, 'v'.repeat(valueBytes)] as const,
  );
}

/** V8 itself takes up to 400 KiB more or less from one measurement to the next. That is 1 KiB for each of these. */
const SESSIONS = 400;
const AT_ONCE = 20;

/** Opens sessions, and returns the memory that each of them takes. */
async function bytesPerSession(
  t: TestContext,
  { port, measure }: MeasuredServer,
  transport: Transport,
  headers: Headers,
): Promise<number> {
  const open = async (): Promise<void> => {
    const connection = httpConnection(t, port);
    const request = openRequest(transport, { headers });
    const { status } = await connection.send(request).readHead();
    assert.ok(status < 300, `refused with ${status}`);
    // The second poll waits for a message.
    if (!transport.isStreaming) connection.send(request);
  };
  const openMany = async (count: number): Promise<void> => {
    for (let opened = 0; opened < count; opened += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, open));
  };
  await openMany(AT_ONCE); // They take memory that all share.
  const before = await measure();
  await openMany(SESSIONS);
  await delay(100);
  const after = await measure();
  assert.ok(after.stats.sessionsActive >= SESSIONS);
  return (after.bytes - before.bytes) / SESSIONS;
}

// Node counts at most 1,000 headers, of which the test client sends five.
const MANY_SHORT_HEADERS = worstHeaders(990);
const ONE_LONG_HEADER = worstHeaders(1);

testEach(
  WS_TRANSPORTS,
  'a session takes at most 22 KiB, whatever the head of its request',
  async (t, transport) => {
    const server = await startServer(t);
    for (const headers of [MANY_SHORT_HEADERS, ONE_LONG_HEADER]) {
      const bytes = await bytesPerSession(t, server, transport, headers);
      t.diagnostic(`${headers.length} headers: ${Math.round(bytes)} bytes`);
      assert.ok(bytes < 22 * KIBIBYTE, `${bytes} bytes`);
    }
  },
);

testEach(
  HTTP_TRANSPORTS,
  'a session takes at most 64 KiB, whatever the head of its requests',
  async (t, transport) => {
    const server = await startServer(t);
    for (const headers of [worstHeaders(95), ONE_LONG_HEADER]) {
      const bytes = await bytesPerSession(t, server, transport, headers);
      t.diagnostic(`${headers.length} headers: ${Math.round(bytes)} bytes`);
      assert.ok(bytes < 64 * KIBIBYTE, `${bytes} bytes`);
    }
  },
);

test('a receiving request with more than 100 headers gets 431', async (t) => {
  const { port } = await startServer(t);
  const fixed = [
    ['Host', 'localhost'],
    ['Content-Length', '0'],
  ] as const;
  for (const transport of HTTP_TRANSPORTS) {
    for (const [count, status] of [
      [100, 200],
      [101, 431],
    ] as const) {
      const headers = [...fixed, ...MANY_SHORT_HEADERS.slice(fixed.length, count)];
      const connection = httpConnection(t, port).send(openRequest(transport, { headers }));
      assert.equal((await connection.readHead()).status, status, transport.name);
    }
  }
});

/** Sends bytes on each of `count` new connections of one address, and returns the memory that each of them takes. */
async function bytesPerConnection(
  t: TestContext,
  { port, measure }: MeasuredServer,
  count: number,
  open: (connection: RawHttpConnection) => void | Promise<void>,
): Promise<{ readonly bytes: number; readonly stats: MemoryReport['stats'] }> {
  const openOne = async (): Promise<void> => {
    const connection = httpConnection(t, port);
    connection.raw.pause();
    await open(connection);
  };
  await openOne(); // The first one takes memory that all share.
  await delay(100);
  const before = await measure();
  for (let index = 0; index < count; index += 1) await openOne();
  await delay(500); // Time in which the server reads as much as it ever reads.
  const after = await measure();
  const bytes = (after.bytes - before.bytes) / count;
  t.diagnostic(`${Math.round(bytes / KIBIBYTE)} KiB`);
  return { bytes, stats: after.stats };
}

test('incomplete messages of one address take at most twice its share, and 22 KiB for each session', async (t) => {
  const share = 4096 * KIBIBYTE;
  const server = await startServer(t, { maxTotalBufferedBytes: 4 * share });
  const count = 200;
  const incomplete = encodeFrame(OPCODE.text, 'x'.repeat(65_536)).subarray(0, -536);
  const { bytes, stats } = await bytesPerConnection(t, server, count, (connection) => {
    connection.send(openRequest(RAW_WEBSOCKET)).send(incomplete);
  });
  assert.ok(stats.buffered.messages > share / 2);
  assert.ok(stats.buffered.messages <= share);
  assert.ok(count * bytes < 2 * share + count * 22 * KIBIBYTE, `${bytes} bytes`);
});

test('an incomplete message or body takes at most twice its bytes, and 22 KiB', async (t) => {
  const server = await startServer(t);
  // Just over half of its capacity.
  const length = 1024 * KIBIBYTE + 1;
  const { bytes, stats } = await bytesPerConnection(t, server, 20, async (connection) => {
    connection.send(openRequest(RAW_WEBSOCKET));
    const frame = encodeFrame(OPCODE.text, 'x'.repeat(2 * length - 2));
    for (let at = 0; at < length; at += 10_000) {
      connection.send(frame.subarray(at, Math.min(at + 10_000, length)));
    }
    await delay(20);
  });
  assert.ok(stats.buffered.messages >= 20 * (length - 20));
  assert.ok(bytes < 2 * length + 22 * KIBIBYTE, `${bytes} bytes`);
});

test('a client that reads nothing takes one message, 64 KiB and 22 KiB', async (t) => {
  const server = await startServer(t);
  const length = 16 * 1024 * KIBIBYTE; // Much more than the buffers of the kernel.
  const { bytes } = await bytesPerConnection(t, server, 5, (connection) => {
    connection.send(openRequest(RAW_WEBSOCKET, { query: `send=${length}` }));
  });
  assert.ok(bytes > length / 2);
  assert.ok(bytes < length + 86 * KIBIBYTE, `${bytes} bytes`);
});

test('pipelined requests take at most 2.5 MiB for each connection', async (t) => {
  const server = await startServer(t);
  // With 20 headers, of which the client sends two, each request counts once.
  for (const [path, headers] of [
    ['/echo/sockjs.js', []],
    ['/echo/info', worstHeaders(18)],
  ] as const) {
    const request = encodeRequest({ path, headers });
    const requests = Array.from({ length: 100 }, () => request);
    const { bytes, stats } = await bytesPerConnection(t, server, 10, (connection) => {
      const stream = encodeRequest(openRequest(XHR_STREAMING));
      connection.send(Buffer.concat([stream, ...requests]));
    });
    assert.ok(stats.sessionsActive >= 11);
    assert.ok(bytes < 2.5 * 1024 * KIBIBYTE, `${path}: ${bytes} bytes`);
  }
});

test('an upgrade that waits for authorize takes at most 448 KiB, whatever it sends', async (t) => {
  const server = await startServer(t, { pending: true });
  const headers = MANY_SHORT_HEADERS;
  const request = encodeRequest(openRequest(RAW_WEBSOCKET, { headers }));
  const input = Buffer.alloc(2048 * KIBIBYTE);
  const { bytes, stats } = await bytesPerConnection(t, server, 50, (connection) => {
    connection.send(request).send(input);
  });
  assert.ok(stats.buffered.delayedInput >= 50 * 64 * KIBIBYTE);
  assert.ok(bytes < 448 * KIBIBYTE, `${bytes} bytes`);
});

test('a client whose input is delayed takes at most 192 KiB', async (t) => {
  const server = await startServer(t);
  const input = Buffer.concat(
    Array.from({ length: 2000 }, () => encodeFrame(OPCODE.text, 'x'.repeat(1000))),
  );
  const { bytes, stats } = await bytesPerConnection(t, server, 50, (connection) => {
    connection.send(openRequest(RAW_WEBSOCKET, { query: 'opening' })).send(input);
  });
  assert.equal(stats.sessionsActive, 51);
  assert.ok(bytes < 192 * KIBIBYTE, `${bytes} bytes`);
});

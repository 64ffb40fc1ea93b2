/**
 * The table "Memory limits" of docs/security.md: each line is measured with the worst input. The server is a separate
 * process, so its memory is that of these clients.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { SockJSSettings } from '../../src/index.ts';
import { startNode } from '../../testkit/process.ts';
import { type Headers, type RawHttpConnection, httpConnection } from '../../testkit/raw-http.ts';
import {
  STREAMING_TRANSPORTS,
  TRANSPORTS,
  type Transport,
  WS_TRANSPORTS,
  openRequest,
} from '../../testkit/transports.ts';
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

/** Opens sessions of 127.0.0.1, and returns the memory that each of them takes. */
async function bytesPerSession(
  t: TestContext,
  { port, measure }: MeasuredServer,
  transport: Transport,
  headers: Headers,
): Promise<number> {
  const count = 200;
  const before = await measure();
  const connections: RawHttpConnection[] = [];
  for (let index = 0; index < count; index += 1) {
    const connection = httpConnection(t, port);
    connections.push(connection);
    const head = await connection.send(openRequest(transport, { headers })).readHead();
    assert.ok(head.status < 300, `refused with ${head.status}`);
  }
  const after = await measure();
  assert.equal(after.stats.sessionsActive, before.stats.sessionsActive + count);
  for (const connection of connections) connection.close();
  return (after.bytes - before.bytes) / count;
}

// Node counts at most 1,000 headers, of which the test client sends five.
const MANY_SHORT_HEADERS = worstHeaders(990);
const ONE_LONG_HEADER = worstHeaders(1);

test('a WebSocket session takes at most 22 KiB, whatever the head of its request', async (t) => {
  const server = await startServer(t);
  for (const transport of WS_TRANSPORTS) {
    for (const headers of [MANY_SHORT_HEADERS, ONE_LONG_HEADER]) {
      const bytes = await bytesPerSession(t, server, transport, headers);
      t.diagnostic(`${transport.name}, ${headers.length} headers: ${Math.round(bytes)} bytes`);
      assert.ok(bytes < 22 * KIBIBYTE, `${transport.name}: ${bytes} bytes`);
    }
  }
});

test('a stream takes at most 64 KiB, whatever the head of its request', async (t) => {
  const server = await startServer(t);
  for (const transport of STREAMING_TRANSPORTS) {
    for (const headers of [worstHeaders(95), ONE_LONG_HEADER]) {
      const bytes = await bytesPerSession(t, server, transport, headers);
      t.diagnostic(`${transport.name}, ${headers.length} headers: ${Math.round(bytes)} bytes`);
      assert.ok(bytes < 64 * KIBIBYTE, `${transport.name}: ${bytes} bytes`);
    }
  }
});

test('a receiving request with more than 100 headers gets 431', async (t) => {
  const { port } = await startServer(t);
  const fixed = [
    ['Host', 'localhost'],
    ['Content-Length', '0'],
  ] as const;
  for (const transport of TRANSPORTS.filter(({ isWebSocket }) => !isWebSocket)) {
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

/** Attacks on a server of HTTP/2 in a separate process, and the frames of hostile clients. */
import assert from 'node:assert/strict';
import type { ClientHttp2Session } from 'node:http2';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  encodeConnect,
  encodeHead,
  encodeHttp2Frame,
  encodeSetting,
  encodeUint32,
  http2Connection,
  http2Request,
  rawHttp2,
} from '../../../testkit/http2-client.ts';
import { type Program, startNode } from '../../../testkit/process.ts';
import type { RawConnection } from '../../../testkit/raw-connection.ts';
import { within } from '../../../testkit/until.ts';
import type { ServerArguments, ServerReport } from './hostile-server.ts';

export const MIB = 1024 * 1024;
const CANCEL = encodeUint32(8);
export const INITIAL_WINDOW_SIZE = 4;
export const NO_WINDOW = encodeSetting(INITIAL_WINDOW_SIZE, 0);
export const WIDE_WINDOW = encodeSetting(INITIAL_WINDOW_SIZE, 0x7fff_ffff);

/** Ids of the streams of a client: odd, and never used again. */
export function* streamIds(count: number): Generator<number> {
  for (let index = 0; index < count; index += 1) yield 2 * index + 1;
}

export const headers = (id: number, block: Buffer, flags = END_HEADERS): Buffer =>
  encodeHttp2Frame(FRAME.headers, flags, id, block);
export const get = (id: number, path: string): Buffer =>
  headers(id, encodeHead(path), END_HEADERS + END_STREAM);
export const post = (id: number, path: string, flags = END_HEADERS): Buffer =>
  headers(id, encodeHead(path, { ':method': 'POST' }), flags);
export const connect = (id: number, path: string): Buffer => headers(id, encodeConnect(path));
export const reset = (id: number, code = CANCEL): Buffer =>
  encodeHttp2Frame(FRAME.reset, 0, id, code);
export const resetWithoutError = (id: number): Buffer => reset(id, encodeUint32(0));
export const data = (id: number, payload: Uint8Array, flags = 0): Buffer =>
  encodeHttp2Frame(FRAME.data, flags, id, payload);
export const windowUpdate = (id: number, increment: number): Buffer =>
  encodeHttp2Frame(FRAME.windowUpdate, 0, id, encodeUint32(increment));
/** A frame of an unknown type, which a server ignores. */
export const filler = (length: number): Buffer =>
  encodeHttp2Frame(0x2a, 0, 0, Buffer.alloc(length));

export class Attack {
  readonly program: Program;
  readonly port: number;
  readonly healthy: ClientHttp2Session;
  readonly #t: TestContext;
  readonly #attackers: RawConnection[] = [];
  readonly #before: ServerReport;

  constructor(
    t: TestContext,
    program: Program,
    port: number,
    healthy: ClientHttp2Session,
    before: ServerReport,
  ) {
    this.#t = t;
    this.program = program;
    this.port = port;
    this.healthy = healthy;
    this.#before = before;
  }

  static async start(t: TestContext, args: ServerArguments = {}): Promise<Attack> {
    const file = new URL('hostile-server.ts', import.meta.url).pathname;
    const program = startNode(t, file, [JSON.stringify(args)], { ipc: true });
    const { port } = (await program.nextMessage()) as { port: number };
    const healthy = await http2Connection(t, `http://127.0.0.1:${port}`);
    await http2Request(healthy, { ':path': '/echo/info' });
    program.send('report');
    return new Attack(t, program, port, healthy, (await program.nextMessage()) as ServerReport);
  }

  connect(settings?: Uint8Array): RawConnection {
    const connection = rawHttp2(this.#t, this.port, settings);
    this.#attackers.push(connection);
    return connection;
  }

  async report(): Promise<ServerReport> {
    this.program.send('report');
    const report = (await this.program.nextMessage()) as ServerReport;
    return report;
  }

  /** Checks the memory in use, compared with that before the attack, and prints it. */
  async assertGrowth(name: string, maxBytes: number): Promise<void> {
    const { bytes, longestStall, streams } = await this.report();
    const growth = bytes - this.#before.bytes;
    this.#t.diagnostic(
      `${name}: ${streams} streams, ${(growth / MIB).toFixed(1)} MiB more, blocked for ${Math.round(longestStall)} ms at most`,
    );
    assert.ok(growth < maxBytes, `${name}: ${growth} bytes`);
  }

  async assertServes(): Promise<void> {
    const request = http2Request(this.healthy, { ':path': '/echo/info' });
    const { status } = await within(request, 'a response to another client', { timeout: 5000 });
    assert.equal(status, 200);
  }

  /** Checks that the server has released everything after the attackers have disconnected. */
  async assertReleased(): Promise<void> {
    await this.assertServes();
    for (const attacker of this.#attackers) attacker.abort();
    let report = await this.report();
    for (let turn = 0; turn < 20 && (report.connections > 1 || report.streams > 0); turn += 1) {
      await delay(100);
      report = await this.report();
    }
    const { connections, streams, decisions, budget, bytes, stats } = report;
    assert.deepEqual(
      { connections, streams, decisions, budget, receivers: stats.connectionsActive },
      { connections: 1, streams: 0, decisions: 0, budget: 0, receivers: 0 },
    );
    const kept = bytes - this.#before.bytes;
    assert.ok(kept < 8 * MIB, `${kept} bytes are kept`);
    await this.assertServes();
    assert.equal(this.program.stderr, '');
  }
}

/** Writes until the server closes the connection, and drops what it sends. */
export async function flood(
  connection: RawConnection,
  count: number,
  next: (index: number) => Buffer,
): Promise<void> {
  const { stream } = connection;
  for (let index = 0; index < count && !connection.isEnded && stream.writable; index += 1) {
    if (!stream.write(next(index))) {
      await new Promise<void>((resolve) => {
        const proceed = (): void => {
          stream.off('drain', proceed);
          stream.off('close', proceed);
          resolve();
        };
        stream.on('drain', proceed);
        stream.on('close', proceed);
      });
    }
    connection.takeAvailable();
  }
}

/** Waits until the server has handled what a client has sent. @returns whether it has closed the connection */
export async function isClosedByServer(client: RawConnection): Promise<boolean> {
  client.takeAvailable();
  client.write(encodeHttp2Frame(FRAME.ping, 0, 0, Buffer.from('finished')));
  let received = Buffer.alloc(0);
  while (!client.isEnded && !received.includes('finished')) {
    received = Buffer.concat([received.subarray(-8), (await client.readSome()) ?? Buffer.alloc(0)]);
  }
  return client.isEnded;
}

/** Requests of all kinds. */
export const ROUTES: Readonly<Record<string, (id: number) => Buffer>> = {
  info: (id) => get(id, '/echo/info'),
  script: (id) => get(id, '/echo/client.js'),
  'an unknown path': (id) => get(id, '/elsewhere'),
  polling: (id) => post(id, `/echo/000/s${id}/xhr`),
  streaming: (id) => post(id, `/echo/000/s${id}/xhr_streaming`),
  sending: (id) => post(id, `/echo/000/s${id}/xhr_send`),
  'a WebSocket': (id) => connect(id, `/echo/000/s${id}/websocket`),
};

/**
 * Measures the cost of compression, for docs/compression.md: the CPU time and the size of messages at several levels,
 * the time of the longest messages of a client, the same work in the thread pool, and the CPU time and memory of a
 * server with and without it. Absolute figures depend on the machine and its other work.
 *
 *   npm run bench:compression
 */
import { once } from 'node:events';
import { promisify } from 'node:util';
import zlib, { constants, deflateRawSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { deflateMessage, inflateMessage } from '../src/websocket/deflate.ts';
import { ServerProcess, pinLoad } from './server-process.ts';

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
const SIZES = [256, KIBIBYTE, 4 * KIBIBYTE, 16 * KIBIBYTE, 64 * KIBIBYTE, 256 * KIBIBYTE, MEBIBYTE];
const ROUNDS = 5;
const ROUND_MS = 100;
const CLIENTS = 50;
const ECHOES = 100;
const BROADCASTS = 50;
const IDLE_CLIENTS = 1000;

/** A JSON array of records, as applications send them. */
function jsonText(length: number): string {
  let text = '[';
  for (let id = 0; text.length < length; id += 1) {
    const price = ((id * 7919) % 50_000) / 100;
    const record = {
      id,
      user: `user${(id * 31) % 977}`,
      text: `Item ${id % 89} costs ${price}`,
      paid: id % 3 === 0,
    };
    text += `${JSON.stringify(record)},`;
  }
  return text.slice(0, length);
}

function sizeText(bytes: number): string {
  if (bytes >= MEBIBYTE) return `${bytes / MEBIBYTE} MiB`;
  return bytes >= KIBIBYTE ? `${bytes / KIBIBYTE} KiB` : `${bytes} B`;
}

function printTable(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): void {
  const lines = [columns, columns.map(() => '---:'), ...rows];
  console.log(`\n${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`);
}

/** CPU time of this process in microseconds. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Returns the CPU time of one call in microseconds: the best of several rounds. */
function timeOf(run: () => unknown): number {
  run();
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const [start, end] = [cpuTime(), performance.now() + ROUND_MS];
    let count = 0;
    for (; performance.now() < end || count === 0; count += 1) run();
    best = Math.min(best, (cpuTime() - start) / count);
  }
  return Math.round(best);
}

function deflateAt(level: number, data: Buffer): Buffer {
  return deflateRawSync(data, { level, finishFlush: constants.Z_SYNC_FLUSH });
}

function measureMessages(): void {
  const levels = [1, 3, 6];
  const rows = SIZES.map((size) => {
    const data = Buffer.from(jsonText(size));
    const message = deflateMessage(data, size);
    const row: (string | number)[] = [
      sizeText(size),
      timeOf(() => deflateMessage(data, size)),
      message.length,
      timeOf(() => inflateMessage(message, size)),
    ];
    for (const level of levels) {
      row.push(
        timeOf(() => deflateAt(level, data)),
        deflateAt(level, data).length,
      );
    }
    return row;
  });
  const columns = levels.flatMap((level) => [`level ${level}, µs`, 'bytes']);
  printTable(['JSON', 'deflate, µs', 'bytes', 'inflate, µs', ...columns], rows);
}

/** The longest messages of a client: zeros, and blocks of deflate that have tables and no content. */
function measureLongest(): void {
  const limit = 2 * MEBIBYTE;
  const zeros = deflateAt(9, Buffer.alloc(limit)).subarray(0, -4);
  const json = deflateMessage(Buffer.from(jsonText(limit)), limit);
  const tables = Buffer.from(
    'BMCBAAAAAACQ/2sQAAcCAAAAAED+r0EAHAgAAAAAAPm/BgFwIAAAAAAA5P8a',
    'base64',
  );
  const blocks = Buffer.concat([
    Buffer.alloc(limit - (limit % tables.length), tables),
    Buffer.alloc(1),
  ]);
  const rows = [
    ['2 MiB of zeros', zeros.length, timeOf(() => inflateMessage(zeros, limit))],
    ['one byte more', zeros.length, timeOf(() => inflateMessage(zeros, limit - 1))],
    ['2 MiB of JSON', json.length, timeOf(() => inflateMessage(json, limit))],
    ['tables without content', blocks.length, timeOf(() => inflateMessage(blocks, limit))],
  ];
  printTable(['message', 'bytes sent', 'inflate, µs'], rows);
}

const deflateInPool = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);

/** Compresses many messages at once, as for many clients, with the windows of `deflateMessage`. */
async function measureThreadPool(): Promise<void> {
  const count = 1000;
  const rows: (string | number)[][] = [];
  for (const [size, windowBits, memLevel] of [
    [KIBIBYTE, 12, 5],
    [16 * KIBIBYTE, 15, 8],
  ] as const) {
    const options = { level: 3, windowBits, memLevel, finishFlush: constants.Z_SYNC_FLUSH };
    const data = Buffer.from(jsonText(size));
    const time = timeOf(() => deflateMessage(data, size));
    const before = process.memoryUsage().rss;
    let peak = before;
    const timer = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss);
    }, 1);
    const start = cpuTime();
    await Promise.all(Array.from({ length: count }, () => deflateInPool(data, options)));
    const pooled = Math.round((cpuTime() - start) / count);
    peak = Math.max(peak, process.memoryUsage().rss);
    clearInterval(timer);
    rows.push([sizeText(size), time, pooled, Math.round((peak - before) / MEBIBYTE)]);
  }
  printTable(['JSON', 'deflate, µs', 'in the thread pool, µs', `memory for ${count}, MiB`], rows);
}

async function openClient(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/echo/000/${crypto.randomUUID()}/websocket`, {
    perMessageDeflate: { threshold: 100, zlibDeflateOptions: { level: 1 } },
  });
  await once(socket, 'message');
  return socket;
}

interface ServerCost {
  readonly echo: number;
  readonly broadcast: number;
  readonly session: number;
}

async function measureServer(compression: boolean, pinned: boolean): Promise<ServerCost> {
  const server = await ServerProcess.start({
    file: 'sockjs-server.ts',
    heartbeat: 25_000,
    pinned,
    flags: ['--min-semi-space-size=16', '--max-semi-space-size=16'],
    env: { SOCKJS_SERVER_COMPRESSION: compression ? 'on' : '' },
  });
  const usage = async (): Promise<number> => {
    const { user, system } = await server.query('usage');
    return user + system;
  };
  const text = jsonText(2 * KIBIBYTE);
  let sequence = 0;
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => openClient(server.port)));
  const echo = async (count: number): Promise<void> => {
    await Promise.all(
      clients.map(async (client) => {
        for (let sent = 0; sent < count; sent += 1) {
          sequence += 1; // No two messages are the same, so none is compressed once for several clients.
          client.send(JSON.stringify([`${sequence}${text}`]));
          await once(client, 'message');
        }
      }),
    );
  };
  const broadcast = async (): Promise<void> => {
    for (let sent = 0; sent < BROADCASTS; sent += 1) {
      sequence += 1;
      server.broadcast(`${sequence}${text}`, CLIENTS);
      await Promise.all(clients.map((client) => once(client, 'message')));
    }
  };
  await echo(ECHOES);
  let [echoTime, broadcastTime] = [Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = await usage();
    await echo(ECHOES);
    const middle = await usage();
    await broadcast();
    const end = await usage();
    echoTime = Math.min(echoTime, (middle - start) / CLIENTS / ECHOES);
    broadcastTime = Math.min(broadcastTime, (end - middle) / BROADCASTS / CLIENTS);
  }
  const { heap } = await server.query('memory');
  const idle = await Promise.all(
    Array.from({ length: IDLE_CLIENTS }, () => openClient(server.port)),
  );
  const session = ((await server.query('memory')).heap - heap) / IDLE_CLIENTS;
  for (const client of [...clients, ...idle]) client.terminate();
  await server.end();
  return { echo: echoTime, broadcast: broadcastTime, session };
}

async function measureServers(): Promise<void> {
  const pinned = pinLoad();
  const [off, on] = [await measureServer(false, pinned), await measureServer(true, pinned)];
  printTable(
    ['', 'without', 'with'],
    [
      ['echo of 2 KiB of JSON, µs', off.echo.toFixed(0), on.echo.toFixed(0)],
      [
        `broadcast of 2 KiB to ${CLIENTS}, µs for each`,
        off.broadcast.toFixed(1),
        on.broadcast.toFixed(1),
      ],
      [
        'heap of an idle session, KiB',
        (off.session / KIBIBYTE).toFixed(1),
        (on.session / KIBIBYTE).toFixed(1),
      ],
    ],
  );
}

measureMessages();
measureLongest();
await measureThreadPool();
await measureServers();

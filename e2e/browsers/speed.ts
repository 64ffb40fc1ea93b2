/**
 * Compares the browser client with sockjs-client in Chromium, in interleaved rounds: time to open and to the first
 * echo, bytes on the wire, and CPU time of the page for 10,000 messages each way. Prints a table.
 *
 *   npm run bench:client                 9 rounds, about 4 minutes
 *   npm run bench:client -- --rounds 3
 */
import { readFile } from 'node:fs/promises';
import { type Server, createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { type Page, chromium } from 'playwright-core';
import type { TransportName } from '../../client/index.ts';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { listen } from '../../testkit/server.ts';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '9' } } });
const ROUNDS = Number(options.rounds);
const OPENS_PER_ROUND = 5;
const MESSAGES = 10_000;
const WIRE_MESSAGES = 1000;

const CLIENTS = ['sockjs-client', 'this client'] as const;
const TRANSPORTS: readonly TransportName[] = [
  'websocket',
  'xhr-streaming',
  'eventsource',
  'xhr-polling',
];

class Echo extends SockJSConnection {
  override onMessage(message: string): void {
    this.send(message);
  }
}

/** Server of the sessions alone, which counts the bytes of its connections. */
class CountingServer {
  readonly server: Server = createServer();
  readonly #sockets = new Set<Socket>();

  constructor(origin: string) {
    const settings = {
      allowedOrigins: [origin],
      maxMessagesPerSecond: 1_000_000,
      logger: false,
    } as const;
    new SockJSRouter(Echo, '/echo', settings).attach(this.server);
    this.server.on('connection', (socket: Socket) => this.#sockets.add(socket));
  }

  get bytes(): number {
    return [...this.#sockets].reduce(
      (sum, { bytesRead, bytesWritten }) => sum + bytesRead + bytesWritten,
      0,
    );
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
  }
}

async function startPage(): Promise<{ readonly server: Server; readonly origin: string }> {
  const require = createRequire(import.meta.url);
  const html = await readFile(new URL('speed.html', import.meta.url));
  const script = await readFile(require.resolve('sockjs-client/dist/sockjs.min.js'));
  const server = createServer((request, response) => {
    const isScript = request.url === '/sockjs.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : html);
  });
  new SockJSRouter(Echo, '/websocket', { logger: false }).attach(server);
  return { server, origin: `http://127.0.0.1:${await listen(server)}` };
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? NaN;
}

/** Calls a function of the page. */
async function call(page: Page, name: string, ...args: readonly unknown[]): Promise<unknown> {
  const list = args.map((arg) => JSON.stringify(arg)).join(', ');
  return page.evaluate<unknown>(`${name}(${list})`);
}

/** Returns a function that returns the CPU time of the page's main thread since now, in milliseconds. */
async function startTaskTimer(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const taskTime = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics');
    return 1000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN);
  };
  const start = await taskTime();
  return async () => (await taskTime()) - start;
}

const FIGURES = ['open, ms', 'first echo, ms', 'wire, KB', 'CPU, ms'] as const;
type Figure = (typeof FIGURES)[number];
const samples = new Map<string, number[]>();

function record(figure: Figure, transport: string, client: string, value: number): void {
  const key = `${figure} ${transport} ${client}`;
  samples.set(key, [...(samples.get(key) ?? []), value]);
}

const site = await startPage();
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});

/** Measures a part in a new page, with a new server of the sessions. */
async function inPage(
  measure: (page: Page, url: string, server: CountingServer) => Promise<void>,
): Promise<void> {
  const counting = new CountingServer(site.origin);
  const url = `http://127.0.0.1:${await listen(counting.server)}/echo`;
  const page = await browser.newPage();
  await page.goto(site.origin);
  await page.waitForFunction('window.exchange !== undefined');
  await measure(page, url, counting);
  await page.close();
  counting.stop();
}

/** Opens both clients in turn, so that a busy machine slows both. @param clients in the order of the round */
async function measureOpening(transport: TransportName, clients: readonly string[]): Promise<void> {
  await inPage(async (page, url) => {
    // The first one of each is not counted: its code is compiled, and its connections are new.
    for (let count = 0; count <= OPENS_PER_ROUND; count += 1) {
      for (const client of clients) {
        const times = await call(page, 'openOnce', client, url, transport);
        if (count === 0) continue;
        const [open, first] = times as [number, number];
        record('open, ms', transport, client, open);
        record('first echo, ms', transport, client, first);
      }
    }
  });
}

async function measureMessages(transport: TransportName, client: string): Promise<void> {
  await inPage(async (page, url, server) => {
    const before = server.bytes;
    await call(page, 'openClient', client, url, transport);
    await call(page, 'exchange', WIRE_MESSAGES);
    record('wire, KB', transport, client, (server.bytes - before) / 1000);
    await call(page, 'exchange', MESSAGES);
    const taskTime = await startTaskTimer(page);
    await call(page, 'exchange', MESSAGES);
    record('CPU, ms', transport, client, await taskTime());
  });
}

try {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const transport of TRANSPORTS) {
      // Alternates, so that neither client always comes first.
      const clients = round % 2 === 0 ? CLIENTS : CLIENTS.toReversed();
      await measureOpening(transport, clients);
      for (const client of clients) await measureMessages(transport, client);
    }
  }
} finally {
  await browser.close();
  site.server.closeAllConnections();
  site.server.close();
}

console.log(`| transport | | ${FIGURES.join(' | ')} |`);
console.log('| --- | --- | --- | --- | --- | --- |');
for (const transport of TRANSPORTS) {
  for (const client of CLIENTS) {
    const cells = FIGURES.map((figure) =>
      median(samples.get(`${figure} ${transport} ${client}`) ?? []).toFixed(1),
    );
    console.log(`| ${transport} | ${client} | ${cells.join(' | ')} |`);
  }
}

/**
 * Two servers of different origins: the page's own, and another that admits the page at some of its
 * services and refuses it at others. Each transport has services of its own, so that what a service saw
 * tells what that transport did.
 */
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { type SockJSSettings, SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { TEXTS } from './texts.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { listen, stop } from '../../testkit/server.ts';

/** What the server closes with when it is asked to. */
export const CLOSING = { code: 4321, reason: 'Until “tomorrow”' } as const;

/** One router, and all that came to it. */
export class Station {
  readonly router: SockJSRouter;
  readonly logger = new RecordingLogger();
  readonly received: string[] = [];
  /** Codes that `onClose` was given. */
  readonly closings: number[] = [];
  opened = 0;
  /** Paths below the prefix. */
  readonly requests: string[] = [];

  constructor(prefix: string, settings: SockJSSettings) {
    this.router = new SockJSRouter(subjectOf(this), prefix, {
      // Browsers cannot abort a script: of a closed jsonp client the server learns after the next heartbeat.
      heartbeatDelay: 2000,
      disconnectDelay: 2000,
      sessionCheckInterval: 50,
      logger: this.logger,
      ...settings,
    });
  }

  note(path: string): boolean {
    if (!path.startsWith(`${this.router.prefix}/`)) return false;
    this.requests.push(path.slice(this.router.prefix.length));
    return true;
  }
}

/** Settings by prefix. */
export type Services = ReadonlyMap<string, SockJSSettings>;

/** Echoes, closes when told to, and reports to the station. */
function subjectOf(station: Station): new () => SockJSConnection {
  return class extends SockJSConnection {
    override onOpen(): void {
      station.opened += 1;
    }

    override onMessage(message: string): void {
      if (message === 'close') return this.close(CLOSING.code, CLOSING.reason);
      station.received.push(message);
      this.send(message);
    }

    override onClose(code: number): void {
      station.closings.push(code);
    }
  };
}

type Files = ReadonlyMap<string, { readonly type: string; readonly body: string }>;

/** A server that can be killed and started again on its port, without memory of what was before. */
export class Site {
  readonly #files: Files;
  #services: Services = new Map();
  #stations: ReadonlyMap<string, Station> = new Map();
  #server: Server = createServer();
  readonly #sockets = new Set<Socket>();
  #port = 0;

  constructor(files: Files = new Map()) {
    this.#files = files;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  station(prefix: string): Station {
    const station = this.#stations.get(prefix);
    if (station === undefined) throw new Error(`There is no service at ${prefix}.`);
    return station;
  }

  provide(services: Services): void {
    this.#services = services;
    this.#stations = new Map(
      [...services].map(([prefix, settings]) => [prefix, new Station(prefix, settings)]),
    );
  }

  async start(): Promise<void> {
    this.provide(this.#services);
    this.#server = createServer((request, response) => this.#answer(request, response))
      .on('upgrade', (request, socket, head) => {
        const path = request.url ?? '';
        const station = [...this.#stations.values()].find((candidate) => candidate.note(path));
        if (station?.router.handleUpgrade(request, socket, head) !== true) socket.destroy();
      })
      .on('connection', (socket: Socket) => {
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
      });
    this.#port = await listen(this.#server, this.#port);
  }

  /** Every connection is cut, as when the process ends. */
  async kill(): Promise<void> {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await stop(this.#server);
    const routers = [...this.#stations.values()].map(({ router }) => router);
    await Promise.all(routers.map((router) => router.close({ timeout: 1 })));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    const station = [...this.#stations.values()].find((candidate) => candidate.note(path));
    if (station !== undefined) {
      station.router.handle(request, response);
      return;
    }
    const file = this.#files.get(path.replace(/\?.*/, ''));
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Type': file.type }).end(file.body);
  }
}

const JAVASCRIPT = 'text/javascript; charset=UTF-8';

/** JSON of ASCII characters only, so that nothing but JSON can change a text. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[^ -~]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function read(name: string): Promise<string> {
  return readFile(new URL(name, import.meta.url), 'utf8');
}

/** What the page consists of; the client is the file of the package. */
export async function pageFiles(): Promise<Files> {
  const client = createRequire(import.meta.url).resolve('sockjs-client/dist/sockjs.min.js');
  return new Map([
    ['/', { type: 'text/html; charset=UTF-8', body: await read('page.html') }],
    ['/page.js', { type: JAVASCRIPT, body: await read('page.js') }],
    ['/setup.js', { type: JAVASCRIPT, body: await read('setup.js') }],
    ['/sockjs.js', { type: JAVASCRIPT, body: await readFile(client, 'utf8') }],
    ['/texts.json', { type: 'application/json', body: asciiJson(TEXTS) }],
    ['/favicon.ico', { type: 'image/x-icon', body: '' }],
  ]);
}

/**
 * Servers of two origins: the one of the page, and one that allows the page at some services and refuses it at
 * others. Each transport has its own services, so that their records show what the transport did.
 */
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { type SockJSSettings, SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { TEXTS } from './texts.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { resetSocket } from '../../testkit/reset-socket.ts';
import { listen, reservedPorts, stop } from '../../testkit/server.ts';

/** Close status for the message `close`. */
export const CLOSE_STATUS = { code: 4321, reason: 'Until “tomorrow”' } as const;

/** One router with a record of its requests and messages. */
export class MeasuredService {
  readonly router: SockJSRouter;
  readonly logger = new RecordingLogger();
  readonly received: string[] = [];
  /** Codes of the calls of `onClose`. */
  readonly closings: number[] = [];
  opened = 0;
  /** Paths below the prefix. */
  readonly requests: string[] = [];
  /** The requests of these paths. */
  readonly incoming: IncomingMessage[] = [];

  constructor(prefix: string, settings: SockJSSettings) {
    this.router = new SockJSRouter(recordingConnection(this), prefix, {
      // Browsers cannot abort a script, so the server notices the end of a jsonp client after the next heartbeat.
      heartbeatDelay: 2000,
      disconnectDelay: 2000,
      sessionCheckInterval: 50,
      logger: this.logger,
      ...settings,
    });
  }

  record(request: IncomingMessage): boolean {
    const path = request.url ?? '';
    if (!path.startsWith(`${this.router.prefix}/`)) return false;
    this.requests.push(path.slice(this.router.prefix.length));
    this.incoming.push(request);
    return true;
  }
}

/** Settings by prefix. */
export type Services = ReadonlyMap<string, SockJSSettings>;

/** Echoes messages, closes on `close`, and records everything in the service. */
function recordingConnection(service: MeasuredService): new () => SockJSConnection {
  return class extends SockJSConnection {
    override onOpen(): void {
      service.opened += 1;
    }

    override onMessage(message: string): void {
      if (message === 'close') return this.close(CLOSE_STATUS.code, CLOSE_STATUS.reason);
      service.received.push(message);
      this.send(message);
    }

    override onClose(code: number): void {
      service.closings.push(code);
    }
  };
}

export type Files = ReadonlyMap<string, { readonly type: string; readonly body: string }>;

/** A server that can be killed and restarted on its port with new services. */
export class Site {
  readonly #files: Files;
  #definitions: Services = new Map();
  #services: ReadonlyMap<string, MeasuredService> = new Map();
  #server: Server = createServer();
  readonly #sockets = new Set<Socket>();
  #port = 0;

  constructor(files: Files = new Map()) {
    this.#files = files;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  service(prefix: string): MeasuredService {
    const service = this.#services.get(prefix);
    if (service === undefined) throw new Error(`There is no service at ${prefix}.`);
    return service;
  }

  provide(definitions: Services): void {
    this.#definitions = definitions;
    this.#services = new Map(
      [...definitions].map(([prefix, settings]) => [prefix, new MeasuredService(prefix, settings)]),
    );
  }

  async start(): Promise<void> {
    this.provide(this.#definitions);
    this.#server = createServer((request, response) => this.#respond(request, response))
      .on('upgrade', (request, socket, head) => {
        const service = this.#record(request);
        if (service?.router.handleUpgrade(request, socket, head) !== true) socket.destroy();
      })
      .on('connection', (socket: Socket) => {
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
      });
    if (this.#port === 0) [this.#port = 0] = await reservedPorts(1);
    await listen(this.#server, this.#port);
  }

  /** Resets every connection, as the end of the process does. */
  async kill(): Promise<void> {
    for (const socket of this.#sockets) resetSocket(socket);
    await stop(this.#server);
    const routers = [...this.#services.values()].map(({ router }) => router);
    await Promise.all(routers.map((router) => router.close({ timeout: 1 })));
  }

  #record(request: IncomingMessage): MeasuredService | undefined {
    return [...this.#services.values()].find((service) => service.record(request));
  }

  #respond(request: IncomingMessage, response: ServerResponse): void {
    const service = this.#record(request);
    if (service !== undefined) {
      service.router.handle(request, response);
      return;
    }
    const file = this.#files.get((request.url ?? '').replace(/\?.*/, ''));
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Type': file.type }).end(file.body);
  }
}

const JAVASCRIPT = 'text/javascript; charset=UTF-8';

/** JSON of ASCII characters only, so that no other encoding can change a text. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[^ -~]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function read(name: string): Promise<string> {
  return readFile(new URL(name, import.meta.url), 'utf8');
}

/** Files of the pages. sockjs-client is the one of its package. */
export async function pageFiles(): Promise<Files> {
  const client = createRequire(import.meta.url).resolve('sockjs-client/dist/sockjs.min.js');
  return new Map([
    ['/', { type: 'text/html; charset=UTF-8', body: await read('page.html') }],
    ['/page.js', { type: JAVASCRIPT, body: await read('page.js') }],
    ['/client', { type: 'text/html; charset=UTF-8', body: await read('client-page.html') }],
    ['/client-page.js', { type: JAVASCRIPT, body: await read('client-page.js') }],
    ['/empty', { type: 'text/html; charset=UTF-8', body: '<!doctype html><title>empty</title>' }],
    ['/setup.js', { type: JAVASCRIPT, body: await read('setup.js') }],
    ['/sockjs.js', { type: JAVASCRIPT, body: await readFile(client, 'utf8') }],
    ['/texts.json', { type: 'application/json', body: asciiJson(TEXTS) }],
    ['/favicon.ico', { type: 'image/x-icon', body: '' }],
  ]);
}

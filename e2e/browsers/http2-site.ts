/** A server of HTTP/2 and HTTP/1.1 on one port with TLS, and a record of its connections. */
import {
  type Http2SecureServer,
  type Http2Session,
  type Settings,
  createSecureServer,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { selfSignedCertificate } from '../../testkit/certificate.ts';
import { listen } from '../../testkit/server.ts';
import type { ServedSite } from './endpoints.ts';
import { type Files, MeasuredService } from './servers.ts';

const CERTIFICATE = selfSignedCertificate();

export class Http2Site implements ServedSite {
  readonly #files: Files;
  readonly #prefixes: readonly string[];
  readonly #settings: Settings;
  #services: ReadonlyMap<string, MeasuredService> = new Map();
  #server: Http2SecureServer | undefined;
  #port = 0;
  readonly #sockets = new Set<Socket>();
  /** Connections over HTTP/2 that had a stream. A browser may open one more, and not use it. */
  readonly http2 = new Set<Http2Session>();
  /** Number of connections over HTTP/1.1. */
  http1 = 0;

  constructor(files: Files, prefixes: readonly string[], settings: Settings) {
    this.#files = files;
    this.#prefixes = prefixes;
    this.#settings = settings;
  }

  get origin(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  get services(): readonly MeasuredService[] {
    return [...this.#services.values()];
  }

  service(prefix: string): MeasuredService {
    const service = this.#services.get(prefix);
    if (service === undefined) throw new Error(`There is no service at ${prefix}.`);
    return service;
  }

  /** Starts a server with new services and a new record. */
  async start(): Promise<void> {
    this.http2.clear();
    this.http1 = 0;
    const server = createSecureServer({
      ...CERTIFICATE,
      allowHTTP1: true,
      settings: this.#settings,
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol !== 'h2') this.http1 += 1;
    });
    server.on('session', (session: Http2Session) => {
      session.once('stream', () => this.http2.add(session));
    });
    server.on('request', (request, response) => {
      const file = this.#files.get(request.url.replace(/\?.*/, ''));
      if (file === undefined) response.writeHead(404).end();
      else response.writeHead(200, { 'Content-Type': file.type }).end(file.body);
    });
    this.#services = new Map(
      this.#prefixes.map((prefix) => [prefix, new MeasuredService(prefix, {})]),
    );
    for (const { router } of this.services) router.attach(server);
    this.#server = server;
    this.#port = await listen(server, this.#port);
  }

  /**
   * Closes every connection, as the end of the process does. It does not reset them: the socket below a TLS connection
   * does not tell whether it is being ended, as `resetSocket` has to know.
   */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    const stopped = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.destroy();
    await stopped;
    await Promise.all(this.services.map(({ router }) => router.close({ timeout: 1 })));
  }
}

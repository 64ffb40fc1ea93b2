/** Two servers of different origins, each with an echo service. The first one also serves pages with any policy. */
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { createRequire } from 'node:module';
import { SockJSRouter } from '../../src/index.ts';
import { Echo, listen, stop } from '../../testkit/server.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

const HTML = 'text/html; charset=UTF-8';
const SCRIPT = 'text/javascript; charset=UTF-8';

const CLIENT = createRequire(import.meta.url).resolve('sockjs-client/dist/sockjs.min.js');

const FILES = new Map<string, readonly [type: string, file: string | URL]>([
  ['/', [HTML, new URL('policy-frames.html', import.meta.url)]],
  ['/policy-frames.js', [SCRIPT, new URL('policy-frames.js', import.meta.url)]],
  ['/policy-page.html', [HTML, new URL('policy-page.html', import.meta.url)]],
  ['/policy-page.js', [SCRIPT, new URL('policy-page.js', import.meta.url)]],
  ['/sockjs.js', [SCRIPT, CLIENT]],
]);

async function respond({ url }: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(url ?? '', 'http://site');
  const [type, file] = FILES.get(pathname) ?? [];
  if (type === undefined || file === undefined) {
    response.writeHead(404).end();
    return;
  }
  const policy = searchParams.get('policy');
  if (policy !== null) response.setHeader('Content-Security-Policy', policy);
  response.writeHead(200, { 'Content-Type': type }).end(await readFile(file));
}

export class PolicySite {
  readonly #logger = new RecordingLogger();
  readonly #pages = createServer((request, response) => void respond(request, response));
  readonly #other = createServer();
  readonly #routers: SockJSRouter[] = [];
  /** Origin of the pages. */
  origin = '';
  otherOrigin = '';

  async start(): Promise<void> {
    this.origin = `http://127.0.0.1:${await listen(this.#pages)}`;
    this.otherOrigin = `http://127.0.0.1:${await listen(this.#other)}`;
    for (const server of [this.#pages, this.#other]) {
      const settings = { allowedOrigins: [this.origin], logger: this.#logger };
      const router = new SockJSRouter(Echo, '/echo', settings);
      router.attach(server);
      this.#routers.push(router);
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#routers.map((router) => router.close({ timeout: 100 })));
    await Promise.all([stop(this.#pages), stop(this.#other)]);
    this.#logger.assertNoProblems();
  }
}

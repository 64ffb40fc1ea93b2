/**
 * The files of the site as a table from path to file. A path that is not in the table does not exist, so clients
 * cannot reach other files.
 */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { extname } from 'node:path';

const TYPES = new Map([
  ['.html', 'text/html; charset=UTF-8'],
  ['.js', 'text/javascript; charset=UTF-8'],
  ['.css', 'text/css; charset=UTF-8'],
  ['.svg', 'image/svg+xml'],
]);

const HEADERS = {
  // Nothing inline and nothing from other hosts. WebSockets to this server are 'self' too.
  'Content-Security-Policy':
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache',
};

function here(path: string): URL {
  return new URL(path, import.meta.url);
}

function installed(specifier: string): URL {
  return new URL(import.meta.resolve(specifier));
}

/** Files of packages. Browsers get ES modules, where `import` in Node would find CommonJS. */
const PACKAGE = installed('sockjs-server/package.json');

const SHARED: readonly (readonly [path: string, file: URL])[] = [
  ['/style.css', here('style.css')],
  ['/icon.svg', here('icon.svg')],
  ['/connect.js', here('connect.js')],
  ['/log.js', here('log.js')],
  ['/client.js', new URL('dist/esm/client.js', PACKAGE)],
  ['/multiplex-client.js', new URL('dist/esm/client/multiplex-client.js', PACKAGE)],
  ['/uplot.js', installed('uplot/dist/uPlot.esm.js')],
  ['/uplot.css', installed('uplot/dist/uPlot.min.css')],
];

/** @param examples names of folders with a page. A single one is the home page too. */
export function filesFor(examples: readonly string[]): ReadonlyMap<string, URL> {
  const [only, ...others] = examples;
  const home = others.length === 0 ? `../${only}/${only}.html` : 'index.html';
  const files = new Map([['/', here(home)], ...SHARED]);
  for (const name of examples) {
    files.set(`/${name}.html`, here(`../${name}/${name}.html`));
    files.set(`/${name}.js`, here(`../${name}/${name}.js`));
  }
  return files;
}

function refuse(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { ...HEADERS, 'Content-Type': 'text/plain; charset=UTF-8' }).end(body);
}

async function respond(
  files: ReadonlyMap<string, URL>,
  { method, url = '' }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path = ''] = url.split('?', 1);
  const file = files.get(path);
  if (file === undefined) {
    refuse(response, 404, 'Not found.\n');
  } else if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    refuse(response, 405, 'Only GET and HEAD.\n');
  } else {
    const type = TYPES.get(extname(file.pathname)) ?? 'application/octet-stream';
    const body = await readFile(file);
    response.writeHead(200, { ...HEADERS, 'Content-Type': type, 'Content-Length': body.length });
    response.end(body);
  }
}

/** Creates a request listener that serves these files, and 404 for other paths. */
export function serveFiles(files: ReadonlyMap<string, URL>): RequestListener {
  return (request, response) => {
    respond(files, request, response).catch((error: unknown) => {
      console.error(error);
      refuse(response, 500, 'This file cannot be read.\n');
    });
  };
}

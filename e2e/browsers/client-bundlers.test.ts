/** The packed browser client inside applications: Vite (development server and build), webpack, and a plain page. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { build, createServer as createViteServer } from 'vite';
import webpack from 'webpack';
import { SockJSRouter } from '../../src/index.ts';
import { temporaryDirectory } from '../../testkit/process.ts';
import { Echo, portOf, startServer } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';
import { createProject, pack } from '../../test/package/project.ts';
import { type Browser, openBrowser } from './engines.ts';

const PAGE = `<!doctype html>
<title>waiting</title>
<link rel="icon" href="data:," />
<script type="module" src="/main.js"></script>
`;

/** Sends over the three entries. The title shows what has returned. */
const MAIN = `
import { connect } from 'sockjs-server/client';
import { connect as connectCore, xhrPolling } from 'sockjs-server/client/core';
import SockJS from 'sockjs-client';
import { MultiplexClient } from 'sockjs-server/multiplex-client';

const url = new URLSearchParams(location.search).get('url');
const sockets = [connect(url), connectCore(url, { transports: [xhrPolling] }), new SockJS(url)];
new MultiplexClient(sockets[0]);
const echoes = sockets.map((socket, index) => new Promise((resolve) => {
  socket.onopen = () => socket.send(String(index));
  socket.onmessage = ({ data }) => resolve(data);
}));
Promise.all(echoes).then((echoed) => { document.title = echoed.join(' '); });
`;

const ALIAS = { 'sockjs-client': 'sockjs-server/client/sockjs' };

let browser: Browser;
const project = join(await temporaryDirectory({ after }), 'app');

before(async () => {
  browser = await openBrowser('Chromium');
  await createProject(project, await pack(await temporaryDirectory({ after })));
  writeFileSync(join(project, 'index.html'), PAGE);
  writeFileSync(join(project, 'main.js'), MAIN);
});

after(() => browser.end());

/** Opens the page of the application at an origin, and waits for its echoes. */
async function assertEchoes(t: TestContext, origin: string): Promise<void> {
  const server = createServer();
  const router = new SockJSRouter(Echo, '/echo', { allowedOrigins: [origin], logger: false });
  router.attach(server);
  const port = await startServer(t, server);
  const url = encodeURIComponent(`http://127.0.0.1:${port}/echo`);
  const tab = await browser.open(`${origin}/?url=${url}`);
  const state = { title: '', errors: [] as readonly string[] };
  await until(
    async () => {
      state.title = String(await tab.evaluate('document.title'));
      state.errors = await tab.errors();
      return state.title === '0 1 2';
    },
    'the echoes',
    { timeout: 30_000, state: () => state },
  );
  assert.deepEqual(state.errors, []);
  await tab.close();
}

/** Serves a built application. @returns its origin */
async function serveFiles(t: TestContext, directory: string): Promise<string> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '', 'http://localhost').pathname;
    const type = path === '/' ? 'text/html' : 'text/javascript';
    const file = join(directory, path === '/' ? 'index.html' : path);
    response.writeHead(200, { 'Content-Type': type }).end(readFileSync(file));
  });
  return `http://127.0.0.1:${await startServer(t, server)}`;
}

const VITE = { root: project, logLevel: 'error', resolve: { alias: ALIAS } } as const;

test('the development server of Vite', async (t) => {
  const server = await createViteServer({
    ...VITE,
    configFile: false,
    server: { host: '127.0.0.1', port: 0 },
  });
  t.after(() => server.close());
  await server.listen();
  const { httpServer } = server;
  assert.ok(httpServer !== null);
  if (!httpServer.listening) await once(httpServer, 'listening');
  const address = httpServer.address();
  assert.ok(typeof address === 'object' && address !== null);
  await assertEchoes(t, `http://127.0.0.1:${address.port}`);
});

test('a build of Vite', async (t) => {
  await build({ ...VITE, configFile: false });
  await assertEchoes(t, await serveFiles(t, join(project, 'dist')));
});

test('a build of webpack', async (t) => {
  const directory = join(project, 'webpack');
  mkdirSync(directory);
  writeFileSync(join(directory, 'index.html'), PAGE);
  const compiler = webpack({
    context: project,
    entry: './main.js',
    mode: 'production',
    output: { filename: 'main.js', path: directory },
    resolve: { alias: ALIAS },
  });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  assert.deepEqual([stats?.compilation.errors, stats?.compilation.warnings], [[], []]);
  await assertEchoes(t, await serveFiles(t, directory));
});

test('a plain page with the module of the router', async (t) => {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(`<!doctype html>
      <link rel="icon" href="data:," />
      <script type="module">
        import { connect } from '/echo/client.js';
        const socket = connect('/echo');
        socket.onopen = () => socket.send('plain');
        socket.onmessage = ({ data }) => { document.title = data; };
      </script>`);
  });
  new SockJSRouter(Echo, '/echo', { logger: false }).attach(server);
  await startServer(t, server);
  const tab = await browser.open(`http://127.0.0.1:${portOf(server)}/`);
  await until(async () => (await tab.evaluate('document.title')) === 'plain', 'the echo');
  assert.deepEqual(await tab.errors(), []);
  await tab.close();
});

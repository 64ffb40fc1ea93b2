/**
 * The first screen of the README in Chromium, as a plain page, and with the development server and a build of Vite:
 * restarts and the back/forward cache.
 */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, after, before, test } from 'node:test';
import { build, createServer, preview } from 'vite';
import { createProject, pack } from '../../test/package/project.ts';
import { Program, temporaryDirectory } from '../../testkit/process.ts';
import { portOf } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';
import { type Browser, type Tab, openBrowser } from './engines.ts';

/** Returns the code of the first block of a language. */
function block(text: string, language: string): string {
  const code = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'm').exec(text)?.[1];
  assert.ok(code !== undefined, `a ${language} block`);
  return code;
}

/** Replaces a part that the text must have. */
function change(text: string, from: string, to: string): string {
  assert.ok(text.includes(from), from);
  return text.replace(from, to);
}

const README = readFileSync('README.md', 'utf8');
const [, BUNDLERS = ''] = readFileSync('docs/client.md', 'utf8').split('\n## Bundlers');

const SERVER = change(
  block(README, 'js'),
  "server.listen(9999, () => console.log('Open http://localhost:9999'));",
  "server.listen(Number(process.env.PORT), 'localhost', () => console.log('port: ' + server.address().port));",
);

/** Page of the README. Its socket and the event of its return are visible to the test. */
const PAGE = change(
  block(README, 'html'),
  "const socket = connect('/echo');",
  `const socket = (globalThis.socket = connect('/echo'));
    addEventListener('pageshow', ({ persisted }) => { globalThis.restored = persisted; });`,
);

let browser: Browser;
const project = join(await temporaryDirectory({ after }), 'app');

before(async () => {
  browser = await openBrowser('Chromium');
  await createProject(project, await pack(await temporaryDirectory({ after })));
  writeFileSync(join(project, 'server.mjs'), SERVER);
});

after(() => browser.end());

/** Starts the server of the README. @param port 0 for a free one */
async function startReadme(t: TestContext, directory: string, port = 0) {
  const env = { PORT: String(port) };
  const program = new Program(process.execPath, ['server.mjs'], { cwd: directory, env });
  t.after(() => program.stop());
  const [, actual] = await program.prints(/port: (\d+)/);
  return { program, port: Number(actual) };
}

/** Waits for a rendered text, which the source of the page's script is not. */
async function assertShows(tab: Tab, text: string): Promise<void> {
  const shown = async () => String(await tab.evaluate('document.body.innerText'));
  await until(async () => (await shown()).includes(text), `${text} in the page`, {
    timeout: 15_000,
  });
}

/** Leaves the page and returns to it. */
async function leaveAndReturn(tab: Tab, elsewhere: string): Promise<void> {
  const at = (path: string) => async () =>
    (await tab.evaluate('location.pathname').catch(() => '')) === path;
  await tab.evaluate(`void setTimeout(() => { location.href = '${elsewhere}'; })`);
  await until(at(elsewhere), 'the other page');
  await tab.evaluate('void setTimeout(() => history.back())');
  await until(at('/'), 'the page');
}

/** Opens a page, and restarts the server behind it. */
async function assertReconnects(t: TestContext, origin: string, started: Started): Promise<Tab> {
  const tab = await browser.open(origin);
  await assertShows(tab, 'Hello!');

  await started.program.stop('SIGKILL');
  await until(() => tab.evaluate('socket.readyState === 0'), 'the loss of the connection');
  assert.equal(await tab.evaluate("socket.send('meanwhile')"), true);
  await startReadme(t, started.directory, started.port);
  await assertShows(tab, 'meanwhile');
  return tab;
}

/** Restarts the server behind a page, and restores the page from the back/forward cache. */
async function assertReturns(t: TestContext, origin: string, started: Started): Promise<void> {
  const tab = await assertReconnects(t, origin, started);
  await leaveAndReturn(tab, '/elsewhere');
  await until(() => tab.evaluate('globalThis.restored === true'), 'the page from the cache');
  await tab.evaluate("socket.send('restored')");
  await assertShows(tab, 'restored');
  await tab.close();
}

interface Started {
  readonly program: Program;
  readonly port: number;
  readonly directory: string;
}

test('the plain page survives a restart and returns from the cache', async (t) => {
  writeFileSync(join(project, 'index.html'), PAGE);
  const started = await startReadme(t, project);
  const origin = `http://localhost:${started.port}/`;
  await assertReturns(t, origin, { ...started, directory: project });
});

/** Writes the application for Vite with the proxy of docs/client.md, and starts the server of the README. */
async function startWithVite(t: TestContext): Promise<Started> {
  const directory = join(await temporaryDirectory(t), 'vite');
  cpSync(project, directory, { recursive: true });
  const page = change(PAGE, "'/echo/client.js'", "'sockjs-server/client'");
  writeFileSync(join(directory, 'index.html'), page);
  const started = await startReadme(t, directory);
  const config = change(block(BUNDLERS, 'js'), 'localhost:9999', `localhost:${started.port}`);
  writeFileSync(join(directory, 'vite.config.js'), config);
  return { ...started, directory };
}

test('a page of the development server of Vite survives a restart', async (t) => {
  const started = await startWithVite(t);
  // Its own WebSocket keeps pages out of the back/forward cache.
  const server = await createServer({
    root: started.directory,
    logLevel: 'silent',
    server: { host: 'localhost', port: 0 },
  });
  t.after(() => server.close());
  await server.listen();
  const { httpServer } = server;
  assert.ok(httpServer !== null);
  const tab = await assertReconnects(t, `http://localhost:${portOf(httpServer)}/`, started);
  await tab.close();
});

test('a page built by Vite survives a restart and returns from the cache', async (t) => {
  const started = await startWithVite(t);
  const root = started.directory;
  await build({ root, logLevel: 'error' });
  const server = await preview({ root, logLevel: 'silent', preview: { port: 0 } });
  t.after(() => server.close());
  const origin = server.resolvedUrls?.local[0];
  assert.ok(origin !== undefined);
  await assertReturns(t, origin, started);
});

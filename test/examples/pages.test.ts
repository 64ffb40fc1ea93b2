/** Pages of the demo site: their files, content types and policies. They load nothing from other hosts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { printedPort, startExample } from './example.ts';
import { type RawResponse, httpRequest } from '../../testkit/raw-http.ts';

const site = startExample('index.ts');
const port = await printedPort(site);

after(async () => {
  site.kill('SIGTERM');
  assert.deepEqual(await site.exited(), { code: 0, signal: null });
  assert.equal(site.stderr, '');
});

const HTML = 'text/html; charset=UTF-8';
const SCRIPT = 'text/javascript; charset=UTF-8';
const STYLE = 'text/css; charset=UTF-8';

/** Path, type, and the file that is served. */
const PAGES = [
  ['/', HTML, 'examples/site/index.html'],
  ['/echo.html', HTML, 'examples/echo/echo.html'],
  ['/chat.html', HTML, 'examples/chat/chat.html'],
  ['/multiplex.html', HTML, 'examples/multiplex/multiplex.html'],
  ['/stats.html', HTML, 'examples/stats/stats.html'],
] as const;

const ASSETS = [
  ['/echo.js', SCRIPT, 'examples/echo/echo.js'],
  ['/chat.js', SCRIPT, 'examples/chat/chat.js'],
  ['/multiplex.js', SCRIPT, 'examples/multiplex/multiplex.js'],
  ['/stats.js', SCRIPT, 'examples/stats/stats.js'],
  ['/connect.js', SCRIPT, 'examples/site/connect.js'],
  ['/log.js', SCRIPT, 'examples/site/log.js'],
  ['/style.css', STYLE, 'examples/site/style.css'],
  ['/icon.svg', 'image/svg+xml', 'examples/site/icon.svg'],
] as const;

const INSTALLED = [
  ['/client.js', SCRIPT, 'dist/esm/client.js'],
  ['/multiplex-client.js', SCRIPT, 'dist/esm/client/multiplex-client.js'],
  ['/uplot.js', SCRIPT, 'node_modules/uplot/dist/uPlot.esm.js'],
  ['/uplot.css', STYLE, 'node_modules/uplot/dist/uPlot.min.css'],
] as const;

function get(path: string): Promise<RawResponse> {
  return httpRequest(port, { path });
}

function matches(text: string, pattern: RegExp): string[] {
  return Array.from(text.matchAll(pattern), ([, found = '']) => found);
}

for (const [path, type, file] of [...PAGES, ...ASSETS, ...INSTALLED]) {
  test(`GET ${path} returns ${file}`, async () => {
    const { status, head, body } = await get(path);
    assert.equal(status, 200);
    assert.equal(head.header('content-type'), type);
    assert.equal(head.header('x-content-type-options'), 'nosniff');
    assert.equal(body, readFileSync(file, 'utf8'));
  });
}

for (const [path, , file] of PAGES) {
  const html = readFileSync(file, 'utf8');

  test(`the policy of ${path} allows this server only, and nothing inline`, async () => {
    const { head } = await get(path);
    const policy = head.header('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'self'; /);
    assert.doesNotMatch(policy, /unsafe|\*|https?:|wss?:/);
  });

  test(`${path} has no inline script or style`, () => {
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)/);
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=/);
  });

  test(`all links of ${path} lead to pages that exist`, async () => {
    const links = matches(html, /(?:href|src)="([^"]+)"/g);
    assert.ok(links.length >= 2);
    for (const link of links) {
      const { status } = await get(new URL(link, 'http://site/').pathname);
      assert.equal(status, 200, link);
    }
  });

  test(`every field and every log of ${path} has a label`, () => {
    for (const [field] of html.matchAll(/<(?:input|select|textarea)\b/g))
      assert.match(html, new RegExp(`<label>[^<]*${field}`));
    for (const log of matches(html, /(<[^>]*role="log"[^>]*>)/g))
      assert.match(log, /aria-label(?:ledby)?="/);
  });
}

for (const [path, , file] of [...PAGES, ...ASSETS]) {
  const text = readFileSync(file, 'utf8').replaceAll(/ xmlns="[^"]+"/g, '');

  test(`${path} names no other host`, () => {
    assert.deepEqual(matches(text, /((?:[a-z]+:)\/\/[^\s"'`)]*)/gi), []);
    assert.deepEqual(matches(text, /["'`(=]\s*(\/\/[^\s"'`)]*)/g), []);
  });

  test(`all modules that ${path} imports exist`, async () => {
    for (const name of matches(text, /^import .* from '\.(\/[^']+)';$/gm))
      assert.equal((await get(name)).status, 200, name);
  });
}

for (const path of [
  '/../package.json',
  '/%2e%2e/package.json',
  '/..%2fpackage.json',
  '/..\\package.json',
  '/site/../../package.json',
  '//etc/passwd',
  '/etc/passwd',
  '/server.ts',
  '/chat/../server.ts',
  '/examples/index.ts',
  '/site/serve.ts',
  '/broadcast.html',
  '/style.css/',
  '/style.css%00.html',
  '/constructor',
  '/__proto__',
  '*',
]) {
  test(`GET ${path} returns 404`, async () => {
    const { status, head, body } = await get(path);
    assert.equal(status, 404);
    assert.equal(head.header('content-type'), 'text/plain; charset=UTF-8');
    assert.doesNotMatch(body, /sockjs|root:/);
  });
}

test('a query does not change the page', async () => {
  const { status, body } = await get('/echo.html?transport=xhr-polling');
  assert.equal(status, 200);
  assert.match(body, /<h1>Echo<\/h1>/);
});

test('HEAD returns the length and no body', async () => {
  const { status, head, body } = await httpRequest(port, { method: 'HEAD', path: '/style.css' });
  assert.equal(status, 200);
  const { length } = readFileSync('examples/site/style.css');
  assert.equal(head.header('content-length'), String(length));
  assert.equal(body, '');
});

test('POST to a page returns 405', async () => {
  const { status, head } = await httpRequest(port, { method: 'POST', path: '/chat.html' });
  assert.equal(status, 405);
  assert.equal(head.header('allow'), 'GET, HEAD');
});

for (const prefix of ['/echo', '/chat', '/multiplex', '/stats']) {
  test(`${prefix} is a SockJS service with its own client for the iframe transports`, async () => {
    assert.equal((await get(prefix)).body, 'Welcome to SockJS!\n');
    const { status, head, body } = await get(`${prefix}/iframe.html`);
    assert.equal(status, 200);
    assert.match(
      head.header('content-security-policy') ?? '',
      /^default-src 'self'; script-src 'self' 'sha256-/,
    );
    const [script = ''] = matches(body, /<script src="([^"]+)"/g);
    assert.equal(script, 'sockjs.js', 'relative to the page');
    const client = await get(`${prefix}/${script}`);
    assert.equal(client.status, 200);
    assert.match(client.body, /sockjs-client/);
  });
}

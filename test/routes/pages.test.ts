/** What only some settings show: the iframe page's policy, its script, the cookie, hints for operators. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, createServer, request as send } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { SockJSRouter, type SockJSSettings } from '../../src/index.ts';
import { Echo, Logs, listening, serve, stopped } from '../support/service.ts';

const IFRAME_POLICIES: readonly (readonly [SockJSSettings, ends: string])[] = [
  [{}, `; frame-ancestors 'self'`],
  [
    { allowedOrigins: ['https://a.com', 'https://*.b.com:8443'] },
    `; frame-ancestors 'self' https://a.com https://*.b.com:8443`,
  ],
  [{ allowedOrigins: ['null', 'https://a.com'] }, `; frame-ancestors 'self' https://a.com`],
];

async function iframe(url: string, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(`${url}/iframe.html`, { headers });
  const page = await response.text();
  const policy = response.headers.get('content-security-policy') ?? '';
  return { page, policy, caching: response.headers.get('cache-control') ?? '' };
}

for (const [settings, ends] of IFRAME_POLICIES) {
  test(`with ${JSON.stringify(settings)} the iframe page can be embedded by those that it names`, async (t) => {
    const { url } = await serve(t, settings);
    assert.ok((await iframe(url)).policy.endsWith(ends));
  });
}

test('with * admitted, everybody may embed the iframe page', async (t) => {
  const { url } = await serve(t, { allowedOrigins: '*' });
  assert.doesNotMatch((await iframe(url)).policy, /frame-ancestors/);
});

for (const [what, headers, embedders] of [
  ['that is admitted', { Referer: 'https://a.com/page' }, "'self' https://a.com"],
  ['that hides where it is', {}, "'self'"],
  ['with a name that would add to the policy', { Referer: 'https://a.com;x y' }, "'self'"],
] as const) {
  test(`where a function admits origins, a page ${what} gets a copy of the iframe page for ${embedders}`, async (t) => {
    const { url } = await serve(t, { allowedOrigins: () => true });
    const { policy, caching } = await iframe(url, headers);
    assert.ok(policy.endsWith(`; frame-ancestors ${embedders}`), policy);
    assert.match(caching, /^no-store/, 'nobody else is given it');
  });
}

test('the policy of the iframe page admits its two scripts and no other', async (t) => {
  const { url } = await serve(t);
  const { page, policy } = await iframe(url);
  const inline = /<script>([^<]*)<\/script>/.exec(page)?.[1] ?? '';
  const hash = createHash('sha256').update(inline).digest('base64');
  assert.ok(policy.startsWith(`default-src 'self'; script-src 'self' 'sha256-${hash}'`), policy);
});

test('a client script elsewhere is named, in the page and in its policy', async (t) => {
  const { url } = await serve(t, { sockjsUrl: 'https://cdn.example.com/sockjs.js?a="b"&c' });
  const { page, policy } = await iframe(url);
  assert.match(
    page,
    /<script src="https:\/\/cdn\.example\.com\/sockjs\.js\?a=&quot;b&quot;&amp;c"><\/script>/,
  );
  assert.match(policy, /script-src https:\/\/cdn\.example\.com 'sha256-/);
  assert.equal((await fetch(`${url}/sockjs.js`)).status, 404);
});

test('a client script in a file is served', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sockjs-'));
  t.after(() => rm(folder, { recursive: true }));
  writeFileSync(join(folder, 'client.js'), 'var é;');
  const { url } = await serve(t, { sockjsUrl: pathToFileURL(join(folder, 'client.js')) });
  const response = await fetch(`${url}/sockjs.js`);
  assert.equal(await response.text(), 'var é;');
  assert.equal(response.headers.get('content-type'), 'application/javascript; charset=UTF-8');
  const again = await fetch(`${url}/sockjs.js`, {
    headers: { 'If-None-Match': `W/${response.headers.get('etag')}` },
  });
  assert.equal(again.status, 304);
});

test('a client script that cannot be read is 404, with a hint in the log', async (t) => {
  const { url, logs } = await serve(t, { sockjsUrl: 'file:///no/such/file.js' });
  for (let count = 0; count < 2; count += 1)
    assert.equal((await fetch(`${url}/sockjs.js`)).status, 404);
  const warnings = logs.take();
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]?.line ?? '', /npm install sockjs-client/);
});

async function cookieOf(url: string, headers: Record<string, string>): Promise<string | null> {
  const response = await fetch(`${url}/0/${Math.random().toString(36).slice(2)}/xhr`, {
    method: 'POST',
    headers,
  });
  return response.headers.get('set-cookie');
}

test('the cookie is secure where the connection is, as a trusted proxy tells', async (t) => {
  const { url } = await serve(t, { jsessionid: true, trustedProxies: ['loopback'] });
  assert.equal(await cookieOf(url, {}), 'JSESSIONID=dummy; path=/');
  assert.equal(
    await cookieOf(url, { 'X-Forwarded-Proto': 'https' }),
    'JSESSIONID=dummy; path=/; Secure; SameSite=None',
  );
});

test('noKeepAlive closes the connection after every answer', async (t) => {
  const { url } = await serve(t, { noKeepAlive: true });
  for (const path of ['', '/info', '/nothing']) {
    assert.equal((await fetch(url + path)).headers.get('connection'), 'close');
  }
});

test('a WebSocket request that lost its Upgrade header on the way is explained in the log, once', async (t) => {
  const { url, logs } = await serve(t);
  const headers = {
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Version': '13',
  };
  for (let count = 0; count < 2; count += 1)
    assert.equal((await fetch(`${url}/websocket`, { headers })).status, 400);
  const lines = logs.take();
  assert.equal(lines.length, 1);
  assert.match(
    lines[0]?.line ?? '',
    /^\/echo: a WebSocket request arrived without its Upgrade and Connection headers/,
  );
});

test('a WebSocket request that comes as an ordinary one is explained in the log', async (t) => {
  const logs = new Logs();
  const router = new SockJSRouter(Echo, '/echo', { logger: logs });
  const server = createServer((request, response) => void router.handle(request, response));
  const port = await listening(server);
  t.after(() => stopped(server));
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Version': '13',
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    send({ port, host: '127.0.0.1', path: '/echo/websocket', headers }, resolve)
      .on('error', reject)
      .end();
  });
  response.resume();
  assert.equal(response.statusCode, 400);
  assert.match(
    logs.take()[0]?.line ?? '',
    /Middleware does not see upgrades: call attach\(server\)/,
  );
});

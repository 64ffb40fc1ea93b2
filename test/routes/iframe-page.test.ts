/** The iframe page: its policy, and the script that it loads. Its text is tested in conformance/urls.test.ts. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { SockJSSettings } from '../../src/index.ts';
import { type Headers, httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';

async function getPage(port: number, headers: Headers = []) {
  const { head, body } = await httpRequest(port, { path: '/echo/iframe.html', headers });
  const policy = head.header('Content-Security-Policy') ?? '';
  const caching = head.header('Cache-Control') ?? '';
  return { status: head.status, etag: head.header('ETag') ?? '', page: body, policy, caching };
}

const FRAME_ANCESTORS: readonly (readonly [SockJSSettings, policy: string])[] = [
  [{}, `; frame-ancestors 'self'`],
  [
    { allowedOrigins: ['https://a.com', 'https://*.b.com:8443'] },
    `; frame-ancestors 'self' https://a.com https://*.b.com:8443`,
  ],
  [{ allowedOrigins: ['null', 'https://a.com'] }, `; frame-ancestors 'self' https://a.com`],
  [
    { allowedOrigins: ['file://', 'http://localhost:*'] },
    `; frame-ancestors 'self' file: http://localhost:*`,
  ],
];

for (const [settings, policy] of FRAME_ANCESTORS) {
  test(`with ${JSON.stringify(settings)} the allowed origins may embed the page`, async (t) => {
    const { port } = await startRouter(t, settings);
    assert.ok((await getPage(port)).policy.endsWith(policy));
  });
}

test('with allowedOrigins * every page may embed the page', async (t) => {
  const { port } = await startRouter(t, { allowedOrigins: '*' });
  assert.doesNotMatch((await getPage(port)).policy, /frame-ancestors/);
});

for (const [embedder, headers, sources] of [
  ['an allowed page', [['Referer', 'https://a.com/page']], "'self' https://a.com"],
  ['a page without Referer', [], "'self'"],
  ['an Origin that is only a scheme', [['Origin', 'https://']], "'self'"],
  ['an Origin of a file', [['Origin', 'file://']], "'self' file:"],
  ['a Referer that would extend the policy', [['Referer', 'https://a.com;x y']], "'self'"],
] as const) {
  test(`with a function as allowedOrigins, ${embedder} gets frame-ancestors ${sources}`, async (t) => {
    const { port } = await startRouter(t, { allowedOrigins: () => true });
    const { policy, caching } = await getPage(port, headers);
    assert.ok(policy.endsWith(`; frame-ancestors ${sources}`), policy);
    assert.equal(caching, 'no-cache', 'another page must not get this copy');
  });
}

test('the policy admits the two scripts of the page and no other', async (t) => {
  const { port } = await startRouter(t);
  const { page, policy } = await getPage(port);
  const inline = /<script>([^<]*)<\/script>/.exec(page)?.[1] ?? '';
  const hash = createHash('sha256').update(inline).digest('base64');
  assert.ok(policy.startsWith(`default-src 'self'; script-src 'self' 'sha256-${hash}'`), policy);
});

test('a sockjsUrl of another host is in the page and in its policy', async (t) => {
  const sockjsUrl = 'https://cdn.example.com/sockjs.js?a="b"&c';
  const { port } = await startRouter(t, { sockjsUrl });
  const { page, policy } = await getPage(port);
  assert.match(
    page,
    /<script src="https:\/\/cdn\.example\.com\/sockjs\.js\?a=&quot;b&quot;&amp;c"><\/script>/,
  );
  assert.match(policy, /script-src https:\/\/cdn\.example\.com 'sha256-/);
});

test('the script of the page is relative, so that a proxy may strip a part of the path', async (t) => {
  const { port } = await startRouter(t);
  const script = /<script src="([^"]+)">/.exec((await getPage(port)).page)?.[1] ?? '';
  const behindProxy = new URL(script, 'https://example.com/stripped/echo/iframe.html');
  assert.equal(behindProxy.pathname, '/stripped/echo/sockjs.js');
  const { status } = await httpRequest(port, { path: '/echo/sockjs.js' });
  assert.equal(status, 200);
});

test('a page that any origin may embed is cached for a year', async (t) => {
  const { port } = await startRouter(t, { allowedOrigins: '*' });
  const { caching } = await getPage(port);
  assert.equal(caching, 'public, max-age=31536000');
});

test('a cached page is revalidated, and sent again once the allowed origins have changed', async (t) => {
  const lists = [[], ['https://a.com'], ['https://b.com'], '*'] as const;
  const etags = new Set<string>();
  let previous = '"none"';
  for (const allowedOrigins of lists) {
    const { port } = await startRouter(t, { allowedOrigins });
    const first = await getPage(port, [['If-None-Match', previous]]);
    assert.equal(first.status, 200);
    if (allowedOrigins !== '*') assert.equal(first.caching, 'no-cache');
    const again = await getPage(port, [['If-None-Match', first.etag]]);
    assert.deepEqual([again.status, again.etag, again.policy], [304, first.etag, first.policy]);
    assert.equal(again.caching, first.caching);
    etags.add(first.etag);
    previous = first.etag;
  }
  assert.equal(etags.size, lists.length);
});

test('with a function as allowedOrigins the copy of one page is not used for another', async (t) => {
  const { port } = await startRouter(t, { allowedOrigins: () => true });
  const first = await getPage(port, [['Referer', 'https://a.com/']]);
  for (const [referer, status] of [
    ['https://a.com/other', 304],
    ['https://b.com/', 200],
  ] as const) {
    const again = await getPage(port, [
      ['Referer', referer],
      ['If-None-Match', first.etag],
    ]);
    assert.equal(again.status, status);
  }
});

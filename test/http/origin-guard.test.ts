/** Requests that the origin guard admits and refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AllowedOrigins, OriginGuard } from '../../src/http/origin-guard.ts';

interface Request {
  readonly host?: string;
  readonly origin?: string;
  readonly site?: string;
  readonly referer?: string;
}

function judge(allowed: AllowedOrigins, request: Request): boolean | Promise<boolean> {
  const headers = new Map([
    ['origin', request.origin],
    ['sec-fetch-site', request.site],
    ['referer', request.referer],
  ]);
  const reader = { header: (name: string) => headers.get(name) };
  const guard = new OriginGuard(allowed);
  const verdict = guard.judge(reader, request.host ?? 'example.com');
  return verdict.allowed ?? guard.evaluate(verdict.origin ?? '');
}

const TWO_ORIGINS: Request = { origin: 'https://evil.com, https://a.app.com' };

const CASES: readonly (readonly [
  passes: boolean,
  title: string,
  allowed: AllowedOrigins,
  request: Request,
])[] = [
  [true, 'a request without headers of a page', [], {}],
  [
    true,
    'a page of the same origin, by Sec-Fetch-Site',
    [],
    { site: 'same-origin', origin: 'https://renamed.example.com' },
  ],
  [true, 'a page that the user opened', [], { site: 'none' }],
  [true, 'the same host', [], { origin: 'https://example.com' }],
  [true, 'the same host over http', [], { origin: 'http://example.com' }],
  [true, 'the same host in other case', [], { origin: 'https://EXAMPLE.com' }],
  [true, 'the same host and port', [], { host: 'localhost:9999', origin: 'http://localhost:9999' }],
  [
    true,
    'the default port in Host',
    [],
    { host: 'example.com:443', origin: 'https://example.com' },
  ],
  [
    true,
    'the default port in Origin',
    [],
    { host: 'example.com', origin: 'https://example.com:443' },
  ],
  [true, 'an IPv6 host', [], { host: '[::1]:8080', origin: 'http://[::1]:8080' }],
  [true, 'a page of a file', ['file://'], { origin: 'file://' }],
  [false, 'a page of a file that is not in the list', ['app://'], { origin: 'file://' }],
  [false, 'a path of a file', ['file://'], { origin: 'file:///etc' }],
  [true, 'a page of a packaged application', ['app://x'], { origin: 'app://x' }],
  [true, 'any port', ['http://localhost:*'], { origin: 'http://localhost:3000' }],
  [
    true,
    'the default port for a port of *',
    ['http://localhost:*'],
    { origin: 'http://localhost' },
  ],
  [true, 'any port of an IPv6 host', ['http://[::1]:*'], { origin: 'http://[::1]:3000' }],
  [true, 'any port of any subdomain', ['https://*.a.com:*'], { origin: 'https://b.a.com:8443' }],
  [false, 'any port of another host', ['http://localhost:*'], { origin: 'http://localhost.com' }],
  [false, 'any port of another scheme', ['http://localhost:*'], { origin: 'https://localhost:1' }],
  [
    false,
    'text in place of a port',
    ['http://localhost:*'],
    { origin: 'http://localhost:evil.com' },
  ],
  [false, 'a literal star', ['http://localhost:*'], { origin: 'http://localhost:*x' }],
  [false, 'another host', [], { origin: 'https://evil.com' }],
  [false, 'another port', [], { host: 'example.com:8080', origin: 'http://example.com:8081' }],
  [false, 'a host that begins with the same name', [], { origin: 'https://example.com.evil.com' }],
  [false, 'a host that ends with the same name', [], { origin: 'https://notexample.com' }],
  [false, 'the origin null', [], { origin: 'null' }],
  [false, 'a broken origin', [], { origin: 'https://' }],
  [false, 'an origin with a path', [], { origin: 'https://example.com/x' }],
  [false, 'an origin with credentials', [], { origin: 'https://example.com@evil.com' }],
  [false, 'the origin null at the host ull', [], { host: 'ull', origin: 'null' }],
  [false, 'the origin null at the host null', [], { host: 'null', origin: 'null' }],
  [false, 'an empty origin at an empty host', [], { host: '', origin: '' }],
  [false, 'an origin without a host at an empty host', [], { host: '', origin: 'http://' }],
  [false, 'an origin without a host at a port', [], { host: ':80', origin: 'http://:80' }],
  [false, 'a host without a scheme', [], { origin: 'example.com' }],
  [false, 'a host after two slashes', [], { origin: '//example.com' }],
  [false, 'a host after another one', [], { origin: 'https://evil.com//example.com' }],
  [false, 'the host as a path', [], { host: 'example.com/x', origin: 'https://example.com/x' }],
  [
    false,
    'a Host with credentials',
    [],
    { host: 'evil.com@example.com', origin: 'https://evil.com@example.com' },
  ],
  [false, 'credentials before the host', [], { origin: 'https://evil.com@example.com' }],
  [false, 'a backslash after the host', [], { origin: 'https://evil.com\\@example.com' }],
  [false, 'the same name with a trailing dot', [], { origin: 'https://example.com.' }],
  [
    true,
    'a host with a trailing dot, from a page of it',
    [],
    { host: 'example.com.', origin: 'https://example.com.' },
  ],
  [false, 'two origins', [], { origin: 'https://example.com, https://evil.com' }],
  [false, 'two hosts', [], { host: 'a.com, b.com', origin: 'https://a.com, b.com' }],
  [false, 'an empty port', [], { origin: 'https://example.com:' }],
  [false, 'a port with a leading zero', [], { origin: 'https://example.com:0443' }],
  [false, 'a port that is no number', [], { origin: 'https://example.com:443x' }],
  [
    false,
    'a port that begins with the port of the server',
    [],
    { host: 'example.com:80', origin: 'http://example.com:8080' },
  ],
  [false, 'the default port of the other scheme', [], { origin: 'http://example.com:443' }],
  [true, 'an IPv6 host without port', [], { host: '[::1]', origin: 'https://[::1]' }],
  [true, 'an IPv6 host with default port', [], { host: '[::1]:443', origin: 'https://[::1]' }],
  [false, 'another IPv6 host', [], { host: '[::1]:80', origin: 'http://[::1:80' }],
  [false, 'the last part of an IPv6 host', [], { host: '1]', origin: 'http://[::1]' }],
  [false, 'an app at a host of the same name', [], { origin: 'app://example.com' }],
  [
    false,
    'an extension with the name of the host',
    [],
    { origin: 'chrome-extension://example.com' },
  ],
  [false, 'a script of another site', [], { site: 'cross-site' }],
  [
    false,
    'a script of another site with its Referer',
    [],
    { site: 'cross-site', referer: 'https://evil.com/page' },
  ],
  [
    false,
    'a script of a sibling host',
    [],
    { site: 'same-site', referer: 'https://other.example.com/' },
  ],
  [false, 'a script over plain HTTP, by its Referer', [], { referer: 'http://evil.com/page' }],
  [
    true,
    'a script of the same host over plain HTTP, by its Referer',
    [],
    { referer: 'http://example.com/page' },
  ],
  [true, 'a Referer without a host', [], { referer: 'about:blank' }],
  [
    true,
    'a frame of the same host by its Referer',
    [],
    { site: 'same-site', referer: 'http://example.com/page?x' },
  ],
  [
    false,
    'a Referer with credentials',
    [],
    { site: 'cross-site', referer: 'https://example.com@evil.com/' },
  ],
  [true, 'any origin with *', '*', { origin: 'https://evil.com', site: 'cross-site' }],
  [true, 'a listed origin', ['https://app.com'], { origin: 'https://app.com' }],
  [true, 'a listed origin in other case', ['https://App.com'], { origin: 'https://app.com' }],
  [
    true,
    'a listed origin by Referer',
    ['https://app.com'],
    { site: 'cross-site', referer: 'https://app.com/a/b' },
  ],
  [false, 'a listed host with another scheme', ['https://app.com'], { origin: 'http://app.com' }],
  [
    false,
    'a listed host with another port',
    ['https://app.com'],
    { origin: 'https://app.com:8443' },
  ],
  [
    false,
    'a host that begins like a listed one',
    ['https://app.com'],
    { origin: 'https://app.com.evil.com' },
  ],
  [true, 'a listed port', ['http://localhost:3000'], { origin: 'http://localhost:3000' }],
  [true, 'a subdomain', ['https://*.app.com'], { origin: 'https://a.app.com' }],
  [true, 'a subdomain of a subdomain', ['https://*.app.com'], { origin: 'https://b.a.app.com' }],
  [false, 'the parent of subdomains', ['https://*.app.com'], { origin: 'https://app.com' }],
  [
    false,
    'a host that only ends like a subdomain',
    ['https://*.app.com'],
    { origin: 'https://evilapp.com' },
  ],
  [false, 'an empty subdomain', ['https://*.app.com'], { origin: 'https://.app.com' }],
  [
    false,
    'a port that ends like a subdomain',
    ['https://*.app.com'],
    { origin: 'https://evil.com:443.app.com' },
  ],
  [false, 'two origins that end like a subdomain', ['https://*.app.com'], TWO_ORIGINS],
  [false, 'two origins, whatever a function returns', () => true, TWO_ORIGINS],
  [false, 'an empty origin, whatever a function returns', () => true, { origin: '' }],
  [true, 'the origin null where a function allows it', () => true, { origin: 'null' }],
  [true, 'the origin of an app where a function allows it', () => true, { origin: 'app://-' }],
  [true, 'the origin null where it is listed', ['null'], { origin: 'null' }],
  [
    true,
    'an origin that a function allows',
    (origin) => origin.endsWith('.dev'),
    { origin: 'https://a.dev' },
  ],
  [
    false,
    'an origin that a function does not allow',
    (origin) => origin.endsWith('.dev'),
    { origin: 'https://a.com' },
  ],
];

for (const [passes, title, allowed, request] of CASES) {
  test(`the guard ${passes ? 'admits' : 'refuses'} ${title}`, () => {
    assert.equal(judge(allowed, request), passes);
  });
}

test('a function may return a promise', async () => {
  assert.equal(await judge(() => Promise.resolve(true), { origin: 'https://a.com' }), true);
});

test('only the result true of a function admits', () => {
  const returnsNothing = (): boolean => undefined as unknown as boolean;
  assert.equal(judge(returnsNothing, { origin: 'https://a.com' }), false);
});

/** Address, host and scheme of a client behind trusted and untrusted proxies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientAddressReader, type ForwardedHeader } from '../../src/http/client-address.ts';

type Headers = Readonly<Record<string, string>>;

function read(
  trusted: readonly string[],
  remoteAddress: string,
  headers: Headers,
  encrypted = false,
  header?: ForwardedHeader,
) {
  const hop = { remoteAddress, encrypted, header: (name: string) => headers[name] };
  return new ClientAddressReader(trusted, header).read(hop);
}

const ADDRESSES: readonly (readonly [
  title: string,
  trusted: string[],
  peer: string,
  headers: Headers,
  address: string,
])[] = [
  ['the peer, without a trusted proxy', [], '1.2.3.4', {}, '1.2.3.4'],
  ['an IPv4 peer on an IPv6 socket', [], '::ffff:1.2.3.4', {}, '1.2.3.4'],
  ['an IPv6 peer without its zone', [], 'fe80::1%eth0', {}, 'fe80::1'],
  ['a peer of a socket without address', ['loopback'], '', { 'x-forwarded-for': '9.9.9.9' }, ''],
  [
    'the peer and not its forwarded address, if no proxy is trusted',
    [],
    '1.2.3.4',
    { 'x-forwarded-for': '9.9.9.9' },
    '1.2.3.4',
  ],
  [
    'the peer, if it is not trusted',
    ['10.0.0.0/8'],
    '1.2.3.4',
    { 'x-forwarded-for': '9.9.9.9' },
    '1.2.3.4',
  ],
  [
    'the address that a trusted proxy forwards',
    ['loopback'],
    '127.0.0.1',
    { 'x-forwarded-for': '9.9.9.9' },
    '9.9.9.9',
  ],
  [
    'the rightmost address: those before it may be forged',
    ['loopback'],
    '127.0.0.1',
    { 'x-forwarded-for': '6.6.6.6, 9.9.9.9' },
    '9.9.9.9',
  ],
  [
    'the client through two trusted proxies',
    ['loopback', '10.0.0.0/8'],
    '127.0.0.1',
    { 'x-forwarded-for': '6.6.6.6, 9.9.9.9, 10.0.0.7' },
    '9.9.9.9',
  ],
  [
    'the leftmost proxy, if all are trusted',
    ['10.0.0.0/8'],
    '10.0.0.1',
    { 'x-forwarded-for': '10.0.0.3, 10.0.0.2' },
    '10.0.0.3',
  ],
  [
    'the proxy, if it forwards no address',
    ['loopback'],
    '127.0.0.1',
    { 'x-forwarded-for': 'unknown' },
    '127.0.0.1',
  ],
  [
    'a forwarded address without its port',
    ['loopback'],
    '127.0.0.1',
    { 'x-forwarded-for': '9.9.9.9:1234' },
    '9.9.9.9',
  ],
  [
    'a forwarded IPv6 address without its port',
    ['loopback'],
    '::1',
    { 'x-forwarded-for': '[2001:db8::1]:1234' },
    '2001:db8::1',
  ],
  ['the proxy, if it forwards nothing', ['loopback'], '127.0.0.1', {}, '127.0.0.1'],
  [
    'the address in Forwarded',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=6.6.6.6, for=9.9.9.9;proto=https' },
    '9.9.9.9',
  ],
  [
    'the IPv6 address in Forwarded',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'For="[2001:db8::1]:80"' },
    '2001:db8::1',
  ],
  [
    'the one in X-Forwarded-For, if Forwarded differs: that one is from the client',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=6.6.6.6;proto=https;host=intra', 'x-forwarded-for': '9.9.9.9' },
    '9.9.9.9',
  ],
  [
    'the proxy, if X-Forwarded-For hides the client, whatever Forwarded names',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=6.6.6.6', 'x-forwarded-for': 'unknown' },
    '127.0.0.1',
  ],
  [
    'the address in Forwarded, if X-Forwarded-For is empty',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=9.9.9.9', 'x-forwarded-for': ' , ' },
    '9.9.9.9',
  ],
  [
    'the address in both headers',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=9.9.9.9', 'x-forwarded-for': '9.9.9.9' },
    '9.9.9.9',
  ],
  [
    'the proxy, if Forwarded hides the client',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=_secret' },
    '127.0.0.1',
  ],
  [
    'the client, if a client between two proxies hides its own client',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=_secret, for=unknown, for="9.9.9.9:4711"' },
    '9.9.9.9',
  ],
  [
    'not in a quoted string of Forwarded',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=9.9.9.9;by="_a, for=6.6.6.6";ext="\\", for=6.6.6.6"' },
    '9.9.9.9',
  ],
  [
    'read although the client has left a quotation mark open',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for="6.6.6.6, for=9.9.9.9' },
    '9.9.9.9',
  ],
  [
    'the proxy, if its element is malformed',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=6.6.6.6;x=", for=9.9.9.9;host="y' },
    '127.0.0.1',
  ],
  [
    'the one in Forwarded with blanks, empty pairs and empty elements',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=6.6.6.6 ,, ; proto=http;; FOR=9.9.9.9 ; , ' },
    '9.9.9.9',
  ],
  [
    'the one before empty items of X-Forwarded-For',
    ['loopback'],
    '127.0.0.1',
    { 'x-forwarded-for': '9.9.9.9, , ' },
    '9.9.9.9',
  ],
  [
    'the last trusted one before an item that is too long',
    ['loopback', '10.0.0.0/8'],
    '127.0.0.1',
    { 'x-forwarded-for': `${'9'.repeat(2000)}, 10.0.0.7` },
    '10.0.0.7',
  ],
  [
    'the last one that is read, if there are more than 32 proxies',
    ['loopback', '10.0.0.0/8'],
    '127.0.0.1',
    { 'x-forwarded-for': Array.from({ length: 100 }, (_, index) => `10.0.0.${index}`).join(',') },
    '10.0.0.68',
  ],
];

for (const [title, trusted, peer, headers, address] of ADDRESSES) {
  test(`the client address is ${title}`, () => {
    assert.equal(read(trusted, peer, headers).address, address);
  });
}

test('host and scheme are those of the request, if no proxy is trusted', () => {
  const headers = { host: 'a.com', 'x-forwarded-host': 'b.com', 'x-forwarded-proto': 'https' };
  assert.deepEqual(read([], '127.0.0.1', headers), {
    address: '127.0.0.1',
    host: 'a.com',
    secure: false,
  });
});

test('host and scheme come from a trusted proxy', () => {
  const headers = {
    host: 'a.com',
    'x-forwarded-host': 'forged.com, b.com',
    'x-forwarded-proto': 'https',
  };
  assert.deepEqual(read(['loopback'], '127.0.0.1', headers), {
    address: '127.0.0.1',
    host: 'b.com',
    secure: true,
  });
});

test('host and scheme come from Forwarded', () => {
  const headers = { host: 'a.com', forwarded: 'for=9.9.9.9;host="b.com";proto=https' };
  assert.deepEqual(read(['loopback'], '127.0.0.1', headers), {
    address: '9.9.9.9',
    host: 'b.com',
    secure: true,
  });
});

for (const [proto, secure] of [
  ['https', true],
  ['HTTPS', true],
  ['wss', true],
  ['http, wss', true],
  ['wss, http', false],
  ['https,', true],
  ['ws', false],
  ['x', false],
  ['', false],
] as const) {
  test(`X-Forwarded-Proto: ${proto} is ${secure ? 'secure' : 'not secure'}`, () => {
    const headers = { 'x-forwarded-proto': proto };
    assert.equal(read(['loopback'], '127.0.0.1', headers).secure, secure);
    const forwarded = `for=6.6.6.6;proto=http, for=9.9.9.9;proto="${proto.replace(/.*, |,/, '')}"`;
    assert.equal(read(['loopback'], '127.0.0.1', { forwarded }).secure, secure);
  });
}

test('host and scheme are those of the connection of the client, not of the connection between proxies', () => {
  const forwarded = 'for=9.9.9.9;host=b.com;proto=https, for=10.0.0.7;host=intra;proto=http';
  const expected = { address: '9.9.9.9', host: 'b.com', secure: true };
  assert.deepEqual(read(['loopback', '10.0.0.0/8'], '127.0.0.1', { forwarded }), expected);
  // The proxy at 10.0.0.7 is not trusted, so that its element may be forged.
  const nearest = { address: '10.0.0.7', host: 'intra', secure: false };
  assert.deepEqual(read(['loopback'], '127.0.0.1', { forwarded }), nearest);
});

test('a trusted proxy that names no host forwards the Host header', () => {
  const headers = { host: 'a.com', forwarded: 'for=9.9.9.9;host=""', 'x-forwarded-host': 'b.com' };
  assert.equal(read(['loopback'], '127.0.0.1', headers).host, 'a.com');
});

const BOTH = {
  host: 'a.com',
  forwarded: 'for=9.9.9.9;host=b.com;proto=https',
  'x-forwarded-for': '8.8.8.8',
  'x-forwarded-host': 'c.com',
  'x-forwarded-proto': 'http',
};
const READ_HEADERS: readonly (readonly [ForwardedHeader, string, string, boolean])[] = [
  ['auto', '8.8.8.8', 'c.com', false],
  ['x-forwarded', '8.8.8.8', 'c.com', false],
  ['forwarded', '9.9.9.9', 'b.com', true],
];

for (const [header, address, host, secure] of READ_HEADERS) {
  test(`forwardedHeader '${header}' selects the header that is read`, () => {
    const both = read(['loopback'], '127.0.0.1', BOTH, false, header);
    assert.deepEqual(both, { address, host, secure });
  });
}

test('forwardedHeader selects a header even if a request has only the other one', () => {
  const { forwarded, ...others } = BOTH;
  for (const [header, headers] of [
    ['forwarded', { ...others, 'x-forwarded-proto': 'https' }],
    ['x-forwarded', { host: 'a.com', forwarded }],
  ] as const) {
    const direct = { address: '127.0.0.1', host: 'a.com', secure: false };
    assert.deepEqual(read(['loopback'], '127.0.0.1', headers, false, header), direct);
  }
});

test('an encrypted connection is secure', () => {
  assert.equal(read(['loopback'], '127.0.0.1', { host: 'a.com' }, true).secure, true);
});

/** Address, host and scheme of a client behind trusted and untrusted proxies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientAddressReader } from '../../src/http/client-address.ts';

type Headers = Readonly<Record<string, string>>;

function read(
  trusted: readonly string[],
  remoteAddress: string,
  headers: Headers,
  encrypted = false,
) {
  const hop = { remoteAddress, encrypted, header: (name: string) => headers[name] };
  return new ClientAddressReader(trusted).read(hop);
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
    'the proxy, if the two headers differ: one of them is from the client',
    ['loopback'],
    '127.0.0.1',
    { forwarded: 'for=9.9.9.9;proto=https;host=intra', 'x-forwarded-for': '6.6.6.6' },
    '127.0.0.1',
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

test('an encrypted connection is secure', () => {
  assert.equal(read(['loopback'], '127.0.0.1', { host: 'a.com' }, true).secure, true);
});

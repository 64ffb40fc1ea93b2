/** Options of `createCluster`, and the address of the relay listener. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryHub, createCluster, memoryBackplane } from '../../src/index.ts';
import { findPrivateHost } from '../../src/cluster/private-host.ts';

const INVALID: readonly (readonly [options: object, message: RegExp])[] = [
  [{ backplane: undefined }, /^backplane of createCluster must be the result of redisBackplane/],
  [{ listen: { host: '0.0.0.0' } }, /advertise\.host/],
  [{ listen: { host: '::' } }, /advertise\.host/],
  [{ listen: { host: '[::1]' } }, /a host name or an address/],
  [{ listen: { host: '10.0.0.1/8' } }, /a host name or an address/],
  [{ listen: { port: 70_000 } }, /port from 0 to 65535/],
  [{ advertise: { port: 0 } }, /port from 1 to 65535/],
  [{ listen: { port: '7400' } }, /port from 0 to 65535/],
  [{ listen: '10.0.0.1:7400' }, /an object such as \{ host/],
  [{ listen: { adress: 'x' } }, /listen of createCluster has no option 'adress'/],
  [{ namespaces: 'x' }, /Did you mean 'namespace'\?/],
  [{ namespace: 'a b' }, /letters, digits/],
  [{ namespace: '' }, /letters, digits/],
];

for (const [options, message] of INVALID)
  test(`createCluster refuses ${JSON.stringify(options)}`, () => {
    const all = { backplane: memoryBackplane(new MemoryHub()), ...options };
    assert.throws(() => createCluster(all), { code: 'ERR_SETTING', message });
  });

function addresses(...texts: string[]): Parameters<typeof findPrivateHost>[0] {
  const infos = texts.map((address) => ({
    address,
    family: address.includes(':') ? 'IPv6' : 'IPv4',
    internal: address === '127.0.0.1' || address === '::1',
    netmask: '',
    mac: '',
    cidr: null,
    scopeid: 0,
  }));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the family fits the address
  return { eth0: infos as never };
}

test('the listener chooses the only private address, and never a public one', () => {
  const found: readonly (readonly [string, readonly string[]])[] = [
    ['10.0.0.5', ['127.0.0.1', '10.0.0.5', '203.0.113.9', '2001:db8::1', 'fe80::1']],
    ['172.31.0.1', ['172.31.0.1', '172.32.0.1', 'fd00::1']],
    ['100.64.0.1', ['100.64.0.1', '100.128.0.1']],
    ['fd00::1', ['203.0.113.9', 'fd00::1', 'fe80::1']],
  ];
  for (const [host, all] of found) assert.equal(findPrivateHost(addresses(...all)), host);
  for (const all of [[], ['203.0.113.9'], ['10.0.0.5', '172.17.0.1'], ['2001:db8::1']])
    assert.throws(() => findPrivateHost(addresses('127.0.0.1', ...all)), {
      code: 'ERR_SETTING',
      message: /Set listen\.host/,
    });
});

/** Headers that depend on settings. All others are tested in conformance/headers.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { XHR, newSession, openRequest } from '../../testkit/transports.ts';

test('the cookie is secure if the connection is, according to a trusted proxy', async (t) => {
  const { port } = await startRouter(t, { jsessionid: true, trustedProxies: ['loopback'] });
  for (const [headers, cookie] of [
    [[], 'JSESSIONID=dummy; path=/'],
    [[['X-Forwarded-Proto', 'https']], 'JSESSIONID=dummy; path=/; Secure; SameSite=None'],
  ] as const) {
    const { head } = await httpRequest(port, openRequest(XHR, { headers }));
    assert.equal(head.header('Set-Cookie'), cookie);
  }
});

for (const [cookie, value] of [
  [`JSESSIONID=${'x'.repeat(256)}`, 'x'.repeat(256)],
  [`JSESSIONID=${'x'.repeat(257)}`, 'dummy'],
  ['JSESSIONID="quoted"', 'quoted'],
  ['JSESSIONID=a\\b', 'dummy'],
  ['JSESSIONID=<script>x</script>', 'dummy'],
  ['JSESSIONID=a<b', 'dummy'],
  ["JSESSIONID='a'", 'dummy'],
  ['JSESSIONID=a,b', 'dummy'],
  ['JSESSIONID=a%3Cb', 'dummy'],
  ['JSESSIONID=', 'dummy'],
  ['JSESSIONID=0F1.node-2:~+/=!_', '0F1.node-2:~+/=!_'],
  ['a=1; JSESSIONID=b; c=2', 'b'],
  ['XJSESSIONID=a', 'dummy'],
] as const) {
  test(`the cookie ${cookie.slice(0, 24)} of ${cookie.length} bytes gets ${value.slice(0, 9)}`, async (t) => {
    const { port } = await startRouter(t, { jsessionid: true });
    const headers = [['Cookie', cookie]] as const;
    const { head } = await httpRequest(port, openRequest(XHR, { headers }));
    assert.equal(head.header('Set-Cookie'), `JSESSIONID=${value}; path=/`);
  });
}

for (const [requested, allowed] of [
  ["X-A, x-b!#$%&'*+.^_`|~", "X-A, x-b!#$%&'*+.^_`|~"],
  ['X-A: b', undefined],
  ['X-A;', undefined],
  ['é', undefined],
] as const) {
  test(`the requested headers ${requested} are ${allowed === undefined ? 'not ' : ''}allowed`, async (t) => {
    const { port } = await startRouter(t);
    const headers = [['Access-Control-Request-Headers', requested]] as const;
    const path = `${newSession()}/xhr`;
    const { head } = await httpRequest(port, { method: 'OPTIONS', path, headers });
    assert.equal(head.header('Access-Control-Allow-Headers'), allowed);
  });
}

test('noKeepAlive closes the connection after each response', async (t) => {
  const { port } = await startRouter(t, { noKeepAlive: true });
  for (const path of ['/echo', '/echo/info', '/echo/nothing']) {
    const { head } = await httpRequest(port, { path });
    assert.equal(head.header('Connection'), 'close');
  }
});

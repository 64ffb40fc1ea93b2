/** deploy/haproxy.cfg, as it is; and the cookie by which it keeps browsers on their node. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { provenBehind } from './contract.ts';
import { arrival } from './nodes.ts';
import { RawSession } from './raw-session.ts';
import { HAPROXY } from './proxies.ts';

const site = provenBehind(HAPROXY);

function cookieOf(setCookie: string | undefined): string {
  return setCookie?.split(';')[0] ?? '';
}

test('the cookie names the node, and all later sessions of the browser reach that one', async () => {
  const first = await arrival(site.nodes, () => new RawSession(site.port).poll());
  const cookie = cookieOf(first.opened.head.header('set-cookie'));
  const name = first.node === site.nodes[0] ? 'a' : 'b';
  assert.equal(cookie, `JSESSIONID=${name}~dummy`);
  for (let server = 200; server < 216; server += 1) {
    const options = { server: String(server), headers: [['Cookie', cookie]] as const };
    const session = new RawSession(site.port, options);
    const { opened, node, visitor } = await arrival(site.nodes, () => session.poll());
    assert.equal(node, first.node);
    assert.equal(cookieOf(opened.head.header('set-cookie')), cookie);
    assert.equal(visitor.info.getCookie('JSESSIONID'), 'dummy', 'the name is for HAProxy only');
  }
});

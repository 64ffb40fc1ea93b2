/** deploy/haproxy.cfg, unchanged, and the cookie by which it keeps browsers on their node. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testBehind } from './contract.ts';
import { type Headers, type RawResponse } from '../../testkit/raw-http.ts';
import { postBody } from '../../testkit/sockjs-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { openedAt } from './nodes.ts';
import { HAPROXY } from './proxies.ts';

const site = testBehind(HAPROXY);

function cookieOf(setCookie: string | undefined): string {
  return setCookie?.split(';')[0] ?? '';
}

/** Opens a session by a poll. */
async function open(server: string, headers: Headers = []): Promise<RawResponse> {
  return postBody(site.port, newSession('/echo', server), '', { endpoint: 'xhr', headers });
}

test('the cookie names the node, and later sessions of the browser reach the same node', async () => {
  const first = await openedAt(site.nodes, () => open('000'));
  const cookie = cookieOf(first.opened.head.header('set-cookie'));
  const name = first.node === site.nodes[0] ? 'a' : 'b';
  assert.equal(cookie, `JSESSIONID=${name}~dummy`);
  for (let server = 200; server < 216; server += 1) {
    const { opened, node, connection } = await openedAt(site.nodes, () =>
      open(String(server), [['Cookie', cookie]]),
    );
    assert.equal(node, first.node);
    assert.equal(cookieOf(opened.head.header('set-cookie')), cookie);
    assert.equal(connection.info.getCookie('JSESSIONID'), 'dummy', 'HAProxy removes its prefix');
  }
});

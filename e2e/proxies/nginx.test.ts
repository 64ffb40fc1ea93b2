/** deploy/nginx.conf, unchanged, and changed to send `Forwarded` as the only header about the client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORGED, pollFromClientIp, testBehind } from './contract.ts';
import { openedAt } from './nodes.ts';
import { NGINX } from './proxies.ts';

const site = testBehind(NGINX);

function withoutXForwarded(text: string): string {
  return text.replaceAll(/(proxy_set_header X-Forwarded-\w+) .*;/g, '$1 "";');
}

test('Forwarded alone provides the address of the client', async (t) => {
  const proxy = await NGINX.startChanged(withoutXForwarded);
  t.after(() => proxy.stop());
  for (const headers of [[], FORGED]) {
    const { connection } = await openedAt(site.nodes, () =>
      pollFromClientIp(proxy.port, '/echo', headers),
    );
    assert.deepEqual([connection.info.ip, connection.info.secure], ['127.0.0.2', false]);
    assert.equal(connection.info.getHeader('X-Forwarded-For'), undefined);
    assert.equal(connection.info.getHeader('Forwarded'), 'for=127.0.0.2;proto=http');
  }
});

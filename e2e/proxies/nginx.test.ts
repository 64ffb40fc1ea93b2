/** deploy/nginx.conf, as it is; and `Forwarded` as the only header that tells of the client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORGED, pollFrom, provenBehind } from './contract.ts';
import { arrival } from './nodes.ts';
import { NGINX } from './proxies.ts';

const site = provenBehind(NGINX);

function withoutXForwarded(text: string): string {
  return text.replaceAll(/(proxy_set_header X-Forwarded-\w+) .*;/g, '$1 "";');
}

test('Forwarded alone tells the address', async (t) => {
  const proxy = await NGINX.startChanged(withoutXForwarded);
  t.after(() => proxy.stop());
  for (const headers of [{}, FORGED]) {
    const path = `/echo/000/${crypto.randomUUID()}/xhr`;
    const { visitor } = await arrival(site.nodes, () => pollFrom(proxy.port, path, headers));
    assert.deepEqual([visitor.info.ip, visitor.info.secure], ['127.0.0.2', false]);
    assert.equal(visitor.info.getHeader('X-Forwarded-For'), undefined);
    assert.equal(visitor.info.getHeader('Forwarded'), 'for=127.0.0.2;proto=http');
  }
});

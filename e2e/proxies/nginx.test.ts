/**
 * deploy/nginx.conf, unchanged, changed to send `Forwarded` as the only header about the client, and changed to buffer
 * responses.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertComesBack, assertFallsBack } from './browser-client.ts';
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

/** HTTP/1.0 to the node, as nginx does by default before 1.29.7, since it buffers such responses in full. */
function bufferResponses(text: string): string {
  return text
    .replace('proxy_buffering off;', 'proxy_ignore_headers X-Accel-Buffering;')
    .replace('proxy_http_version 1.1;', 'proxy_http_version 1.0;')
    .replace('proxy_set_header Upgrade $http_upgrade;', '');
}

test('the browser client falls back to polling if nginx buffers, and comes back after a restart', async (t) => {
  const proxy = await NGINX.startChanged(bufferResponses);
  t.after(() => proxy.stop());
  const client = await assertFallsBack(t, `http://127.0.0.1:${proxy.port}/echo`);
  const warnings = site.nodes.flatMap(({ logger }) => logger.take());
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]?.line ?? '', /Upgrade/);
  await assertComesBack([client], {
    stop: () => Promise.all(site.nodes.map((node) => node.kill())),
    restart: () => Promise.all(site.nodes.map((node) => node.restart())),
  });
});

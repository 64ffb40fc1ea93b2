/** RFC 9110, 13.1.2: entity tags of the responses that a client may keep. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { etagOf } from '../../src/routes/cacheable.ts';
import { temporaryDirectory } from '../../testkit/process.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';

const BODY = 'var script;';
const ETAG = etagOf(BODY);

async function startScript(t: TestContext): Promise<number> {
  const file = join(await temporaryDirectory(t), 'client.js');
  writeFileSync(file, BODY);
  return (await startRouter(t, { sockjsUrl: pathToFileURL(file) })).port;
}

test('an entity tag is quoted, and differs for each body', () => {
  assert.match(ETAG, /^"[0-9a-f]{32}"$/);
  assert.equal(etagOf(BODY), ETAG);
  assert.notEqual(etagOf(`${BODY} `), ETAG);
});

for (const [tags, status] of [
  [ETAG, 304],
  [`W/${ETAG}`, 304],
  [`"other",W/"third" , ${ETAG}`, 304],
  ['*', 304],
  ['"other"', 200],
  [ETAG.slice(1, -1), 200],
  [`w/${ETAG}`, 200],
  ['', 200],
] as const) {
  test(`If-None-Match: ${tags.replaceAll(ETAG, 'ETAG')} gets ${status}`, async (t) => {
    const port = await startScript(t);
    const headers = [['If-None-Match', tags]] as const;
    const { head, body } = await httpRequest(port, { path: '/echo/sockjs.js', headers });
    assert.equal(head.status, status);
    assert.equal(body, status === 304 ? '' : BODY);
    assert.equal(head.header('ETag'), ETAG);
    assert.equal(head.header('Content-Type') === undefined, status === 304);
  });
}

test('repeated If-None-Match headers are one list', async (t) => {
  const port = await startScript(t);
  const headers = [
    ['If-None-Match', '"other"'],
    ['If-None-Match', ETAG],
  ] as const;
  assert.equal((await httpRequest(port, { path: '/echo/sockjs.js', headers })).status, 304);
});

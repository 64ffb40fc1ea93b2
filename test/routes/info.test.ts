/** Settings that `/info` reports. Its other fields are tested in conformance/urls.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SockJSSettings } from '../../src/index.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { startRouter } from '../../testkit/server.ts';

for (const [settings, expected] of [
  [{ disabledTransports: ['websocket'] }, { websocket: false }],
  [{ disabledTransports: ['rawwebsocket', 'xhr'] }, { websocket: true }],
  [{ jsessionid: true }, { cookie_needed: true }],
  [{ jsessionid: true, cookieNeeded: false }, { cookie_needed: false }],
  [{ jsessionid: false, cookieNeeded: true }, { cookie_needed: true }],
  [{ allowedOrigins: ['https://a.com'] }, { origins: ['*:*'] }],
  [{ baseUrl: '//node7.example.com/echo' }, { base_url: '//node7.example.com/echo' }],
  [{ baseUrl: new URL('https://a.com/echo') }, { base_url: 'https://a.com/echo' }],
] as const satisfies readonly (readonly [SockJSSettings, object])[]) {
  test(`/info of ${JSON.stringify(settings)} has ${JSON.stringify(expected)}`, async (t) => {
    const { port } = await startRouter(t, settings);
    const { body } = await httpRequest(port, { path: '/echo/info' });
    assert.partialDeepStrictEqual(JSON.parse(body), expected);
  });
}

test('a function baseUrl is called for each response, and may return nothing', async (t) => {
  const urls = ['https://a.com/echo', new URL('https://b.com/echo'), undefined];
  const { port } = await startRouter(t, { baseUrl: () => urls.shift() });
  const read = async (): Promise<unknown> => {
    const { body } = await httpRequest(port, { path: '/echo/info' });
    return (JSON.parse(body) as { base_url?: string }).base_url;
  };
  assert.equal(await read(), 'https://a.com/echo');
  assert.equal(await read(), 'https://b.com/echo');
  assert.equal(await read(), undefined);
});

test('a function baseUrl that throws is logged, and its client gets 500', async (t) => {
  const logger = new RecordingLogger();
  const baseUrl = (): never => {
    throw new Error('no base');
  };
  const { port } = await startRouter(t, { baseUrl, logger });
  assert.equal((await httpRequest(port, { path: '/echo/info' })).status, 500);
  assert.match(logger.take()[0]?.line ?? '', /baseUrl failed; its client gets 500: Error: no base/);
});

test('without corsHeaders, no response has CORS headers, and /info has no origins', async (t) => {
  const { port } = await startRouter(t, { corsHeaders: false, allowedOrigins: '*' });
  for (const [method, path] of [
    ['GET', '/echo/info'],
    ['OPTIONS', '/echo/info'],
    ['POST', '/echo/000/a/xhr'],
    ['GET', '/echo/000/b/jsonp?c=callback'],
  ] as const) {
    const headers = [['Origin', 'https://a.com']] as const;
    const response = await httpRequest(port, { method, path, headers });
    assert.ok(response.status < 300);
    assert.equal(response.head.header('access-control-allow-origin'), undefined, path);
    if (method === 'GET') assert.doesNotMatch(response.body, /origins/);
  }
});

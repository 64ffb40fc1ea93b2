/** Settings that `/info` reports. Its other fields are tested in conformance/urls.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SockJSSettings } from '../../src/index.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';

for (const [settings, expected] of [
  [{ disabledTransports: ['websocket'] }, { websocket: false }],
  [{ disabledTransports: ['rawwebsocket', 'xhr'] }, { websocket: true }],
  [{ jsessionid: true }, { cookie_needed: true }],
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

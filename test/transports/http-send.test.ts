import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { newSession } from '../../testkit/transports.ts';

const FORM = [['Content-Type', 'application/x-www-form-urlencoded']] as const;
const TEXT = [['Content-Type', 'text/plain; charset=UTF-8']] as const;

const ACCEPTED = [
  ['xhr_send', [], '["a","b"]', 204, ''],
  ['xhr_send', FORM, '["a","b"]', 204, ''],
  ['jsonp_send', FORM, 'd=%5B%22a%22%2C%22b%22%5D', 200, 'ok'],
  ['jsonp_send', FORM, 'x=1&d=%5B%22a%22,%22b%22%5D', 200, 'ok'],
  ['jsonp_send', FORM, '&&dd=&=&%64=+["a",+"b"]&d=["c"]', 200, 'ok'],
  ['jsonp_send', [], 'd=["a","b"]&x', 200, 'ok'],
  ['jsonp_send', TEXT, '["a","b"]', 200, 'ok'],
] as const;

for (const [endpoint, headers, body, status, responseBody] of ACCEPTED) {
  test(`${endpoint} delivers ${body} before it responds with ${status}`, async (t) => {
    const messages = new AsyncQueue<string>('a message');
    class Recording extends SockJSConnection {
      override onMessage(message: string): void {
        messages.push(message);
      }
    }
    const { port } = await startRouter(t, {}, Recording);
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    const response = await postBody(port, session, body, { endpoint, headers });
    assert.deepEqual([response.status, response.body], [status, responseBody]);
    assert.deepEqual([messages.size, await messages.take(2)], [2, ['a', 'b']]);
  });
}

const REFUSED = [
  ['xhr_send', [], '', 500, 'Payload expected.'],
  ['jsonp_send', FORM, 'x=1', 500, 'Payload expected.'],
  ['jsonp_send', FORM, '', 500, 'Payload expected.'],
  ['jsonp_send', FORM, 'd', 500, 'Payload expected.'],
  ['jsonp_send', FORM, 'd&d=["a"]', 500, 'Payload expected.'],
  ['jsonp_send', FORM, 'D=["a"]', 500, 'Payload expected.'],
  ['jsonp_send', FORM, '["a"]', 500, 'Payload expected.'],
  ['jsonp_send', FORM, 'd=%', 500, 'Broken JSON encoding.'],
  ['jsonp_send', FORM, 'd=["%C3"]', 500, 'Broken JSON encoding.'],
  ['jsonp_send', FORM, 'd=["%ED%A0%80"]', 500, 'Broken JSON encoding.'],
  ['xhr_send', [], '["a"', 500, 'Broken JSON encoding.'],
  ['xhr_send', [], '[1]', 500, 'Broken JSON encoding.'],
  ['xhr_send', [['Content-Encoding', 'gzip']], '["a"]', 415, 'Content-Encoding is not supported.'],
  ['xhr_send', [], '["a","b","c"]', 413, 'Too many messages at once.'],
] as const;

for (const [endpoint, headers, body, status, responseBody] of REFUSED) {
  test(`${endpoint} refuses ${JSON.stringify(body)} with ${status}, and the session goes on`, async (t) => {
    const { port } = await startRouter(t, { maxMessagesPerBody: 2 });
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    const response = await postBody(port, session, body, { endpoint, headers });
    assert.deepEqual([response.status, response.body], [status, responseBody]);
    assert.equal((await postBody(port, session, '["echo"]')).status, 204);
    assert.equal(await poll(port, session), 'a["echo"]');
  });
}

test('the session is looked up before the body is read', async (t) => {
  const { port } = await startRouter(t);
  const request = { method: 'POST', path: `${newSession()}/xhr_send` };
  const headers = [['Content-Length', '1000000']] as const;
  assert.equal((await httpRequest(port, { ...request, headers })).status, 404);
});

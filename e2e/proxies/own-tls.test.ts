/** TLS without a proxy: it ends at the https server of the application. */
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { testEach } from '../../testkit/node-test.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import type { ConnectOptions } from '../../testkit/raw-connection.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { postBody } from '../../testkit/sockjs-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { CERTIFICATE } from './proxies.ts';

tls.setDefaultCACertificates([...tls.getCACertificates('default'), CERTIFICATE.cert]);

async function startEncrypted(t: TestContext): Promise<{ url: string; target: ConnectOptions }> {
  const server = createServer(CERTIFICATE);
  const { url, port } = await startRouter(t, { jsessionid: true }, undefined, { server });
  return { url, target: { port, tls: { ca: CERTIFICATE.cert } } };
}

testEach(CLIENT_TRANSPORTS, 'messages return over TLS', async (t, transports) => {
  const { url } = await startEncrypted(t);
  const client = await openOfficial(t, url, { transports });
  client.send('hello');
  assert.equal(await client.next(), 'hello');
});

test('raw WebSockets work over TLS', async (t) => {
  const { target } = await startEncrypted(t);
  const socket = await openWebSocket(t, target, '/echo/websocket');
  assert.equal(await socket.send('hello').next(), 'hello');
});

test('the cookie is Secure over TLS', async (t) => {
  const { target } = await startEncrypted(t);
  const { head } = await postBody(target, newSession(), '', { endpoint: 'xhr' });
  const expected = ['JSESSIONID=dummy; path=/; Secure; SameSite=None'];
  assert.deepEqual(head.all('set-cookie'), expected);
});

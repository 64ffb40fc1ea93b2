/** Without a proxy: TLS ends at our own https server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:https';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { WebSocket } from 'ws';
import { SockJSRouter } from '../../src/index.ts';
import { CERTIFICATE } from './proxies.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import { Echo, listen, stop } from '../../testkit/server.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { testEach } from '../../testkit/node-test.ts';
import { within } from '../../testkit/until.ts';

tls.setDefaultCACertificates([...tls.getCACertificates('default'), CERTIFICATE.cert]);

async function serveEncrypted(t: TestContext): Promise<number> {
  const logger = new RecordingLogger();
  const router = new SockJSRouter(Echo, '/echo', { logger });
  const server = createServer(CERTIFICATE);
  router.attach(server);
  const port = await listen(server);
  t.after(async () => {
    await router.close({ timeout: 100 });
    await stop(server);
    logger.assertNoProblems();
  });
  return port;
}

testEach(CLIENT_TRANSPORTS, 'works over TLS', async (t, transports) => {
  const client = await openOfficial(t, `https://127.0.0.1:${await serveEncrypted(t)}/echo`, { transports });
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
});

test('raw WebSockets work over TLS', async (t) => {
  const socket = new WebSocket(`wss://127.0.0.1:${await serveEncrypted(t)}/echo/websocket`);
  t.after(() => socket.terminate());
  await within(once(socket, 'open'), 'an openOfficial socket');
  const echoed = new Promise<string>((resolve) => {
    socket.on('message', (data: Buffer) => resolve(data.toString()));
  });
  socket.send('hello');
  assert.equal(await within(echoed, 'a message'), 'hello');
});

test('the cookie is for encrypted connections only', async (t) => {
  const port = await serveEncrypted(t);
  const path = '/echo/000/some-session/xhr';
  const polling = request({ host: '127.0.0.1', port, path, method: 'POST', agent: false });
  const cookies = new Promise<unknown>((resolve, reject) => {
    polling.on('error', reject).on('response', (response) => {
      response.resume();
      resolve(response.headers['set-cookie']);
    });
  });
  polling.end();
  const expected = ['JSESSIONID=dummy; path=/; Secure; SameSite=None'];
  assert.deepEqual(await within(cookies, 'an answer'), expected);
});

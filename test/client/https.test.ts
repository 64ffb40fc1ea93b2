/** sockjs-client over TLS. It verifies the certificate, which this process trusts. */
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import tls from 'node:tls';
import { SockJSRouter } from '../../src/index.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import { Echo, listen, stop } from '../../testkit/server.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { selfSignedCertificate } from '../../testkit/certificate.ts';
import { testEach } from '../../testkit/node-test.ts';

const certified = selfSignedCertificate();
tls.setDefaultCACertificates([...tls.getCACertificates('default'), certified.cert]);

testEach(CLIENT_TRANSPORTS, 'a router is attached to an https server', async (t, transports) => {
  const logger = new RecordingLogger();
  const router = new SockJSRouter(Echo, '/echo', { logger });
  const server = createServer(certified, (_request, response) => response.end('own'));
  router.attach(server);
  const port = await listen(server);
  t.after(async () => {
    await router.close({ timeout: 100 });
    await stop(server);
    logger.assertNoProblems();
  });
  const client = await openOfficial(t, `https://127.0.0.1:${port}/echo`, { transports });
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
  const [connection] = router.connections;
  assert.equal(connection?.info.secure, true);
});

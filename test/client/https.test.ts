/** The real client over TLS. It verifies the certificate, which this process is told to trust. */
import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import tls from 'node:tls';
import { SockJSRouter } from '../../src/index.ts';
import { open, overEach } from '../support/client.ts';
import { Echo, Logs, listening, stopped } from '../support/service.ts';
import { selfSigned } from './certificate.ts';

const certified = selfSigned();
tls.setDefaultCACertificates([...tls.getCACertificates('default'), certified.cert]);

overEach('a router is attached to an https server', async (t, transports) => {
  const logger = new Logs();
  const router = new SockJSRouter(Echo, '/echo', { logger });
  const server = createServer(certified, (_request, response) => response.end('own'));
  router.attach(server);
  const port = await listening(server);
  t.after(async () => {
    await router.close({ timeout: 100 });
    await stopped(server);
    logger.verify();
  });
  const client = await open(t, `https://127.0.0.1:${port}/echo`, { transports });
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
  const [connection] = router.connections;
  assert.equal(connection?.info.secure, true);
});

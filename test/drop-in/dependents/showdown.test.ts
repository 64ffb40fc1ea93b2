/** A program with the calls of Pokemon Showdown, on npm `sockjs` and on the drop-in. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { selfSignedCertificate } from '../../../testkit/certificate.ts';
import type { ConnectOptions } from '../../../testkit/raw-connection.ts';
import { httpRequest } from '../../../testkit/raw-http.ts';
import { openSockJS } from '../../../testkit/sockjs-client.ts';
import { WEBSOCKET, XHR, XHR_STREAMING, newSession } from '../../../testkit/transports.ts';
import { IMPLEMENTATIONS, startDependent } from './dependent.ts';

const MESSAGES = Array.from({ length: 1000 }, (_, index) => `room|message ${index}`);
const PROTOCOLS = [
  { transport: WEBSOCKET, protocol: 'websocket' },
  { transport: XHR_STREAMING, protocol: 'xhr-streaming' },
  { transport: XHR, protocol: 'xhr-polling' },
] as const;

for (const implementation of IMPLEMENTATIONS) {
  describe(implementation, () => {
    for (const { transport, protocol } of PROTOCOLS) {
      test(`rooms over ${protocol}, without and with TLS`, async (t) => {
        const { key, cert } = selfSignedCertificate();
        const dependent = await startDependent(t, implementation, 'showdown', key, cert);
        const securePort = await dependent.next();
        assert.ok(typeof securePort === 'number');
        const open = async (server: number | ConnectOptions, address: string) =>
          openSockJS(t, transport, {
            server,
            session: newSession('/showdown'),
            headers: [['X-Forwarded-For', `10.0.0.1,${address}`]],
          });

        const first = await open(dependent.port, '192.0.2.1');
        const connect = { event: 'connect', protocol };
        assert.deepEqual(await dependent.next(), { ...connect, id: '1', client: '192.0.2.1' });
        const second = await open({ port: securePort, tls: { ca: cert } }, '192.0.2.2');
        assert.deepEqual(await dependent.next(), { ...connect, id: '2', client: '192.0.2.2' });

        await first.send(...MESSAGES);
        const expected = MESSAGES.map((message) => `1|${message}`);
        assert.deepEqual(await first.take(MESSAGES.length), expected);
        assert.deepEqual(await second.take(MESSAGES.length), expected);
        await second.send('{"no":"text"}', 'hello');
        assert.equal(await first.next(), '2|hello');
        assert.equal(await second.next(), '2|hello');

        dependent.command('1');
        // `destroy` removes the listeners, after a WebSocket has called them.
        if (transport.isWebSocket)
          assert.deepEqual(await dependent.next(), { event: 'disconnect', id: '1' });
        assert.partialDeepStrictEqual(await first.closed(), { code: 1000 });
        await second.send('alone');
        assert.equal(await second.next(), '2|alone');
        await (await open(dependent.port, '192.0.2.3')).opened();
        assert.partialDeepStrictEqual(await dependent.next(), { event: 'connect', id: '3' });
      });
    }

    test('the file server has the requests that are not for SockJS', async (t) => {
      const { key, cert } = selfSignedCertificate();
      const { port } = await startDependent(t, implementation, 'showdown', key, cert);
      const get = async (path: string) => httpRequest(port, { method: 'GET', path });
      assert.equal((await get('/showdown')).body, 'Welcome to SockJS!\n');
      assert.equal((await get('/showdowns')).body, 'file /showdowns');
    });
  });
}

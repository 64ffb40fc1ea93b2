import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { encodeRequest, httpRequest } from '../../../testkit/raw-http.ts';
import { resetSocket } from '../../../testkit/reset-socket.ts';
import { startRouter } from '../../../testkit/server.ts';
import { WEBSOCKET, XHR, openRequest } from '../../../testkit/transports.ts';

for (const transport of [XHR, WEBSOCKET]) {
  // The socket has no remote address then, and a limit per address would not apply.
  test(`${transport.name}: a request whose connection was reset before it arrived is dropped`, async (t) => {
    const addresses: string[] = [];
    const { port, router } = await startRouter(t, {
      authorize: ({ ip }) => {
        addresses.push(ip);
        return 'a user';
      },
    });
    let accepted = 0;
    for (let count = 0; count < 20; count += 1) {
      await new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => {});
        socket.on('close', resolve);
        socket.write(encodeRequest(openRequest(transport)), () => resetSocket(socket));
      });
      accepted += 1;
    }
    assert.equal((await httpRequest(port, { path: '/echo' })).status, 200);
    assert.equal(accepted, 20);
    assert.deepEqual(new Set(addresses).has(''), false);
    assert.equal(addresses.length, router.stats.dump().sessionsTotal);
  });
}

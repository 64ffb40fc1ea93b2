/** Responses to requests that Node reports as upgrades: Node has given up their sockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../../src/index.ts';
import { neverReadingClient } from '../../../testkit/raw-http.ts';
import { UPGRADE_HEADERS } from '../../../testkit/raw-websocket.ts';
import { startRouter } from '../../../testkit/server.ts';
import { EVENTSOURCE, openRequest } from '../../../testkit/transports.ts';
import { deferred, until, within } from '../../../testkit/until.ts';

const MIB = 1024 * 1024;

for (const version of ['1.1', '1.0'] as const) {
  test(`an event stream over HTTP/${version} whose request offers an upgrade drains`, async (t) => {
    const opened = deferred<SockJSConnection>();
    const drained = deferred();
    class Sender extends SockJSConnection {
      override onOpen(): void {
        opened.resolve(this);
      }

      override onDrain(): void {
        drained.resolve();
      }
    }
    const settings = { responseLimit: 64 * MIB, maxBufferedBytes: 64 * MIB };
    const { port } = await startRouter(t, settings, Sender);
    const request = openRequest(EVENTSOURCE, { headers: UPGRADE_HEADERS, version });
    const client = neverReadingClient(t, port, request);
    const connection = await within(opened.promise, 'the session');
    await until(() => !connection.send('x'.repeat(4 * MIB)), 'backpressure');
    client.raw.resume();
    await within(drained.promise, 'the drain');
    assert.equal(connection.bufferedBytes, 0);
  });
}

/** Receiving requests: callbacks, and their sessions. Frames are tested in conformance/transports.test.ts. */
import assert from 'node:assert/strict';
import { SockJSConnection } from '../../src/index.ts';
import { testEach } from '../../testkit/node-test.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { Receiver, poll } from '../../testkit/sockjs-http.ts';
import {
  HTMLFILE,
  HTTP_TRANSPORTS,
  type HttpTransport,
  JSONP,
  newSession,
} from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';

const MAX_CALLBACK_LENGTH = 32;

function pathOf(transport: HttpTransport, query: string): string {
  return `${newSession()}/${transport.name}?${query}`;
}

testEach([HTMLFILE, JSONP], 'a callback has at most 32 characters', async (t, transport) => {
  const { port } = await startRouter(t);
  const callback = 'x'.repeat(MAX_CALLBACK_LENGTH);
  const receiver = new Receiver(port, newSession(), {
    ...transport,
    path: `${transport.name}?c=${callback}`,
  });
  t.after(() => receiver.close());
  assert.equal((await receiver.head()).status, 200);
  assert.ok((await receiver.chunk())?.includes(callback));
  const { status, body } = await httpRequest(port, { path: pathOf(transport, `c=${callback}x`) });
  assert.deepEqual({ status, body }, { status: 500, body: 'invalid "callback" parameter' });
});

testEach([HTMLFILE, JSONP], 'the parameter c precedes callback', async (t, transport) => {
  const { port } = await startRouter(t);
  for (const query of ['c=first&callback=second', 'callback=second&c=first']) {
    const path = `${transport.name}?${query}`;
    const receiver = new Receiver(port, newSession(), { ...transport, path });
    t.after(() => receiver.close());
    const chunk = (await receiver.chunk()) ?? '';
    assert.ok(chunk.includes('first') && !chunk.includes('second'), chunk);
  }
});

testEach(
  HTTP_TRANSPORTS,
  'the first request names the transport of a session',
  async (t, transport) => {
    const opened: string[] = [];
    class Recorder extends SockJSConnection {
      override onOpen(): void {
        opened.push(this.transport);
      }
    }
    const { port, router } = await startRouter(t, { responseLimit: 1 }, Recorder);
    const session = newSession();
    assert.equal(await poll(port, session, transport), 'o');
    assert.deepEqual(opened, [transport.name]);
    const other = transport === JSONP ? HTMLFILE : JSONP;
    const receiver = new Receiver(port, session, other);
    t.after(() => receiver.close());
    await until(() => router.stats.dump().connectionsActive === 1, 'the second request');
    assert.deepEqual(
      [...router.connections].map((connection) => connection.transport),
      [transport.name],
    );
    assert.equal(opened.length, 1);
  },
);

testEach(
  HTTP_TRANSPORTS,
  'a refused second request does not count as a receiver',
  async (t, transport) => {
    const { port, router } = await startRouter(t);
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    const receiver = new Receiver(port, session, JSONP);
    t.after(() => receiver.close());
    await until(() => router.stats.dump().connectionsActive === 1, 'the first request');
    assert.match(await poll(port, session, transport), /^c\[2010,/);
    assert.equal(router.stats.dump().connectionsActive, 1);
  },
);

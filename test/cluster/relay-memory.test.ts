/** Relayed requests hold a bounded number of bytes on both nodes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { startNodes } from '../../testkit/cluster-nodes.ts';
import { httpConnection, httpRequest, neverReadingClient } from '../../testkit/raw-http.ts';
import { deferred, until } from '../../testkit/until.ts';

const SESSION = '/echo/000/session';
const POLL = { method: 'POST', path: `${SESSION}/xhr` };
const MEBIBYTE = 1024 * 1024;

function send(...messages: string[]): { method: string; path: string; body: string } {
  return { method: 'POST', path: `${SESSION}/xhr_send`, body: JSON.stringify(messages) };
}

for (const transport of ['xhr', 'xhr_streaming'])
  test(`a client that never reads its relayed ${transport} does not get more`, async (t) => {
    class Chatty extends SockJSConnection {
      override onMessage(text: string): void {
        this.send(text.repeat(16));
      }
    }
    const [one, two] = await startNodes(t, 2, { connection: Chatty });
    await httpRequest(one.port, POLL);
    await httpRequest(one.port, send('x'.repeat(MEBIBYTE)));
    neverReadingClient(t, two.port, { method: 'POST', path: `${SESSION}/${transport}` });
    await until(() => one.cluster.stats.relayedIn === 1, 'the relayed request');
    // Time in which everything would arrive, if the other node did not limit it.
    await httpRequest(two.port, { path: '/echo/info' });
    await until(() => one.router.stats.dump().packetsSentTotal === 1, 'the message');
    const second = httpConnection(t, two.port).send(POLL);
    await until(() => one.cluster.stats.relayedIn === 2, 'the second request');
    await httpRequest(one.port, send('y'));
    assert.equal(await second.raw.activity(300), false);
    assert.equal(one.router.stats.dump().packetsSentTotal, 1);
    assert.ok(one.router.stats.dump().buffered.output > 8 * MEBIBYTE);
  });

test('a body that waits for its owner counts as buffered', async (t) => {
  const opening = deferred();
  class Slow extends SockJSConnection {
    override async onOpen(): Promise<void> {
      await opening.promise;
    }
  }
  const [one, two] = await startNodes(t, 2, { connection: Slow });
  httpConnection(t, one.port).send(POLL);
  await until(() => one.router.stats.dump().sessionsActive === 1, 'the session');
  const body = JSON.stringify(['x'.repeat(600_000)]);
  const first = httpConnection(t, two.port).send({ ...send(), body });
  await until(() => two.router.stats.dump().buffered.bodies >= 600_000, 'the first body');
  opening.resolve();
  assert.equal((await first.response()).status, 204);
  assert.equal(two.router.stats.dump().buffered.bodies, 0);
});

test('a body of a client that has gone is not kept', async (t) => {
  class Slow extends SockJSConnection {
    override async onOpen(): Promise<void> {
      await new Promise(() => {});
    }
  }
  const [one, two] = await startNodes(t, 2, { connection: Slow });
  httpConnection(t, one.port).send(POLL);
  await until(() => one.router.stats.dump().sessionsActive === 1, 'the session');
  const client = httpConnection(t, two.port).send(send('x'.repeat(600_000)));
  await until(() => two.router.stats.dump().buffered.bodies >= 600_000, 'the body');
  client.abort();
  await until(() => two.router.stats.dump().buffered.bodies === 0, 'the release');
});

/** Clients that misuse relays: pipelining, aborts at every byte, races for one session, and polls that come and go. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SockJSConnection } from '../../src/index.ts';
import { type TestNode, startNodes } from '../../testkit/cluster-nodes.ts';
import { RawConnection } from '../../testkit/raw-connection.ts';
import {
  RawHttpConnection,
  encodeRequest,
  httpConnection,
  httpRequest,
} from '../../testkit/raw-http.ts';
import { deferred, until } from '../../testkit/until.ts';

function poll(session: string): { method: string; path: string } {
  return { method: 'POST', path: `/echo/000/${session}/xhr` };
}

function send(session: string, text: string): { method: string; path: string; body: string } {
  return { method: 'POST', path: `/echo/000/${session}/xhr_send`, body: JSON.stringify([text]) };
}

function receivers({ router }: TestNode): number {
  return router.stats.dump().connectionsActive;
}

test('pipelined messages keep their order through a relay', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, poll('a'));
  const texts = Array.from({ length: 60 }, (_, index) => `message ${index}`);
  const client = httpConnection(t, two.port);
  client.send(Buffer.concat(texts.map((text) => encodeRequest(send('a', text)))));
  for (const text of texts) assert.equal((await client.response()).status, 204, text);
  assert.equal((await httpRequest(two.port, poll('a'))).body, `a${JSON.stringify(texts)}\n`);
});

test('a connection with too many pipelined polls is closed, and so are its relays', async (t) => {
  const [one, two] = await startNodes(t, 2);
  await httpRequest(one.port, poll('a'));
  // The second node knows the owner then.
  await httpRequest(two.port, send('a', 'x'));
  const client = httpConnection(t, two.port);
  client.send(Buffer.concat(Array.from({ length: 300 }, () => encodeRequest(poll('a')))));
  await client.raw.closed();
  await until(() => receivers(one) === 0, 'the end of all relays');
  two.logger.assertNoProblems();
});

for (const [name, request] of [
  ['message', send('a', 'cut')],
  ['poll', poll('a')],
] as const)
  test(`a ${name} that is cut off at any byte is relayed as a whole or not at all`, async (t) => {
    const [one, two] = await startNodes(t, 2);
    const whole = encodeRequest(request);
    for (let length = 0; length <= whole.length; length += 1) {
      const session = `cut${length}`;
      const path = request.path.replace('/a/', `/${session}/`);
      await httpRequest(one.port, poll(session));
      const client = new RawConnection(two.port);
      await once(client.stream, 'connect');
      client.write(encodeRequest({ ...request, path }).subarray(0, length + session.length - 1));
      await sleep(1);
      client.abort();
      const { status } = await httpRequest(two.port, send(session, 'next'));
      const { body } = await httpRequest(two.port, poll(session));
      const results = ['204 a["next"]\n', '204 a["cut","next"]\n'];
      const ends = [
        '204 c[1002,"Connection interrupted"]\n',
        '404 c[1002,"Connection interrupted"]\n',
      ];
      const isComplete = length === whole.length;
      const allowed = isComplete ? [...results, ...ends] : results.slice(0, 1);
      assert.ok(allowed.includes(`${status} ${body}`), `${length}: ${status} ${body}`);
    }
    assert.ok(one.router.stats.dump().closed.interrupted <= 1);
    for (const { logger } of [one, two]) logger.assertNoProblems();
  });

test('requests of a session that is opening at its owner wait or get 503', async (t) => {
  const [authorized, opened] = [deferred(), deferred()];
  class Slow extends SockJSConnection {
    override async onOpen(): Promise<void> {
      await opened.promise;
    }

    override onMessage(text: string): void {
      this.send(text);
    }
  }
  const authorize = async (): Promise<boolean> => {
    await authorized.promise;
    return true;
  };
  const [one, two] = await startNodes(t, 2, { connection: Slow, settings: { authorize } });
  const first = httpConnection(t, one.port).send(poll('a'));
  await until(() => one.cluster.stats.claims === 1, 'the claim');
  assert.equal((await httpRequest(two.port, poll('a'))).status, 503);
  assert.equal((await httpRequest(two.port, send('a', 'early'))).status, 404);
  authorized.resolve();
  assert.equal((await first.response()).body, 'o\n');
  const waiting = httpConnection(t, two.port).send(send('a', 'first'));
  await until(() => one.cluster.stats.relayedIn === 1, 'the message');
  assert.equal((await httpRequest(two.port, send('a', 'second'))).status, 503);
  opened.resolve();
  assert.equal((await waiting.response()).status, 204);
  assert.equal((await httpRequest(two.port, poll('a'))).body, 'a["first"]\n');
});

test('of nodes that claim a session at once, one opens it', async (t) => {
  const nodes = await startNodes(t, 3);
  for (let run = 0; run < 50; run += 1) {
    const session = randomUUID();
    const clients = nodes.map(({ port }) => httpConnection(t, port).send(poll(session)));
    const isOpen = (): boolean => clients.some(({ raw }) => raw.available > 0);
    await until(isOpen, 'a response');
    await Promise.all(clients.map((client) => client.raw.activity(20)));
    const texts = clients.map(({ raw }) => raw.takeAvailable().toString());
    assert.equal(texts.filter((text) => text.endsWith('o\n')).length, 1, texts.join());
    for (const client of clients) client.close();
  }
  const opened = nodes.map(({ router }) => router.stats.dump().sessionsTotal);
  assert.equal(
    opened.reduce((sum, count) => sum + count),
    50,
  );
});

test('relayed polls that come and go leave no connection and no warning behind', async (t) => {
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => {
    warnings.push(warning.message);
  };
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  const [one, two] = await startNodes(t, 2, { settings: { disconnectDelay: 60_000 } });
  const sessions = Array.from({ length: 300 }, () => randomUUID());
  for (const session of sessions) await httpRequest(one.port, poll(session));
  const connections = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const before = connections();
  for (let round = 0; round < 3; round += 1) {
    const polls = sessions.map((session) => new RawHttpConnection(two.port).send(poll(session)));
    await until(() => receivers(one) === sessions.length, 'all polls');
    for (const session of sessions)
      assert.equal((await httpRequest(two.port, send(session, 'x'))).status, 204);
    for (const client of polls) {
      assert.equal((await client.response()).body, 'a["x"]\n');
      client.close();
    }
  }
  const aborted = sessions.map((session) => new RawHttpConnection(two.port).send(poll(session)));
  await until(() => receivers(one) === sessions.length, 'all polls');
  for (const client of aborted) client.abort();
  await until(() => receivers(one) === 0, 'the end of all polls');
  assert.equal(one.router.stats.dump().closed.interrupted, sessions.length);
  await two.cluster.close();
  await until(() => connections() <= before, 'the end of all connections', { state: connections });
  assert.deepEqual(warnings, []);
});

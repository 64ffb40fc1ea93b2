/** The cluster on Redis: three nodes behind HAProxy in round robin, and the page. */
import assert from 'node:assert/strict';
import { type TestContext, after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Program } from '../../testkit/process.ts';
import { testEach } from '../../testkit/node-test.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { poll } from '../../testkit/sockjs-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import { printedPort, startExample } from './example.ts';

const MESSAGES = Array.from({ length: 1000 }, (_, index) => `message ${index}`);
const BATCH = 50;

const program = startExample('cluster-redis/server.ts');
const port = await printedPort(program);
const url = `http://127.0.0.1:${port}`;

after(async () => {
  await program.stop();
});

interface PageEvent {
  readonly type: string;
  readonly node?: string;
  readonly session?: string;
  readonly transport?: string;
  readonly nodes?: number;
  readonly clients?: readonly { readonly presence: { readonly node: string } }[];
}

/** Opens the connection of a page. Returns the events that it gets. */
async function openPage(t: TestContext): Promise<readonly PageEvent[]> {
  const page = await openOfficial(t, `${url}/pages`, { transports: 'websocket' });
  const events: PageEvent[] = [];
  const read = async (): Promise<void> => {
    for (;;) events.push(JSON.parse(await page.messages.next({ timeout: Infinity })) as PageEvent);
  };
  void read();
  return events;
}

function nodeIds({ stdout }: Program): number[] {
  return Array.from(stdout.matchAll(/process (\d+)/g), ([, id]) => Number(id));
}

testEach(CLIENT_TRANSPORTS, '1,000 messages return in order', async (t, transports) => {
  const client = await openOfficial(t, `${url}/echo`, { transports });
  for (let start = 0; start < MESSAGES.length; start += BATCH) {
    const batch = MESSAGES.slice(start, start + BATCH);
    client.send(...batch);
    assert.deepEqual(await client.messages.take(BATCH), batch);
  }
});

test('a page shows which node serves which request, and all sessions', async (t) => {
  const home = await httpRequest(port, { path: '/' });
  assert.equal(home.status, 200);
  assert.match(home.body, /<script src="cluster-redis\.js" type="module">/);
  const events = await openPage(t);
  await until(() => events.some(({ nodes }) => nodes === 3), 'all nodes');
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  for (let count = 0; count < 9; count += 1)
    await httpRequest(port, { method: 'POST', path: `${session}/xhr_send`, body: '["a"]' });
  const nodesOf = (): Set<string | undefined> =>
    new Set(
      events.filter((event) => session.endsWith(event.session ?? ' ')).map(({ node }) => node),
    );
  await until(() => nodesOf().size === 3, 'requests at all nodes');
  await until(() => events.some(({ clients = [] }) => clients.length > 0), 'a session');
});

test('a node that is killed is started again, and the others open sessions', async () => {
  const [victim] = nodeIds(program);
  assert.ok(victim !== undefined);
  process.kill(victim, 'SIGKILL');
  await program.prints(/Node \w has ended with SIGKILL/);
  assert.equal(await poll(port, newSession()), 'o');
  await until(() => nodeIds(program).length === 4, 'another process');
});

test('SIGTERM closes every session and ends all processes', async (t) => {
  const own = startExample('cluster-redis/server.ts');
  t.after(() => own.stop('SIGKILL'));
  const ownPort = await printedPort(own);
  const clients = await Promise.all(
    CLIENT_TRANSPORTS.map((transports) =>
      openOfficial(t, `http://127.0.0.1:${ownPort}/echo`, { transports }),
    ),
  );
  for (const client of clients) {
    client.send('hello');
    assert.equal(await client.next(), 'hello');
  }
  // All nodes end at once, and none waits for a late poll. The next poll has to arrive before.
  await sleep(500);
  own.kill('SIGTERM');
  for (const client of clients) assert.equal((await client.closed()).code, 1001);
  assert.deepEqual(await own.exited(), { code: 0, signal: null });
  assert.equal(own.stderr, '');
});

test('a missing program is named, with the command to install it', async () => {
  const own = startExample('cluster-redis/server.ts', { PATH: '/nowhere' });
  assert.deepEqual(await own.exited(), { code: 1, signal: null });
  assert.match(own.stderr, /redis-server cannot be started.* apt-get install redis-server haproxy/);
});

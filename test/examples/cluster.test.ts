/** The cluster example: all transports whichever worker receives a request, shutdown, and the loss of a worker. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Program } from '../../testkit/process.ts';
import { assertShutsDown, printedPort, runExample, startExample } from './example.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { testEach } from '../../testkit/node-test.ts';
import { until } from '../../testkit/until.ts';

const WORKERS = 2;
/** Each has its own connections, which the workers share evenly. */
const CLIENTS = [1, 2, 3, 4];

/** Waits until all workers listen. @returns the URL of the service */
async function serviceUrl(program: Program): Promise<string> {
  const port = await printedPort(program);
  await until(() => workerIds(program).length === WORKERS, 'all workers to listen');
  return `http://127.0.0.1:${port}/echo`;
}

/** Process ids of the workers, in the order of their start. */
function workerIds({ stdout }: Program): number[] {
  return [...stdout.matchAll(/process (\d+)/g)].map(([, id]) => Number(id));
}

const cluster = startExample('cluster/server.ts', { WORKERS: String(WORKERS) });
const url = await serviceUrl(cluster);
const port = Number(new URL(url).port);

after(async () => {
  cluster.kill('SIGTERM');
  assert.deepEqual(await cluster.exited(), { code: 0, signal: null });
  assert.equal(cluster.stderr, '');
});

testEach(
  CLIENT_TRANSPORTS,
  'messages return in order, whichever worker has the session',
  async (t, transports) => {
    const clients = await Promise.all(CLIENTS.map(() => openOfficial(t, url, { transports })));
    await Promise.all(
      clients.map(async (client) => {
        for (let first = 0; first < 50; first += 10) {
          const messages = Array.from({ length: 10 }, (_, index) => `${first + index}`);
          client.send(...messages);
          assert.deepEqual(await client.messages.take(10), messages);
        }
      }),
    );
  },
);

test('a request for a session reaches its worker over any connection', async () => {
  for (const session of CLIENTS) {
    const path = `/echo/000/session-${session}`;
    const post = (transport: string, body = ''): ReturnType<typeof httpRequest> =>
      httpRequest(port, { method: 'POST', path: `${path}/${transport}`, body });
    assert.equal((await post('xhr')).body, 'o\n');
    for (let count = 0; count < 2 * WORKERS; count += 1) {
      assert.equal((await post('xhr_send', `["${count}"]`)).status, 204);
      const { status, body } = await post('xhr');
      assert.deepEqual({ status, body }, { status: 200, body: `a["${count}"]\n` });
    }
  }
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} closes every session and ends all processes within 5 s`, async (t) => {
    const { program } = await runExample(t, 'cluster/server.ts', { WORKERS: String(WORKERS) });
    const own = await serviceUrl(program);
    const clients = await Promise.all(
      CLIENT_TRANSPORTS.flatMap((transports) =>
        CLIENTS.map(() => openOfficial(t, own, { transports })),
      ),
    );
    await assertShutsDown(
      program,
      clients,
      () => {
        program.kill(signal);
        for (const id of workerIds(program)) process.kill(id, signal); // The terminal and systemd signal each process.
      },
      5000,
    );
  });
}

test('a worker that is killed is replaced, and the sessions of the others stay open', async (t) => {
  const program = startExample('cluster/server.ts', { WORKERS: '2' });
  t.after(async () => {
    program.kill('SIGTERM');
    assert.deepEqual(await program.exited(), { code: 0, signal: null });
  });
  const own = await serviceUrl(program);
  const ownPort = Number(new URL(own).port);
  const victim = Number(/Worker 1, process (\d+)/.exec(program.stdout)?.[1]);
  const post = (session: number, transport: string, body = ''): ReturnType<typeof httpRequest> =>
    httpRequest(ownPort, { method: 'POST', path: `/echo/000/${session}/${transport}`, body });
  const sessions = Array.from({ length: 16 }, (_, index) => index);
  for (const session of sessions) assert.equal((await post(session, 'xhr')).body, 'o\n');

  process.kill(victim, 'SIGKILL');
  const news = 'Worker 1 has ended with SIGKILL.\n';
  await until(() => program.stderr === news, 'the end of the worker');
  const replies = new Set<string>();
  for (const session of sessions) {
    const { status } = await post(session, 'xhr_send', '["hello"]');
    replies.add(`${status} ${(await post(session, 'xhr')).body}`);
  }
  assert.deepEqual(replies, new Set(['204 a["hello"]\n', '404 c[1001,"Node is gone"]\n']));
  await until(() => workerIds(program).length === 3, 'another worker to listen');
});

test('a port in use ends the program instead of starting workers again and again', async (t) => {
  const program = startExample('cluster/server.ts', { PORT: String(port), WORKERS: '2' });
  t.after(() => program.kill('SIGKILL'));
  assert.deepEqual(await program.exited(), { code: 1, signal: null });
  assert.match(program.stderr, /EADDRINUSE/);
});

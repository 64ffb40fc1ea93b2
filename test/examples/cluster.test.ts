/** The cluster example: all transports whichever worker receives a request, shutdown, and the loss of a worker. */
import assert from 'node:assert/strict';
import { type IncomingMessage, createServer } from 'node:http';
import type { Socket } from 'node:net';
import { type TestContext, after, test } from 'node:test';
import { ownerOf, relay } from '../../examples/cluster/relay.ts';
import type { Program } from '../../testkit/process.ts';
import { assertShutsDown, printedPort, runExample, startExample } from './example.ts';
import { CLIENT_TRANSPORTS, connectOfficial, openOfficial } from '../../testkit/official-client.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { listen, stop } from '../../testkit/server.ts';
import { testEach } from '../../testkit/node-test.ts';
import { until } from '../../testkit/until.ts';

const WORKERS = 2;
/** Server parts of session URLs. Each worker owns two of them. */
const SERVERS = ['000', '001', '002', '999'];

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
  'messages return in order, whichever worker owns the session',
  async (t, transports) => {
    const clients = await Promise.all(
      SERVERS.map((server) => openOfficial(t, url, { transports, server })),
    );
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
  for (const server of SERVERS) {
    const path = `/echo/${server}/session-${server}`;
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

test('a server part that is not a number has an owner', async (t) => {
  const client = await openOfficial(t, url, { transports: 'xhr-polling', server: 'mine' });
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
});

test('a server part of any length has an owner', async () => {
  for (const server of ['9'.repeat(10), '9'.repeat(309), '9'.repeat(2000)]) {
    const response = await httpRequest(port, {
      method: 'POST',
      path: `/echo/${server}/of-${server.length}/xhr`,
    });
    assert.deepEqual([response.status, response.body], [200, 'o\n'], `${server.length} digits`);
  }
});

const OWNERS: readonly (readonly [path: string, owner: number | undefined])[] = [
  ['/echo/000/session/xhr', 0],
  ['/echo/007/session/xhr_send?t=1', 3],
  ['/echo/999999999/session/xhr', 3],
  ['/echo/1000000001/session/xhr', 0],
  [`/echo/${'9'.repeat(400)}/session/xhr`, 0],
  ['/echo/mine/session/xhr', 0],
  ['/echo/0x1/session/xhr', 0],
  ['/echo/info', undefined],
  ['/echo/websocket', undefined],
  ['/admin/echo/001/session/xhr', undefined],
  [`/admin?/echo/${'9'.repeat(400)}/session/xhr`, undefined],
  ['http://localhost/echo/001/session/xhr', undefined],
];

for (const [path, owner] of OWNERS) {
  const shown = path.replace(/9{20,}/, '9…9');
  test(`of four workers, ${owner ?? 'none'} owns ${shown}`, () => {
    assert.equal(ownerOf(path, 4), owner);
  });
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} closes every session and ends all processes within 2 s`, async (t) => {
    const { program } = await runExample(t, 'cluster/server.ts', { WORKERS: String(WORKERS) });
    const own = await serviceUrl(program);
    const clients = await Promise.all(
      CLIENT_TRANSPORTS.flatMap((transports) =>
        SERVERS.map((server) => openOfficial(t, own, { transports, server })),
      ),
    );
    await assertShutsDown(program, clients, () => {
      program.kill(signal);
      for (const id of workerIds(program)) process.kill(id, signal); // The terminal and systemd signal each process.
    });
  });
}

test('a worker that is killed is replaced, and the sessions of the others stay open', async (t) => {
  const program = startExample('cluster/server.ts', { WORKERS: '2' });
  t.after(async () => {
    program.kill('SIGTERM');
    assert.deepEqual(await program.exited(), { code: 0, signal: null });
  });
  const own = await serviceUrl(program);
  const victim = Number(/Worker 1, process (\d+)/.exec(program.stdout)?.[1]);
  const options = { transports: 'xhr-streaming', server: '000' } as const;
  // Several, because a stream that is relayed by the killed worker breaks off.
  const clients = await Promise.all([1, 2, 3, 4].map(() => openOfficial(t, own, options)));
  const lost = connectOfficial(t, own, { transports: 'xhr-polling', server: '001' });
  assert.equal(await lost.opened(), true);

  process.kill(victim, 'SIGKILL');
  await until(() => workerIds(program).length === 3, 'another worker to listen');
  assert.equal(program.stderr, 'Worker 1 has ended with SIGKILL.\n');
  assert.equal((await lost.closings.next()).wasClean, false);
  assert.ok(clients.some((client) => client.closings.size === 0));
  const next = await openOfficial(t, own, { transports: 'xhr-polling', server: '001' });
  next.send('hello');
  assert.equal(await next.messages.next(), 'hello');
});

test('a port in use ends the program instead of starting workers again and again', async (t) => {
  const program = startExample('cluster/server.ts', { PORT: String(port), WORKERS: '2' });
  t.after(() => program.kill('SIGKILL'));
  assert.deepEqual(await program.exited(), { code: 1, signal: null });
  assert.match(program.stderr, /EADDRINUSE/);
});

/** Returns the headers that the owner of a session receives for a request from this address. */
async function relayedHeaders(
  t: TestContext,
  address: string,
  headers: readonly (readonly [string, string])[],
): Promise<IncomingMessage['headers']> {
  const owner = createServer((request, response) => response.end(JSON.stringify(request.headers)));
  t.after(() => stop(owner));
  const ownerPort = await listen(owner);
  const front = createServer((request, response) => relay(request, response, ownerPort));
  front.on('connection', (socket: Socket) =>
    Object.defineProperty(socket, 'remoteAddress', { value: address }),
  );
  t.after(() => stop(front));
  const { body } = await httpRequest(await listen(front), { path: '/', headers });
  const parsed: unknown = JSON.parse(body);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the owner writes its headers
  return parsed as IncomingMessage['headers'];
}

const FORWARDING = [
  ['X-Forwarded-For', '192.0.2.1'],
  ['X-Forwarded-Host', 'example.com'],
  ['X-Forwarded-Proto', 'https'],
] as const;

test('the owner receives the address of the client, and no forwarding headers of the client', async (t) => {
  const headers = await relayedHeaders(t, '203.0.113.9', [
    ...FORWARDING,
    ['Forwarded', 'for=192.0.2.1'],
  ]);
  assert.equal(headers['x-forwarded-for'], '203.0.113.9');
  assert.equal(headers['x-forwarded-host'], undefined);
  assert.equal(headers['x-forwarded-proto'], undefined);
  assert.equal(headers.forwarded, undefined);
});

for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '::1']) {
  test(`the owner receives the forwarding headers of a proxy at ${address}`, async (t) => {
    const headers = await relayedHeaders(t, address, FORWARDING);
    for (const [name, value] of FORWARDING) assert.equal(headers[name.toLowerCase()], value);
  });

  test(`the owner receives the address of a client at ${address}`, async (t) => {
    assert.equal((await relayedHeaders(t, address, []))['x-forwarded-for'], address);
  });
}

test('a request for an owner that does not listen gets 503', async (t) => {
  const owner = createServer();
  const ownerPort = await listen(owner);
  await stop(owner);
  const front = createServer((request, response) => relay(request, response, ownerPort));
  t.after(() => stop(front));
  assert.equal((await httpRequest(await listen(front), { path: '/' })).status, 503);
});

test('a request without an owner gets 503', async (t) => {
  const front = createServer((request, response) => relay(request, response, undefined));
  t.after(() => stop(front));
  assert.equal((await httpRequest(await listen(front), { path: '/' })).status, 503);
});

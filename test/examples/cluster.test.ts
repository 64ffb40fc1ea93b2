/** The cluster at work: every transport, whichever worker a request happens to reach; its end; the death of a worker. */
import assert from 'node:assert/strict';
import { type IncomingMessage, createServer } from 'node:http';
import type { Socket } from 'node:net';
import { type TestContext, after, test } from 'node:test';
import { ownerOf, relay } from '../../examples/cluster/relay.ts';
import { TRANSPORTS, connect, open, overEach, until } from '../support/client.ts';
import { ask } from '../support/http.ts';
import { listening, stopped } from '../support/service.ts';
import { Program, endsInTime, start } from './program.ts';

const WORKERS = 2;
/** Each worker owns two of them. */
const SERVERS = ['000', '001', '002', '999'];

async function allListen(program: Program): Promise<string> {
  const port = await program.port();
  await until('all workers listen', () => processes(program).length === WORKERS);
  return `http://127.0.0.1:${port}/echo`;
}

/** The ids of the workers, in the order in which they have started. */
function processes({ stdout }: Program): number[] {
  return [...stdout.matchAll(/process (\d+)/g)].map(([, id]) => Number(id));
}

const cluster = new Program('cluster/server.ts', { WORKERS: String(WORKERS) });
const url = await allListen(cluster);
const port = Number(new URL(url).port);

after(async () => {
  cluster.kill('SIGTERM');
  assert.deepEqual(await cluster.exited(), { code: 0, signal: null });
  assert.equal(cluster.stderr, '');
});

overEach('messages come back in order, whoever has the session', async (t, transports) => {
  const clients = await Promise.all(SERVERS.map((server) => open(t, url, { transports, server })));
  await Promise.all(
    clients.map(async (client) => {
      for (let first = 0; first < 50; first += 10) {
        const messages = Array.from({ length: 10 }, (_, index) => `${first + index}`);
        client.send(...messages);
        assert.deepEqual(await client.messages.take(10), messages);
      }
    }),
  );
});

test('a request for a session reaches its worker over whichever connection it comes', async () => {
  for (const server of SERVERS) {
    const path = `/echo/${server}/session-${server}`;
    const post = (transport: string, body = ''): ReturnType<typeof ask> =>
      ask(port, { method: 'POST', path: `${path}/${transport}`, body });
    assert.equal((await post('xhr')).body, 'o\n');
    for (let count = 0; count < 2 * WORKERS; count += 1) {
      assert.equal((await post('xhr_send', `["${count}"]`)).status, 204);
      const { status, body } = await post('xhr');
      assert.deepEqual({ status, body }, { status: 200, body: `a["${count}"]\n` });
    }
  }
});

test('a <server> that is no number has an owner as well', async (t) => {
  const client = await open(t, url, { transports: 'xhr-polling', server: 'mine' });
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
});

test('a <server> of any length has an owner as well', async () => {
  for (const server of ['9'.repeat(10), '9'.repeat(309), '9'.repeat(2000)]) {
    const answer = await ask(port, {
      method: 'POST',
      path: `/echo/${server}/of-${server.length}/xhr`,
    });
    assert.deepEqual([answer.status, answer.body], [200, 'o\n'], `${server.length} digits`);
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
  const quoteForLog = path.replace(/9{20,}/, '9…9');
  test(`of four workers, ${owner ?? 'none'} owns ${quoteForLog}`, () => {
    assert.equal(ownerOf(path, 4), owner);
  });
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} tells every client and ends all processes within two seconds`, async (t) => {
    const { program } = await start(t, 'cluster/server.ts', { WORKERS: String(WORKERS) });
    const own = await allListen(program);
    const clients = await Promise.all(
      TRANSPORTS.flatMap((transports) =>
        SERVERS.map((server) => open(t, own, { transports, server })),
      ),
    );
    await endsInTime(program, clients, () => {
      program.kill(signal);
      for (const id of processes(program)) process.kill(id, signal); // As the terminal and systemd do.
    });
  });
}

test('a worker that dies is replaced, and the sessions of the others stay', async (t) => {
  const program = new Program('cluster/server.ts', { PORT: '0', WORKERS: '2' });
  t.after(async () => {
    program.kill('SIGTERM');
    assert.deepEqual(await program.exited(), { code: 0, signal: null });
  });
  const own = await allListen(program);
  const victim = Number(/Worker 1, process (\d+)/.exec(program.stdout)?.[1]);
  const options = { transports: 'xhr-streaming', server: '000' } as const;
  // Several, as a stream that comes through the worker that dies breaks off.
  const clients = await Promise.all([1, 2, 3, 4].map(() => open(t, own, options)));
  const lost = connect(t, own, { transports: 'xhr-polling', server: '001' });
  assert.equal(await lost.opened, true);

  process.kill(victim, 'SIGKILL');
  await until('another one listens', () => processes(program).length === 3);
  assert.equal(program.stderr, 'Worker 1 has ended with SIGKILL.\n');
  assert.equal((await lost.closings.next()).wasClean, false);
  assert.ok(clients.some((client) => client.closings.size === 0));
  const next = await open(t, own, { transports: 'xhr-polling', server: '001' });
  next.send('hello');
  assert.equal(await next.messages.next(), 'hello');
});

test('a port in use ends the program instead of starting workers again and again', async (t) => {
  const program = new Program('cluster/server.ts', { PORT: String(port), WORKERS: '2' });
  t.after(() => program.kill('SIGKILL'));
  assert.deepEqual(await program.exited(), { code: 1, signal: null });
  assert.match(program.stderr, /EADDRINUSE/);
});

/** What the owner of a session is told by these headers of a client at this address. */
async function told(
  t: TestContext,
  address: string,
  headers: readonly (readonly [string, string])[],
): Promise<IncomingMessage['headers']> {
  const owner = createServer((request, response) => response.end(JSON.stringify(request.headers)));
  t.after(() => stopped(owner));
  const ownerPort = await listening(owner);
  const front = createServer((request, response) => relay(request, response, ownerPort));
  front.on('connection', (socket: Socket) =>
    Object.defineProperty(socket, 'remoteAddress', { value: address }),
  );
  t.after(() => stopped(front));
  const { body } = await ask(await listening(front), { path: '/', headers });
  const parsed: unknown = JSON.parse(body);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the owner has written
  return parsed as IncomingMessage['headers'];
}

const CLAIMS = [
  ['X-Forwarded-For', '192.0.2.1'],
  ['X-Forwarded-Host', 'example.com'],
  ['X-Forwarded-Proto', 'https'],
] as const;

test('the owner learns the address of the client, and nothing that the client claims', async (t) => {
  const headers = await told(t, '203.0.113.9', [...CLAIMS, ['Forwarded', 'for=192.0.2.1']]);
  assert.equal(headers['x-forwarded-for'], '203.0.113.9');
  assert.equal(headers['x-forwarded-host'], undefined);
  assert.equal(headers['x-forwarded-proto'], undefined);
  assert.equal(headers.forwarded, undefined);
});

for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '::1']) {
  test(`the owner learns what a proxy at ${address} says`, async (t) => {
    const headers = await told(t, address, CLAIMS);
    for (const [name, value] of CLAIMS) assert.equal(headers[name.toLowerCase()], value);
  });

  test(`the owner learns the address of a client at ${address}`, async (t) => {
    assert.equal((await told(t, address, []))['x-forwarded-for'], address);
  });
}

test('a request for an owner that is not there gets 503', async (t) => {
  const owner = createServer();
  const ownerPort = await listening(owner);
  await stopped(owner);
  const front = createServer((request, response) => relay(request, response, ownerPort));
  t.after(() => stopped(front));
  assert.equal((await ask(await listening(front), { path: '/' })).status, 503);
});

test('a request for an owner that never was gets 503, and reaches nobody', async (t) => {
  const front = createServer((request, response) => relay(request, response, undefined));
  t.after(() => stopped(front));
  assert.equal((await ask(await listening(front), { path: '/' })).status, 503);
});

/** The protocol test server as a program: its own services, its command line and its shutdown. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Program, startNode } from '../testkit/process.ts';
import { httpConnection, httpRequest } from '../testkit/raw-http.ts';
import { openWebSocket } from '../testkit/raw-websocket.ts';
import { Receiver, poll, sendMessages } from '../testkit/sockjs-http.ts';
import { XHR, XHR_STREAMING, newSession, parseMessages } from '../testkit/transports.ts';
import { startServer } from '../testkit/server.ts';

const PROGRAM = fileURLToPath(new URL('../test-server/index.ts', import.meta.url));

function run(t: TestContext, port: string): Program {
  return startNode(t, PROGRAM, [], { env: { PORT: port } });
}

interface TestServer {
  readonly program: Program;
  readonly port: number;
}

/** Starts the test server on an ephemeral port. */
async function startTestServer(t: TestContext): Promise<TestServer> {
  const program = run(t, '0');
  const match = await program.prints(/^SockJS test server: http:\/\/127\.0\.0\.1:(\d+)\n$/);
  return { program, port: Number(match[1]) };
}

async function assertEnds(program: Program, signal: NodeJS.Signals): Promise<void> {
  const start = performance.now();
  program.kill(signal);
  assert.deepEqual(await program.exited(), { code: 0, signal: null });
  const duration = performance.now() - start;
  assert.ok(duration < 2000, `it took ${duration} ms to end`);
  assert.equal(program.stderr, '');
}

test('all services respond on the printed port', async (t) => {
  const { port } = await startTestServer(t);
  for (const prefix of [
    '/echo',
    '/disabled_websocket_echo',
    '/cookie_needed_echo',
    '/close',
    '/ticker',
    '/broadcast',
    '/amplify',
  ]) {
    assert.equal((await httpRequest(port, { path: prefix })).body, 'Welcome to SockJS!\n');
    const headers = [['Origin', 'https://elsewhere.example'] as const];
    const { status, body } = await httpRequest(port, { path: `${prefix}/info`, headers });
    assert.equal(status, 200);
    assert.match(body, new RegExp(`"websocket":${prefix !== '/disabled_websocket_echo'}`));
    assert.match(body, new RegExp(`"cookie_needed":${prefix === '/cookie_needed_echo'}`));
  }
});

test('/ticker sends tick! every second', async (t) => {
  const { port } = await startTestServer(t);
  const receiver = new Receiver(port, newSession('/ticker'), XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  const start = performance.now();
  assert.equal(await receiver.frame(), 'a["tick!"]');
  assert.equal(await receiver.frame(), 'a["tick!"]');
  const duration = performance.now() - start;
  assert.ok(duration > 1500 && duration < 4000, `two ticks took ${duration} ms`);
  receiver.close();
});

test('/broadcast sends each message to all of its connections', async (t) => {
  const { port } = await startTestServer(t);
  const sender = newSession('/broadcast');
  const socket = await openWebSocket(t, port, `${newSession('/broadcast')}/websocket`);
  const stream = new Receiver(port, newSession('/broadcast'), XHR_STREAMING);
  assert.equal(await socket.next(), 'o');
  assert.equal(await stream.frame(), 'o');
  assert.equal(await poll(port, sender), 'o');
  await sendMessages(port, sender, 'one', 'two');
  for (const frame of [await socket.next(), await stream.frame(), await poll(port, sender)])
    assert.equal(frame, 'a["one","two"]');
  socket.close();
  await socket.closed();
  assert.equal(socket.messages.size, 0);
  await sendMessages(port, sender, 'three');
  assert.equal(await stream.frame(), 'a["three"]');
  stream.close();
});

test('/amplify returns 2^n times x for n from 1 to 18, and nothing for other messages', async (t) => {
  const { port } = await startTestServer(t);
  const session = newSession('/amplify');
  assert.equal(await poll(port, session), 'o');
  for (const exponent of [1, 2, 10, 18]) {
    await sendMessages(port, session, String(exponent));
    const messages = parseMessages(await poll(port, session));
    assert.ok(messages.length === 1 && messages[0] === 'x'.repeat(2 ** exponent));
  }
  await sendMessages(port, session, '0', '19', '-1', '1.5', 'x', '', 'Infinity', '1');
  assert.equal(await poll(port, session), 'a["xx"]');
});

test('a port in use prints one line, and exits with code 1', async (t) => {
  const port = await startServer(t, createServer());
  const program = run(t, String(port));
  assert.equal((await program.exited()).code, 1);
  assert.equal(program.stderr, `Port ${port} is in use; set PORT to another one.\n`);
  assert.equal(program.stdout, '');
});

for (const value of ['x', '', '-1', '65536', '80.5']) {
  test(`PORT=${value} is invalid: it prints one line, and exits with code 1`, async (t) => {
    const program = run(t, value);
    assert.equal((await program.exited()).code, 1);
    assert.match(program.stderr, /^PORT must be a number from 0 to 65535, not ".*"\.\n$/);
  });
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends it within 2 s without clients`, async (t) => {
    await assertEnds((await startTestServer(t)).program, signal);
  });

  test(`${signal} closes every session and ends it within 2 s`, async (t) => {
    const { program, port } = await startTestServer(t);
    const idle = httpConnection(t, port);
    assert.equal((await idle.request({ path: '/echo' })).status, 200);
    const socket = await openWebSocket(t, port, `${newSession()}/websocket`);
    assert.equal(await socket.next(), 'o');
    const raw = await openWebSocket(t, port, '/ticker/websocket');
    const stream = new Receiver(port, newSession(), XHR_STREAMING);
    assert.equal(await stream.frame(), 'o');
    // A client that does not poll again never receives the close.
    const absent = newSession();
    assert.equal(await poll(port, absent, XHR), 'o');
    await sendMessages(port, absent, 'unread');
    const ending = assertEnds(program, signal);
    assert.match(await socket.nextText(), /^c\[1001,/);
    assert.match((await stream.frame()) ?? '', /^c\[1001,/);
    assert.equal((await socket.closed()).code, 1001);
    assert.equal(socket.messages.size, 0);
    assert.equal((await raw.closed()).code, 1001);
    await ending;
  });
}

/** The protocol test server as a program: its services that live in time, its messages, its end. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  Receiver,
  XHR,
  XHR_STREAMING,
  messagesIn,
  poll,
  send,
  sendBody,
} from './conformance/dialects.ts';
import { newSession } from './conformance/services.ts';
import { WebSocketClient } from './conformance/web-socket.ts';
import { HttpConnection, ask } from './support/http.ts';
import { listening, stopped } from './support/service.ts';

const PROGRAM = fileURLToPath(new URL('../test-server/index.ts', import.meta.url));

interface Program {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly output: { stdout: string; stderr: string };
  readonly exited: Promise<unknown>;
}

function run(t: TestContext, port: string): Program {
  const child = spawn(process.execPath, [PROGRAM], { env: { ...process.env, PORT: port } });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => (output.stdout += String(data)));
  child.stderr.on('data', (data) => (output.stderr += String(data)));
  const exited = once(child, 'close');
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return { child, output, exited };
}

interface Started extends Program {
  readonly port: number;
}

/** On a port that the system chooses; it ends with the test. */
async function start(t: TestContext): Promise<Started> {
  const program = run(t, '0');
  assert.ok(program.child.stdout !== null);
  await Promise.race([once(program.child.stdout, 'data'), program.exited]);
  const match = /^SockJS test server: http:\/\/127\.0\.0\.1:(\d+)\n$/.exec(program.output.stdout);
  assert.ok(match !== null, `it printed ${JSON.stringify(program.output)}`);
  return { ...program, port: Number(match[1]) };
}

/** Sends the signal and waits for the end. */
async function end({ child, exited, output }: Program, signal: NodeJS.Signals): Promise<void> {
  const from = performance.now();
  child.kill(signal);
  await exited;
  const took = performance.now() - from;
  assert.ok(took < 2000, `it took ${took} ms to end`);
  assert.deepEqual({ code: child.exitCode, stderr: output.stderr }, { code: 0, stderr: '' });
}

test('all services are there, on the port that is printed', async (t) => {
  const { port } = await start(t);
  for (const prefix of [
    '/echo',
    '/disabled_websocket_echo',
    '/cookie_needed_echo',
    '/close',
    '/ticker',
    '/broadcast',
    '/amplify',
  ]) {
    assert.equal((await ask(port, { path: prefix })).body, 'Welcome to SockJS!\n');
    const headers = [['Origin', 'https://elsewhere.example'] as const];
    const { status, body } = await ask(port, { path: `${prefix}/info`, headers });
    assert.equal(status, 200);
    assert.match(body, new RegExp(`"websocket":${prefix !== '/disabled_websocket_echo'}`));
    assert.match(body, new RegExp(`"cookie_needed":${prefix === '/cookie_needed_echo'}`));
  }
});

test('/ticker says tick! every second', async (t) => {
  const { port } = await start(t);
  const receiver = new Receiver(port, newSession('/ticker'), XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  const from = performance.now();
  assert.equal(await receiver.frame(), 'a["tick!"]');
  assert.equal(await receiver.frame(), 'a["tick!"]');
  const took = performance.now() - from;
  assert.ok(took > 1500 && took < 4000, `two ticks took ${took} ms`);
  receiver.connection.close();
});

test('/broadcast sends each message to all of its connections', async (t) => {
  const { port } = await start(t);
  const sender = newSession('/broadcast');
  const socket = await WebSocketClient.open(port, `${newSession('/broadcast')}/websocket`);
  const stream = new Receiver(port, newSession('/broadcast'), XHR_STREAMING);
  assert.equal(await socket.next(), 'o');
  assert.equal(await stream.frame(), 'o');
  assert.equal(await poll(port, sender), 'o');
  await send(port, sender, 'one', 'two');
  for (const frame of [await socket.next(), await stream.frame(), await poll(port, sender)])
    assert.equal(frame, 'a["one","two"]');
  socket.socket.close();
  await socket.closed();
  await send(port, sender, 'three');
  assert.equal(await stream.frame(), 'a["three"]');
  stream.connection.close();
});

test('/amplify answers n from 1 to 18 with 2^n times x, and nothing else', async (t) => {
  const { port } = await start(t);
  const session = newSession('/amplify');
  assert.equal(await poll(port, session), 'o');
  for (const exponent of [1, 2, 10, 18]) {
    await send(port, session, String(exponent));
    const messages = messagesIn(await poll(port, session));
    assert.ok(messages.length === 1 && messages[0] === 'x'.repeat(2 ** exponent));
  }
  await send(port, session, '0', '19', '-1', '1.5', 'x', '', 'Infinity', '1');
  assert.equal(await poll(port, session), 'a["xx"]');
});

test('a port in use gives one line and exit code 1', async (t) => {
  const taken = createServer();
  t.after(async () => stopped(taken));
  const port = await listening(taken);
  const { child, output, exited } = run(t, String(port));
  await exited;
  assert.equal(child.exitCode, 1);
  assert.equal(output.stderr, `Port ${port} is in use; set PORT to another one.\n`);
  assert.equal(output.stdout, '');
});

for (const wanted of ['x', '', '-1', '65536', '80.5']) {
  test(`PORT=${wanted} is no port: one line and exit code 1`, async (t) => {
    const { child, output, exited } = run(t, wanted);
    await exited;
    assert.equal(child.exitCode, 1);
    assert.match(output.stderr, /^PORT must be a number from 0 to 65535, not ".*"\.\n$/);
  });
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends it at once when nobody is there`, async (t) => {
    await end(await start(t), signal);
  });

  test(`${signal} tells every client and ends it within two seconds`, async (t) => {
    const program = await start(t);
    const { port } = program;
    const idle = new HttpConnection(port);
    assert.equal((await idle.ask({ path: '/echo' })).status, 200);
    const socket = await WebSocketClient.open(port, `${newSession()}/websocket`);
    assert.equal(await socket.next(), 'o');
    const raw = await WebSocketClient.open(port, '/ticker/websocket');
    const stream = new Receiver(port, newSession(), XHR_STREAMING);
    assert.equal(await stream.frame(), 'o');
    // This one never polls again, and so never learns that it is over.
    const silent = newSession();
    assert.equal(await poll(port, silent, XHR), 'o');
    assert.equal((await sendBody(port, silent, '["unread"]')).status, 204);
    const ending = end(program, signal);
    assert.match(String(await socket.next()), /^c\[1001,/);
    assert.match((await stream.frame()) ?? '', /^c\[1001,/);
    assert.equal((await socket.closed()).code, 1001);
    assert.equal((await raw.closed()).code, 1001);
    await ending;
  });
}

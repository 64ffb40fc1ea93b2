/**
 * 1,000 clients that never read, with the default settings, while the server keeps sending to each: half of them
 * WebSockets, half of them sessions between two polls. The server is a separate process, so its memory is that of these
 * clients.
 *
 * With `close` each client would get 12.5 MiB, but is closed long before. With `drop-oldest` none is closed, and each
 * gets 12.5 MiB: 200,000 messages in some ten seconds. With `close`, sessions between polls get a separate text for each
 * message, as each WebSocket has a separate frame. With `drop-oldest` a round has one text for all, since making 12.5 GB
 * of text would take too long.
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { resolveSettings } from '../../src/api/settings.ts';
import type { Report } from './flood-server.ts';
import { WEBSOCKET, openRequest } from '../../testkit/transports.ts';
import { encodeRequest, httpRequest } from '../../testkit/raw-http.ts';

const CLIENTS = 1000;
const MIB = 1024 * 1024;
const { maxBufferedBytes, maxTotalBufferedBytes } = resolveSettings({});

/** Opens a WebSocket that reads nothing. */
async function neverRead(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  await once(socket, 'connect');
  socket.write(encodeRequest(openRequest(WEBSOCKET)));
  return socket;
}

async function openClients(t: TestContext, port: number): Promise<void> {
  for (let count = 0; count < CLIENTS / 2; count += 1) {
    const socket = await neverRead(port);
    t.after(() => socket.destroy());
    const { body } = await httpRequest(port, { method: 'POST', path: `/echo/000/${count}/xhr` });
    assert.equal(body, 'o\n');
  }
}

async function floodAll(t: TestContext, policy: string): Promise<Report> {
  const program = new URL('flood-server.ts', import.meta.url);
  const env = { PATH: process.env['PATH'] };
  const child = fork(program, [policy], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  t.after(() => child.kill('SIGKILL'));
  const signal = AbortSignal.timeout(110_000);
  const [{ address }] = (await once(child, 'message', { signal })) as [
    { address: { port: number } },
  ];
  await openClients(t, address.port);
  child.send('flood');
  const [{ report }] = (await once(child, 'message', { signal })) as [{ report: Report }];
  return report;
}

function show(
  t: TestContext,
  { before, quarters, sent, mostBuffered, milliseconds }: Report,
): number {
  const perClient = (Math.max(...quarters) - before) / CLIENTS;
  const figures = [before, ...quarters].map((bytes) => Math.round(bytes / MIB)).join(', ');
  t.diagnostic(`peak memory per client: ${Math.round(perClient / 1024)} KiB`);
  t.diagnostic(`memory before, and the most in each quarter: ${figures} MiB`);
  t.diagnostic(`most that waited at once: ${Math.round(mostBuffered / MIB)} MiB`);
  // Over the total, each client may have one more message.
  assert.ok(mostBuffered < maxTotalBufferedBytes + CLIENTS * 65 * 1024, `${mostBuffered} bytes`);
  t.diagnostic(`${sent} messages of 64 KiB in ${Math.round(milliseconds)} ms`);
  return perClient;
}

test('close: clients that never read take less than 1.5 × maxBufferedBytes each, and are closed', async (t) => {
  const report = await floodAll(t, 'close');
  const perClient = show(t, report);
  assert.equal(report.closed, CLIENTS);
  assert.ok(perClient < 1.5 * maxBufferedBytes, `${perClient} bytes per client`);
});

test('drop-oldest: 12.5 MiB for each of them leave memory flat', async (t) => {
  const report = await floodAll(t, 'drop-oldest');
  const perClient = show(t, report);
  assert.equal(report.sent, CLIENTS * 200);
  assert.equal(report.closed, 0);
  assert.ok(report.dropped > report.sent / 2);
  assert.ok(perClient < 1.5 * maxBufferedBytes, `${perClient} bytes per client`);
  const [first = 0, ...later] = report.quarters;
  assert.ok(Math.max(...later) < first * 1.25, `memory grows: ${report.quarters.join(', ')}`);
});

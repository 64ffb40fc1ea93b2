/** Time limits of a connection when the process was stopped: timers run before sockets are read. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Socket } from 'node:net';
import { WriteWatchdog } from '../../../src/hosts/node/write-watchdog.ts';
import { readBody } from '../../../src/hosts/node/request-body.ts';
import { SockJSError } from '../../../src/base/errors.ts';
import { Readable } from 'node:stream';
import { OPCODE, encodeClose, encodeFrame } from '../../../testkit/websocket-frames.ts';
import { VirtualProcess } from '../../../testkit/virtual-process.ts';
import { until } from '../../../testkit/until.ts';
import { clientMemory } from '../../base/client-memory.ts';
import { webSocketPair } from './websocket-pair.ts';

const LIMITS = {
  maxBytes: 100,
  timeout: 30_000,
};
const STALL_MS = 60_000;

/** Starts reading a body of which some bytes are missing. */
function startBody() {
  const request = new Readable({ read() {} });
  const results: string[] = [];
  void readBody(request, undefined, LIMITS, clientMemory()).then((result) => {
    results.push(result instanceof SockJSError ? result.code : String(result));
  });
  request.push('[');
  return { request, results };
}

for (const before of [0, 10_000, 29_000]) {
  test(`a body whose rest is read after a stall, ${before} ms into bodyTimeout, is complete`, async (t) => {
    const process = new VirtualProcess(t.mock);
    const { request, results } = startBody();
    await process.run(before);
    process.stall(STALL_MS);
    process.fireTimers();
    request.push(']');
    request.push(null);
    await process.run(1);
    assert.deepEqual(results, ['[]']);
  });

  test(`a body that stays incomplete after a stall, ${before} ms into bodyTimeout, is refused`, async (t) => {
    const process = new VirtualProcess(t.mock);
    const { results } = startBody();
    await process.run(before);
    process.stall(STALL_MS);
    await process.run(29_000 - before);
    assert.deepEqual(results, []);
    await process.run(10_000);
    assert.deepEqual(results, ['ERR_BODY_TIMEOUT']);
  });
}

const MESSAGE = encodeFrame(OPCODE.text, 'Hello');

/** A WebSocket in virtual time whose client has sent the first bytes of a message. */
async function openIncomplete(t: TestContext) {
  const pair = await webSocketPair(t, { bodyTimeout: 30_000 });
  const process = new VirtualProcess(t.mock);
  pair.client.send(MESSAGE.subarray(0, 8));
  await until(() => pair.budget.bytes === 2, 'the message to begin');
  return { ...pair, process };
}

test('a WebSocket message whose rest is read after a stall is delivered', async (t) => {
  const { client, events, process } = await openIncomplete(t);
  await process.run(29_000);
  process.stall(STALL_MS);
  client.send(MESSAGE.subarray(8));
  process.fireTimers();
  assert.deepEqual(await events.next(), ['text', 'Hello']);
  await process.run(STALL_MS);
  assert.equal(events.size, 0);
  assert.equal(process.timers, 0);
});

test('a WebSocket message that stays incomplete after a stall closes with 1008', async (t) => {
  const { events, process } = await openIncomplete(t);
  await process.run(29_000);
  process.stall(STALL_MS);
  await process.run(10_000);
  assert.deepEqual(await events.next(), ['fault', 'messageTimeout']);
});

test('a client whose end is read after a stall gets the close frame of a fault', async (t) => {
  const { webSocket, client, events, socket } = await webSocketPair(t);
  const process = new VirtualProcess(t.mock);
  webSocket.fail('invalidJson');
  assert.deepEqual(await events.next(), ['fault', 'invalidJson']);
  await process.run(1900);
  process.stall(STALL_MS);
  process.fireTimers();
  process.runImmediates();
  process.runImmediates();
  assert.equal(socket.destroyed, false);
  client.send(encodeFrame(OPCODE.close, encodeClose(1000, 'bye')));
  assert.deepEqual(await events.next(), ['closed', 1000, 'bye']);
});

test('a client that does not close after a fault is disconnected after a stall', async (t) => {
  const { webSocket, events } = await webSocketPair(t);
  const process = new VirtualProcess(t.mock);
  webSocket.fail('invalidJson');
  process.stall(STALL_MS);
  await process.run(2500);
  assert.deepEqual((await events.take(2)).at(-1)?.[0], 'closed');
});

const WRITE_LIMITS = { writeTimeout: 30_000, sendTimeLimit: Infinity };

/** A watchdog on a socket whose client has read nothing for 29 s. */
async function watch(t: TestContext) {
  const process = new VirtualProcess(t.mock);
  const socket = { bytesWritten: 10, writableLength: 10 };
  let timeouts = 0;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the watchdog reads only these counters
  const watchdog = new WriteWatchdog(socket as Socket, WRITE_LIMITS, () => {
    timeouts += 1;
  });
  watchdog.start();
  await process.run(29_000);
  process.stall(STALL_MS);
  process.fireTimers();
  return { process, socket, timeouts: () => timeouts };
}

test('a client that has read during a stall does not reach writeTimeout', async (t) => {
  const { process, socket, timeouts } = await watch(t);
  await process.run(1000);
  socket.writableLength = 5; // The system has taken bytes once the event loop runs.
  await process.run(20_000);
  assert.equal(timeouts(), 0);
});

test('a client that reads nothing after a stall reaches writeTimeout', async (t) => {
  const { process, timeouts } = await watch(t);
  await process.run(10_000);
  assert.equal(timeouts(), 1);
});

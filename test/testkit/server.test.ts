import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { VirtualClock } from '../../testkit/clock.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import type { TestScope } from '../../testkit/scope.ts';
import { freePorts, listen, portOf, startRouter, startServer, stop } from '../../testkit/server.ts';

/** A scope that the test ends itself. */
class ManualScope implements TestScope {
  readonly #cleanups: (() => void | Promise<void>)[] = [];

  after(cleanup: () => void | Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  async end(): Promise<void> {
    for (const cleanup of this.#cleanups) await cleanup();
  }
}

test('a server listens on a free port, and stops with its scope', async () => {
  const scope = new ManualScope();
  const server = createServer((_request, response) => response.end('here'));
  const port = await startServer(scope, server);
  assert.equal(portOf(server), port);
  assert.equal((await httpRequest(port, { path: '/' })).body, 'here');
  await scope.end();
  assert.equal(server.listening, false);
  assert.throws(() => portOf(server), /does not listen/);
});

test('an upgraded connection is closed with its scope', async () => {
  const scope = new ManualScope();
  const server = createServer().on('upgrade', (_request, socket) => socket.write('upgraded'));
  const socket = connect(await startServer(scope, server), '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await scope.end();
  await closed;
});

test('a port that is taken is an error', async () => {
  const first = createServer();
  const port = await listen(first);
  await assert.rejects(listen(createServer(), port), /EADDRINUSE/);
  await stop(first);
});

test('free ports are different', async () => {
  const ports = await freePorts(3);
  assert.equal(new Set(ports).size, 3);
});

test('a router is served at its prefix, and fails its test for a warning that was not taken', async () => {
  const scope = new ManualScope();
  const { port, url, logger, router } = await startRouter(scope, {}, undefined, { prefix: '/a' });
  assert.equal(url, `http://127.0.0.1:${port}/a`);
  assert.equal(router.prefix, '/a');
  assert.equal((await httpRequest(port, { path: '/a' })).body, 'Welcome to SockJS!\n');
  logger.warn('unexpected');
  await assert.rejects(scope.end(), /unexpected log lines/);
  logger.take();
  await scope.end();
});

test('log lines are kept until they are taken', () => {
  const logger = new RecordingLogger();
  logger.info('b');
  logger.assertNoProblems();
  logger.warn('c');
  logger.error('d');
  assert.deepEqual(logger.take(), [
    { level: 'warn', line: 'c' },
    { level: 'error', line: 'd' },
  ]);
  logger.assertNoProblems();
  logger.error('e');
  assert.throws(() => logger.assertNoProblems(), /unexpected log lines/);
});

test('a virtual clock moves time and timers together', (t) => {
  const clock = new VirtualClock(t.mock.timers, { step: 10 });
  const ticks: number[] = [];
  const interval = setInterval(() => ticks.push(clock.now()), 25);
  setTimeout(() => ticks.push(-1), 40);
  clock.advance(60);
  assert.equal(clock.now(), 60);
  assert.deepEqual(ticks, [30, -1, 50]);
  clock.advance(5);
  assert.equal(clock.now(), 65);
  clearInterval(interval);
});

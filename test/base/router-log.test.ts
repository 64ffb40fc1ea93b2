/** The log of a router: loggers that fail, repeated lines, and the development log. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { type SockJSLogger, Refusal, SockJSConnection } from '../../src/index.ts';
import { RouterLog } from '../../src/base/router-log.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { startRouter } from '../../testkit/server.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { newSession } from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';

const MINUTE_MS = 60_000;

function create(): { readonly log: RouterLog; readonly logger: RecordingLogger } {
  const logger = new RecordingLogger();
  return { log: new RouterLog(logger, '/echo'), logger };
}

/** Returns a logger whose methods all do the same. */
function loggerOf(method: () => unknown): SockJSLogger {
  const call = (): void => void method();
  return { debug: call, info: call, warn: call, error: call };
}

function fail(): never {
  throw new Error('no disk');
}

const THEN_THROWS = {
  // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
  get then(): never {
    return fail();
  },
};

const FAILURES: readonly (readonly [how: string, method: () => unknown])[] = [
  ['throws', fail],
  ['rejects', () => Promise.reject(new Error('no disk'))],
  [
    'rejects with a thenable',
    () => ({
      // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
      then: (_resolve: unknown, reject: (error: Error) => void) => reject(new Error('no disk')),
    }),
  ],
  ['returns a value whose then throws', () => THEN_THROWS],
];

class Broken extends SockJSConnection {
  override onMessage(): void {
    throw new Error('broken');
  }
}

for (const [how, method] of FAILURES) {
  test(`a logger that ${how} has no effect on clients, and is reported once on the console`, async (t) => {
    const reported = t.mock.method(console, 'error', () => undefined);
    const same = { debug: method, info: method, warn: method, error: method };
    const { port } = await startRouter(t, { logger: same, maxMessageBytes: 100 }, Broken);
    const headers = [['Origin', 'http://evil.example']] as const;
    assert.equal((await httpRequest(port, { path: '/echo/info', headers })).status, 403);
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    assert.equal((await postBody(port, session, `["${'x'.repeat(200)}"]`)).status, 413);
    assert.equal((await postBody(port, session, '["x"]')).status, 204);
    assert.equal(await poll(port, session), 'c[1011,"Internal error"]');
    await until(() => reported.mock.callCount() > 0, 'the report');
    assert.equal(reported.mock.callCount(), 1);
    assert.match(
      String(reported.mock.calls[0]?.arguments[0]),
      /^The setting logger failed\..*no disk/,
    );
  });
}

test('a console that throws too has no effect', (t) => {
  t.mock.method(console, 'error', fail);
  const log = new RouterLog(loggerOf(fail), '/echo');
  for (const level of ['info', 'warn', 'error'] as const) log[level]('line');
  log.debug?.('line');
});

test('logger: false writes nothing at any level', (t) => {
  const streams = [process.stdout, process.stderr].map((stream) =>
    t.mock.method(stream, 'write', () => true),
  );
  const log = new RouterLog(false, '/echo');
  for (const level of ['info', 'warn', 'error'] as const) log[level](level);
  const calls = streams.map((stream) => stream.mock.callCount());
  t.mock.restoreAll();
  assert.deepEqual(calls, [0, 0]);
  assert.equal(log.debug, undefined);
});

test('a warning is logged once', () => {
  const { log, logger } = create();
  for (const line of ['a', 'b', 'a']) log.warn(line);
  assert.deepEqual(
    logger.take().map(({ line }) => line),
    ['a', 'b'],
  );
});

test('a repeated error is logged once, and then counted every minute', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { log, logger } = create();
  const lines = (): string[] => logger.take().map(({ line }) => line);
  for (let count = 0; count < 5; count += 1) log.error('X failed: no\n    at x\n    at y');
  log.error('Y failed');
  assert.deepEqual(lines(), ['X failed: no\n    at x\n    at y', 'Y failed']);
  t.mock.timers.tick(MINUTE_MS);
  assert.deepEqual(lines(), ['4 more times in a minute: X failed: no']);
  log.error('X failed: no\n    at x\n    at z');
  t.mock.timers.tick(MINUTE_MS);
  assert.deepEqual(lines(), ['1 more times in a minute: X failed: no']);
  t.mock.timers.tick(10 * MINUTE_MS);
  log.error('X failed: no\n    at x\n    at y');
  assert.deepEqual(lines(), ['X failed: no\n    at x\n    at y']);
});

test('the same message from two places is logged twice', () => {
  const { log, logger } = create();
  for (const place of ['a', 'b']) log.error(`X failed: no\n    at ${place}`);
  assert.equal(logger.take().length, 2);
});

test('at most 50 different errors are logged in a minute, and the others are counted', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { log, logger } = create();
  for (let count = 0; count < 200; count += 1) log.error(`error ${count}`);
  assert.equal(logger.take().length, 50);
  t.mock.timers.tick(MINUTE_MS);
  assert.deepEqual(logger.take(), [{ level: 'error', line: '150 other errors in a minute' }]);
  log.error('error 199');
  assert.equal(logger.take().length, 1);
});

/** Logger with a development log. */
class DebugLogger extends RecordingLogger {
  readonly lines: string[] = [];

  readonly debug = (line: string): void => {
    this.lines.push(line);
  };
}

test('the development log has a line for each open, each refusal and each close', async (t) => {
  const logger = new DebugLogger();
  const authorize = (request: { getArgument(name: string): string | undefined }): unknown =>
    request.getArgument('token') === 'wrong' ? new Refusal(401, 'no') : 'user';
  const { port } = await startRouter(t, { logger, authorize });
  const id = 'SECRET';
  assert.equal(await poll(port, `/echo/000/${id}`), 'o');
  const method = 'POST';
  await httpRequest(port, { method, path: `/echo/000/${id}2/xhr?token=wrong` });
  await httpRequest(port, { method, path: `/echo/000/${id}3/xhr_send`, body: '["x"]' });
  await httpRequest(port, { path: `/echo/000%0A/${id}/${id}/x` });
  const socket = await openWebSocket(t, port, '/echo/websocket');
  socket.close(4001, 'line 1\nline 2');
  await until(() => logger.lines.length === 6, 'the line of the close');
  assert.deepEqual(
    logger.lines.map((line) => line.replace(/after \d+\.\d s/, 'after N s')),
    [
      '/echo: opened xhr for 127.0.0.1',
      '/echo: refused POST "/echo/000/…/xhr" from 127.0.0.1 with 401: unauthorized',
      '/echo: refused POST "/echo/000/…/xhr_send" from 127.0.0.1 with 404: sessionNotFound',
      '/echo: refused GET "/echo/000%0A/…" from 127.0.0.1 with 404: notFound',
      '/echo: opened rawwebsocket for 127.0.0.1',
      String.raw`/echo: closed rawwebsocket of 127.0.0.1 after N s with 4001 "line 1\nline 2": client`,
    ],
  );
});

test('without a debug method no line is formatted', async (t) => {
  const { port, logger } = await startRouter(t);
  assert.equal(await poll(port, newSession()), 'o');
  assert.equal((await httpRequest(port, { path: '/echo/nothing' })).status, 404);
  assert.deepEqual(logger.take(), []);
  assert.equal(new RouterLog(new RecordingLogger(), '/echo').debug, undefined);
});

test('NODE_DEBUG=sockjs-server writes the development log to stderr, whatever the logger', () => {
  const program = `
    import { RouterLog } from './src/base/router-log.ts';
    const lines = [];
    const logger = { debug: (line) => lines.push(line), info() {}, warn() {}, error() {} };
    for (const each of [logger, false]) new RouterLog(each, '').debug?.('a line of %s');
    console.log(lines.length);
  `;
  const run = (NODE_DEBUG: string): readonly [stdout: string, stderr: string] => {
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      env: { ...process.env, NODE_DEBUG },
    });
    return [stdout, stderr.replaceAll(/\d+/g, 'PID')];
  };
  assert.deepEqual(run(''), ['1\n', '']);
  const line = 'SOCKJS-SERVER PID: /: a line of %s\n';
  assert.deepEqual(run('http2,sockjs-server'), ['0\n', line + line]);
});

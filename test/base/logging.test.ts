/** Log lines: escaping, descriptions of errors, and log lines of a real server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  CONSOLE_LOGGER,
  describeError,
  escapeControl,
  pathForLog,
} from '../../src/base/logging.ts';
import { SockJSConnection } from '../../src/index.ts';
import { UPGRADE_HEADERS } from '../../testkit/raw-websocket.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

// oxlint-disable-next-line no-control-regex -- these are what must not be in a log line
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

for (const [text, escaped] of [
  ['a\nb\tc', String.raw`a\nb\tc`],
  ['\u001b[31m', String.raw`\u001b[31m`],
  ['\u0085\u2028\u2029', String.raw`\u0085\u2028\u2029`],
  ['\u202e\u2066\u200f\u061c', String.raw`\u202e\u2066\u200f\u061c`],
  ['é 例え "quoted"', 'é 例え "quoted"'],
] as const) {
  test(`escapeControl writes ${escaped}`, () => {
    assert.equal(escapeControl(text), escaped);
  });
}

test('an error is described by its message and its stack', () => {
  const [message = '', first = ''] = describeError(new Error('broken')).split('\n');
  assert.equal(message, 'Error: broken');
  assert.match(first, /^ {4}at .*logging\.test\.ts/);
});

test('a line break in a message does not begin a log line', () => {
  const lines = describeError(new Error('one\ntwo\u001b')).split('\n');
  assert.equal(lines[0], String.raw`Error: one\ntwo\u001b`);
  for (const line of lines) assert.doesNotMatch(line, CONTROL);
});

test('a message is cut after 1000 characters, and a stack after 20 lines', () => {
  const error = new Error('broken');
  error.stack = `Error: ${'x'.repeat(5000)}\n${'    at f (file.js:1:1)\n'.repeat(50)}`.trimEnd();
  const [message = '', ...stack] = describeError(error).split('\n');
  assert.equal(message.length, 1001);
  assert.ok(message.endsWith('…'));
  assert.equal(stack.length, 20);
});

test('a thrown value that is not an error is inspected', () => {
  assert.equal(describeError('a\nb'), String.raw`'a\nb'`);
  assert.equal(describeError({ a: 1 }), '{ a: 1 }');
  assert.equal(describeError(undefined), 'undefined');
});

test('an error that throws when it is read is described in words', () => {
  const error = new Error('broken');
  Object.defineProperty(error, 'stack', {
    get() {
      throw new Error('no stack');
    },
  });
  assert.equal(describeError(error), 'an error that cannot be described');
});

test('the console logger writes warnings and errors, and nothing else', (t) => {
  const lines: unknown[] = [];
  for (const method of ['debug', 'info', 'log', 'warn', 'error'] as const)
    t.mock.method(console, method, (line: unknown) => lines.push([method, line]));
  for (const level of ['info', 'warn', 'error'] as const) CONSOLE_LOGGER[level](level);
  assert.deepEqual(lines, [
    ['warn', 'warn'],
    ['error', 'error'],
  ]);
});

test('client input in log lines is escaped and cut', async (t) => {
  const { port, logger } = await startRouter(t);
  const origin = `http://evil.example/\u0085${'x'.repeat(5000)}`;
  await httpRequest(port, { path: '/echo/info', headers: [['Origin', origin]] });
  const [entry] = logger.take();
  assert.ok(entry !== undefined && entry.line.length < 500, `${entry?.line.length} characters`);
  assert.doesNotMatch(entry.line, CONTROL);
});

const ID = 'SECRET-SESSION-ID';
const SESSION = `/echo/000/${ID}`;

/** Throws, or sends more than its client may buffer. */
class Failing extends SockJSConnection {
  override async onMessage(message: string): Promise<void> {
    if (message === 'failed') throw new Error('failed');
    for (let count = 0; count < 9; count += 1) {
      this.send('x'.repeat(1000));
      await nextTurn();
    }
  }
}

test('no log line of any level contains a session id', async (t) => {
  const { port, logger, router } = await startRouter(
    t,
    { maxBufferedBytes: 2000, maxMessageBytes: 5000, maxSessions: 3, allowedOrigins: [] },
    Failing,
  );
  await poll(port, SESSION);
  for (const body of ['{', '["failed"]', 'x'.repeat(6000)]) await postBody(port, SESSION, body);
  const slow = `/echo/000/${ID}-slow`;
  await poll(port, slow);
  await postBody(port, slow, '["slowConsumer"]');
  await until(() => router.stats.dump().closed.slowConsumer === 1, 'the slow client to be closed');
  for (const headers of [
    [['Origin', 'http://evil.example']],
    UPGRADE_HEADERS.slice(2),
    UPGRADE_HEADERS.slice(1),
  ] as const)
    await httpRequest(port, { path: `${SESSION}/websocket`, headers });
  for (let count = 0; count < 4; count += 1)
    await httpRequest(port, { method: 'POST', path: `/echo/000/${ID}${count}/xhr` });
  const lines = logger.take();
  assert.ok(lines.length >= 4, `${lines.length} lines`);
  for (const { line } of lines) assert.doesNotMatch(line, new RegExp(ID));
});

test('logger: false turns logging off', async (t) => {
  const written = t.mock.method(process.stderr, 'write', () => true);
  const { port } = await startRouter(t, { logger: false });
  await httpRequest(port, { path: '/echo/info', headers: [['Origin', 'http://evil.example']] });
  assert.equal(written.mock.callCount(), 0);
});

for (const [prefix, path, logged] of [
  ['/echo', '', '/echo'],
  ['/echo', '/', '/echo/'],
  ['/echo', '/info', '/echo/info'],
  ['/echo', '/000/SECRET/xhr_send', '/echo/000/…/xhr_send'],
  ['/echo', '/000/SECRET', '/echo/000/…'],
  ['/echo', '/000/SECRET/', '/echo/000/…'],
  ['/echo', '/000/x/SECRET', '/echo/000/…'],
  ['/echo', '/chat/info', '/echo/chat/…/info'],
  ['/echo', '/000%2FSECRET%2fxhr', '/echo/000/…'],
  ['', '/echo/000/SECRET/websocket', '/echo/…/websocket'],
] as const) {
  test(`the path ${prefix}${path} is logged as ${logged}`, () => {
    assert.equal(pathForLog(prefix, path), JSON.stringify(logged));
  });
}

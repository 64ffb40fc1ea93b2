/** Warnings for the operator: their texts, and the requests that cause them. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { OperatorWarnings, isOperatorWarning } from '../../src/http/operator-warnings.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { deferred } from '../../testkit/until.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { handshakeHeaders, openWebSocket } from '../../testkit/raw-websocket.ts';
import { createRouter, startRouter, startServer } from '../../testkit/server.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

function record(): { readonly lines: string[]; readonly warnings: OperatorWarnings } {
  const lines: string[] = [];
  const warn = (line: string): void => void lines.push(line.replace(/^\/echo: /, ''));
  const logger = { info: assert.fail, warn, error: assert.fail };
  return { lines, warnings: new OperatorWarnings('/echo', logger) };
}

test('each warning is logged once', () => {
  const { lines, warnings } = record();
  for (let count = 0; count < 2; count += 1) {
    warnings.warn('bodyTooLarge');
    warnings.warn('sessionLimit');
  }
  assert.deepEqual(lines, [
    'refused a request body with 413: it was longer than maxMessageBytes.',
    'refused a new session with 503: maxSessions are open.',
  ]);
});

test('refusals without a warning have no text', () => {
  assert.equal(isOperatorWarning('pendingLimit'), true);
  for (const name of ['notFound', 'toString', '__proto__', '']) {
    assert.equal(isOperatorWarning(name), false);
  }
});

test('a refused origin is logged once, with the setting that allows it', () => {
  const { lines, warnings } = record();
  warnings.warnOfOrigin('https://a.com');
  warnings.warnOfOrigin('https://a.com');
  assert.deepEqual(lines, [
    'refused a page of origin "https://a.com" with 403. To allow it, set allowedOrigins: ["https://a.com"].',
  ]);
});

test('a refused origin that differs from the host by its port only gets the advice to pass the port on', () => {
  const { lines, warnings } = record();
  warnings.warnOfOrigin('http://a.com:8080', 'a.com');
  warnings.warnOfOrigin('http://[::1]:8080', '[::1]');
  assert.match(lines[0] ?? '', /allowedOrigins: .*without the port.*\$http_host/);
  assert.match(lines[1] ?? '', /without the port/);
  warnings.warnOfOrigin('http://b.com:8080', 'a.com');
  warnings.warnOfOrigin('http://c.com:8080', 'c.com:80');
  warnings.warnOfOrigin('http://xd.com:8080', 'd.com');
  for (const line of lines.slice(2)) assert.doesNotMatch(line, /without the port/);
});

test('a refused host is logged once, with the setting that allows it', () => {
  const { lines, warnings } = record();
  for (let count = 0; count < 2; count += 1) warnings.warnOfHost('a.com:8080');
  assert.deepEqual(lines, [
    'refused a request for host "a.com:8080" with 403. If this is a name of your server, set allowedHosts: ["a.com"]. ' +
      'Behind a proxy, set trustedProxies.',
  ]);
});

test('at most 100 hosts are logged, in lines that they cannot break', () => {
  const { lines, warnings } = record();
  for (let count = 0; count < 150; count += 1) warnings.warnOfHost(`${count}\n\u0085.com`);
  assert.equal(lines.length, 100);
  assert.match(lines[0] ?? '', /^[ -~]+$/);
});

test('a hidden origin is logged with the advice to send the Referer', () => {
  const { lines, warnings } = record();
  warnings.warnOfOrigin('');
  assert.deepEqual(lines, [
    'refused a page with 403 that hides its origin: its Referrer-Policy must allow the Referer header.',
  ]);
});

test('a refused origin cannot break the log line', () => {
  const { lines, warnings } = record();
  warnings.warnOfOrigin(`a"\n\u0085${'x'.repeat(10_000)}`);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^[ -~…]{1,2000}$/);
});

test('at most 100 origins are logged', () => {
  const { lines, warnings } = record();
  for (let count = 0; count < 150; count += 1) warnings.warnOfOrigin(`https://${count}.com`);
  assert.equal(lines.length, 100);
  warnings.warn('sessionLimit');
  assert.equal(lines.length, 101);
});

test('a WebSocket request without its Upgrade header is logged once', async (t) => {
  const { port, logger } = await startRouter(t);
  const headers = handshakeHeaders({ Connection: undefined, Upgrade: undefined });
  for (let count = 0; count < 2; count += 1) {
    assert.equal((await httpRequest(port, { path: '/echo/websocket', headers })).status, 400);
  }
  const lines = logger.take();
  assert.equal(lines.length, 1);
  assert.match(
    lines[0]?.line ?? '',
    /^\/echo: a WebSocket request arrived without its Upgrade and Connection headers/,
  );
});

test('a WebSocket request that reaches the request handler is logged', async (t) => {
  const logger = new RecordingLogger();
  const router = createRouter(t, {}, undefined, { logger });
  const server = createServer((request, response) => void router.handle(request, response));
  const port = await startServer(t, server);
  const headers = handshakeHeaders();
  assert.equal((await httpRequest(port, { path: '/echo/websocket', headers })).status, 400);
  assert.match(
    logger.take()[0]?.line ?? '',
    /Middleware does not see upgrades: call attach\(server\)/,
  );
});

for (const path of ['/echo', '/echo/', '/echo?token=1']) {
  test(`a WebSocket for ${path} is logged once, with the path of plain WebSockets`, async (t) => {
    const { port, logger } = await startRouter(t);
    for (let count = 0; count < 2; count += 1)
      await assert.rejects(openWebSocket(t, port, path), { status: 200 });
    const [entry, ...others] = logger.take();
    assert.deepEqual(others, []);
    assert.equal(entry?.level, 'warn');
    assert.match(
      entry.line,
      /^\/echo: a WebSocket request .* connect without it to \/echo\/websocket: /,
    );
  });
}

for (const name of ['authorize', 'allowedOrigins'] as const) {
  test(`${name} that is pending for 5 s is logged once`, async (t) => {
    const { promise, resolve } = deferred<boolean>();
    const calls = new AsyncQueue<true>('a call');
    const { port, logger } = await startRouter(t, {
      [name]: async () => {
        calls.push(true);
        return promise;
      },
    });
    const origin = name === 'authorize' ? [] : ([['Origin', 'http://other.example']] as const);
    const request = { method: 'POST', headers: origin };
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const clients = [0, 1].map((id) =>
      httpRequest(port, { ...request, path: `/echo/000/${id}/xhr` }),
    );
    await calls.next();
    await calls.next();
    t.mock.timers.tick(4999);
    assert.deepEqual(logger.take(), []);
    t.mock.timers.tick(1);
    const [entry, ...others] = logger.take();
    assert.deepEqual(others, []);
    assert.equal(entry?.level, 'warn');
    assert.match(entry.line, new RegExp(`^/echo: ${name} has been pending for 5 s\\.`));
    resolve(true);
    t.mock.timers.reset();
    for (const { status } of await Promise.all(clients)) assert.equal(status, 200);
  });
}

test('a WebSocket for an unknown path is not logged', async (t) => {
  const { port, logger } = await startRouter(t);
  await assert.rejects(openWebSocket(t, port, '/echo/chat'), { status: 404 });
  assert.deepEqual(logger.take(), []);
});

test('a router without prefix on a server with other listeners is logged', async (t) => {
  const logger = new RecordingLogger();
  const router = createRouter(t, {}, undefined, { prefix: '', logger });
  router.attach(createServer());
  assert.deepEqual(logger.take(), []);
  router.attach(createServer(() => undefined));
  assert.match(
    logger.take()[0]?.line ?? '',
    /^\/: the router has no prefix, and takes all requests/,
  );
});

test('a router with a prefix on a server with other listeners is not logged', (t) => {
  const logger = new RecordingLogger();
  createRouter(t, {}, undefined, { logger }).attach(createServer(() => undefined));
  assert.deepEqual(logger.take(), []);
});

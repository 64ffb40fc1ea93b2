/** Symptoms of docs/troubleshooting.md: "The connection does not open". One test for each row. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import SockJS from 'sockjs-client';
import { SockJSConnection } from '../../src/index.ts';
import { RecordingLogger } from '../../testkit/logger.ts';
import { connectOfficial, openOfficial } from '../../testkit/official-client.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { Echo, createRouter, startRouter, startServer } from '../../testkit/server.ts';
import { startHttpProxy } from './http-proxy.ts';

const CANNOT_CONNECT = { code: 1002, reason: 'Cannot connect to server', wasClean: false };
const ALL_FAILED = { code: 2000, reason: 'All transports failed', wasClean: false };

test('`1002 Cannot connect to server`; `/info` is 404', async (t) => {
  const { port, url } = await startRouter(t);
  const wrong = `http://127.0.0.1:${port}/sockjs`;
  assert.deepEqual(await connectOfficial(t, wrong).closed(), CANNOT_CONNECT);
  assert.equal((await httpRequest(port, { path: '/sockjs/info' })).status, 404);
  await openOfficial(t, url);
});

test('`1002 Cannot connect to server`; `/info` is 403, with a CORS error in the console', async (t) => {
  const origin = 'https://app.example.com';
  const start = async (allowedOrigins: readonly string[]) => {
    const running = await startRouter(t, { allowedOrigins });
    // In Node.js, sockjs-client sends no Origin. The proxy adds that of the page.
    const headers = (received: object) => ({ ...received, origin });
    return { ...running, proxy: await startHttpProxy(t, [running.port], { headers }) };
  };
  const refusing = await start([]);
  const client = connectOfficial(t, `http://127.0.0.1:${refusing.proxy}/echo`);
  assert.deepEqual(await client.closed(), CANNOT_CONNECT);
  const response = await httpRequest(refusing.proxy, { path: '/echo/info' });
  assert.equal(response.status, 403);
  assert.equal(response.head.header('access-control-allow-origin'), undefined);
  const lines = refusing.logger.take().map(({ line }) => line);
  assert.deepEqual(lines, [
    `/echo: refused a page of origin "${origin}" with 403. To allow it, set allowedOrigins: ["${origin}"].`,
  ]);
  const allowing = await start([origin]);
  await openOfficial(t, `http://127.0.0.1:${allowing.proxy}/echo`);
});

test('`2000 All transports failed`; the requests are 403 `Not authorized.`', async (t) => {
  const lines: string[] = [];
  const logger = Object.assign(new RecordingLogger(), {
    debug: (line: string) => void lines.push(line),
  });
  const { port, url, router } = await startRouter(t, { logger, authorize: () => false });
  assert.deepEqual(await connectOfficial(t, url).closed(), ALL_FAILED);
  const { status, body } = await httpRequest(port, { method: 'POST', path: '/echo/0/s/xhr' });
  assert.deepEqual({ status, body }, { status: 403, body: 'Not authorized.' });
  assert.ok(router.stats.dump().refused.unauthorized > 1);
  assert.ok(lines.every((line) => line.endsWith('with 403: unauthorized')));
  class Rejecting extends SockJSConnection {
    override onOpen(): void {
      this.close(4001, 'Please log in.');
    }
  }
  const accepting = await startRouter(t, {}, Rejecting);
  const { code, reason } = await connectOfficial(t, accepting.url).closed();
  assert.deepEqual({ code, reason }, { code: 4001, reason: 'Please log in.' });
});

test('`2000 All transports failed`; the requests are 500 `Internal error.`', async (t) => {
  class Failing extends Echo {
    constructor() {
      super();
      throw new Error('no database');
    }
  }
  const { port, url, logger } = await startRouter(t, {}, Failing);
  assert.deepEqual(await connectOfficial(t, url).closed(), ALL_FAILED);
  const { status, body } = await httpRequest(port, { method: 'POST', path: '/echo/0/s/xhr' });
  assert.deepEqual({ status, body }, { status: 500, body: 'Internal error.' });
  const lines = logger.take();
  assert.equal(lines.length, 1);
  assert.match(lines[0]?.line ?? '', /^The constructor of Failing failed.*no database/);
});

test('`2000 All transports failed`; the requests are 503 `Decision took too long.`', async (t) => {
  const never = new Promise<never>(() => {});
  const { port, url, logger } = await startRouter(t, {
    authorize: () => never,
    authorizeTimeout: 100,
  });
  assert.deepEqual(await connectOfficial(t, url).closed(), ALL_FAILED);
  const { status, body } = await httpRequest(port, { method: 'POST', path: '/echo/0/s/xhr' });
  assert.deepEqual({ status, body }, { status: 503, body: 'Decision took too long.' });
  assert.match(logger.take()[0]?.line ?? '', /took longer than authorizeTimeout/);
});

test("`The URL's scheme must be either 'http:' or 'https:'`", async (t) => {
  const { port, url } = await startRouter(t);
  assert.throws(() => new SockJS(`ws://127.0.0.1:${port}/echo`), {
    name: 'SyntaxError',
    message: /^The URL's scheme must be either 'http:' or 'https:'/,
  });
  await openOfficial(t, url);
});

/** Connects the WebSocket of Node.js. @returns whether it opened */
async function opensWebSocket(url: string): Promise<boolean> {
  const socket = new WebSocket(url);
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.addEventListener('open', () => resolve(true));
    socket.addEventListener('error', () => resolve(false));
  });
  if (isOpen) socket.close();
  return isOpen;
}

test('a WebSocket to the prefix fails with the status 200', async (t) => {
  const { port, logger } = await startRouter(t);
  const url = `ws://127.0.0.1:${port}/echo`;
  assert.equal(await opensWebSocket(url), false);
  assert.match(logger.take()[0]?.line ?? '', /connect without it to \/echo\/websocket/);
  assert.equal(await opensWebSocket(`${url}/websocket`), true);
});

test('`/echo/sockjs.js` is 404', async (t) => {
  const missing = await startRouter(t, { sockjsUrl: 'file:///missing/sockjs.js' });
  const request = { path: '/echo/sockjs.js' };
  const { status, body } = await httpRequest(missing.port, request);
  assert.equal(status, 404);
  assert.match(body, /sockjs-client is not installed on this server/);
  assert.match(missing.logger.take()[0]?.line ?? '', /npm install sockjs-client/);
  const installed = await startRouter(t);
  assert.equal((await httpRequest(installed.port, request)).status, 200);
});

interface MessageEvent {
  readonly source: unknown;
  readonly origin: string;
  readonly data: string;
}

/** Runs the iframe page's script in a window. Returns a function that sends its first message from the page. */
function openIframe(script: string, port: number): (version: string) => void {
  const listeners = new Map<string, (event: MessageEvent) => void>();
  const parent = { postMessage() {} };
  const window: Record<string, unknown> = {
    location: new URL(`http://127.0.0.1:${port}/echo/iframe.html#id`),
    parent,
    document: {},
    setTimeout,
    clearTimeout,
    addEventListener: (name: string, listener: (event: MessageEvent) => void) =>
      listeners.set(name, listener),
  };
  window['window'] = window;
  runInNewContext(`${script};SockJS.bootstrap_iframe();`, window);
  return (version) => {
    const base = `http://127.0.0.1:${port}/echo`;
    const setup = [version, 'iframe-info-receiver', `${base}/info`, base];
    const data = { windowId: 'id', type: 's', data: JSON.stringify(setup) };
    const event = { source: parent, origin: 'http://page.example', data: JSON.stringify(data) };
    listeners.get('message')?.(event);
  };
}

test('`Incompatible SockJS! Main site uses: "1.0.0", the iframe: "1.6.1".`', async (t) => {
  const { port } = await startRouter(t);
  const { body } = await httpRequest(port, { path: '/echo/sockjs.js' });
  const start = openIframe(body, port);
  assert.throws(() => start('1.0.0'), {
    message: 'Incompatible SockJS! Main site uses: "1.0.0", the iframe: "1.6.1".',
  });
});

test('every page of the site is 404 `Not found.`', async (t) => {
  const logger = new RecordingLogger();
  const server = createServer((_request, response) => response.end('a page'));
  createRouter(t, {}, undefined, { prefix: '', logger }).attach(server);
  const port = await startServer(t, server);
  const { status, body } = await httpRequest(port, { path: '/page.html' });
  assert.deepEqual({ status, body }, { status: 404, body: 'Not found.' });
  assert.match(logger.take()[0]?.line ?? '', /Give it a prefix/);
});

/** router.middleware and router.handle in Connect, Express, Vite and Koa, at their root and mounted at a path. */
import assert from 'node:assert/strict';
import { type RequestListener, createServer } from 'node:http';
import { createSecureServer, connect as connectHttp2 } from 'node:http2';
import { type TestContext, test } from 'node:test';
import connect from 'connect';
import express from 'express';
import Koa from 'koa';
import { createServer as createViteServer } from 'vite';
import { targetOfMounted } from '../../../src/hosts/node/mounted-target.ts';
import type { SockJSRouter } from '../../../src/index.ts';
import { selfSignedCertificate } from '../../../testkit/certificate.ts';
import { RecordingLogger } from '../../../testkit/logger.ts';
import { openOfficial } from '../../../testkit/official-client.ts';
import { temporaryDirectory } from '../../../testkit/process.ts';
import { httpRequest } from '../../../testkit/raw-http.ts';
import { createRouter, listen, startServer } from '../../../testkit/server.ts';
import { poll, postBody, sendMessages } from '../../../testkit/sockjs-http.ts';
import { newSession } from '../../../testkit/transports.ts';
import { within } from '../../../testkit/until.ts';

type Mount = (router: SockJSRouter) => RequestListener;

const IN_CONNECT: Mount = (router) => connect().use('/echo', router.middleware);

const MOUNTS: readonly (readonly [title: string, prefix: string, mount: Mount])[] = [
  ['in Connect at its prefix', '/echo', IN_CONNECT],
  ['with an empty prefix in Connect', '', IN_CONNECT],
  ['with a prefix below its mount in Connect', '/b', (r) => connect().use('/echo', r.middleware)],
  [
    'in nested Connect applications',
    '/echo/b',
    (router) => connect().use('/echo', connect().use('/b', router.middleware)),
  ],
  ['in Express at its prefix', '/echo', (r) => listener(express().use('/echo', r.middleware))],
  ['with an empty prefix in Express', '', (r) => listener(express().use('/echo', r.middleware))],
  [
    'with a prefix below its mount in Express',
    '/b',
    (router) => listener(express().use('/echo', router.middleware)),
  ],
  [
    'in nested routers of Express',
    '/echo/b',
    (router) => listener(express().use('/echo', express.Router().use('/b', router.middleware))),
  ],
  [
    'in an Express application that is mounted in another',
    '/echo/b',
    (router) => listener(express().use('/echo', express().use('/b', router.middleware))),
  ],
  [
    'in an Express application in Connect',
    '/echo/b',
    (router) => connect().use('/echo', listener(express().use('/b', router.middleware))),
  ],
  [
    'by handle in a mounted handler of Connect',
    '/echo',
    (router) =>
      connect().use('/echo', (request, response, next) => {
        if (!router.handle(request, response)) next();
      }),
  ],
];

function listener(app: express.Express): RequestListener {
  return (request, response) => void app(request, response);
}

/** Returns the path at which a client finds the router. */
function basePath(prefix: string): string {
  if (prefix === '') return '/echo';
  return prefix === '/b' ? '/echo/b' : prefix;
}

for (const [title, prefix, mount] of MOUNTS) {
  test(`a router serves all HTTP transports ${title}`, async (t) => {
    const router = createRouter(t, {}, undefined, { prefix });
    const port = await startServer(t, createServer(mount(router)));
    const base = basePath(prefix);
    for (const transports of ['xhr-streaming', 'eventsource', 'xhr-polling'] as const) {
      const client = await openOfficial(t, `http://127.0.0.1:${port}${base}`, { transports });
      client.send('hello');
      assert.equal(await client.messages.next(), 'hello');
    }
    for (const path of [base, `${base}/`, `${base}?a=/b`]) {
      assert.equal((await httpRequest(port, { path })).body, 'Welcome to SockJS!\n');
    }
    assert.equal((await httpRequest(port, { path: '/other' })).status, 404);
  });
}

test('a router serves all HTTP transports in Vite', async (t) => {
  const router = createRouter(t);
  const vite = await createViteServer({
    root: await temporaryDirectory(t),
    configFile: false,
    logLevel: 'silent',
    appType: 'spa',
    optimizeDeps: { noDiscovery: true },
    server: { middlewareMode: true, ws: false, watch: null },
    plugins: [
      {
        name: 'sockjs',
        configureServer: ({ middlewares }) => void middlewares.use('/echo', router.middleware),
      },
    ],
  });
  t.after(() => vite.close());
  const port = await startServer(t, createServer(vite.middlewares));
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await sendMessages(port, session, 'hello');
  assert.equal(await poll(port, session), 'a["hello"]');
});

for (const [title, request, prefix, expected] of [
  ['a plain request', { url: '/echo/a?b' }, '/echo', { path: '/a', query: 'b' }],
  ['a foreign request', { url: '/echoes' }, '/echo', undefined],
  ['a rewritten URL', { url: '/echo/a', originalUrl: '/x' }, '/echo', { path: '/a', query: '' }],
  ['a URL that was rewritten away', { url: '/x', originalUrl: '/echo/a' }, '/echo', undefined],
  [
    'a URL that repeats the mount',
    { url: '/echo/a', originalUrl: '/echo/echo/a' },
    '/echo',
    { path: '/echo/a', query: '' },
  ],
  [
    'an absolute URL',
    { url: 'http://host/echo/a', originalUrl: 'http://host/echo/a' },
    '/echo',
    { path: '/a', query: '' },
  ],
] as const) {
  test(`the target of ${title} is ${JSON.stringify(expected)}`, () => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the part of a request that is read
    assert.deepEqual(targetOfMounted(request as never, prefix), expected);
  });
}

test('middleware that is called instead of passed throws an error that names the mistake', (t) => {
  const router = createRouter(t);
  assert.throws(() => (router.middleware as () => void)(), {
    code: 'ERR_ARGUMENT',
    message: /app\.use\(router\.middleware\)/,
  });
});

for (const [title, args] of [
  ['the context of Koa', [{ req: {}, res: {}, on: () => {} }, () => {}]],
  ['the request of Fastify', [{ raw: {} }, { raw: {} }]],
  ['strings', ['/echo', '']],
] as const) {
  test(`handle, handleUpgrade and middleware throw for ${title}`, (t) => {
    const router = createRouter(t);
    for (const name of ['handle', 'handleUpgrade', 'middleware'] as const) {
      assert.throws(() => Reflect.apply(router[name], router, args) as unknown, {
        code: 'ERR_ARGUMENT',
        message: /router\.attach\(server\)/,
      });
    }
  });
}

test('in Koa, handle takes the request and the response of the context', async (t) => {
  const router = createRouter(t);
  const app = new Koa();
  app.use(async (context, next) => {
    if (router.handle(context.req, context.res)) context.respond = false;
    else await next();
  });
  const callback = app.callback();
  const server = createServer((request, response) => void callback(request, response));
  const client = await openOfficial(t, `http://127.0.0.1:${await startServer(t, server)}/echo`, {
    transports: 'xhr-polling',
  });
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
});

const FORM = 'application/x-www-form-urlencoded';

for (const [title, parser, headers] of [
  ['express.json', express.json(), [['Content-Type', 'application/json']]],
  ['express.text', express.text(), [['Content-Type', 'text/plain']]],
  ['express.raw', express.raw({ type: '*/*' }), [['Content-Type', 'text/plain']]],
  ['express.urlencoded', express.urlencoded(), [['Content-Type', FORM]]],
  ['middleware that reads a part', readOneChunk, [['Transfer-Encoding', 'chunked']]],
] as const) {
  test(`a message whose body ${title} has read is refused, and the log names the cause once`, async (t) => {
    const logger = new RecordingLogger();
    const router = createRouter(t, {}, undefined, { logger });
    const app = express().use(parser, router.middleware);
    const port = await startServer(t, createServer(listener(app)));
    const session = newSession();
    assert.equal(await poll(port, session), 'o');
    for (let count = 0; count < 2; count += 1) {
      const isChunked = headers[0][0] === 'Transfer-Encoding';
      const json = '["hello"]';
      const body = isChunked ? `9\r\n${json}\r\n0\r\n\r\n` : json;
      const { status, body: text } = await postBody(port, session, body, { headers });
      assert.deepEqual(
        { status, text },
        { status: 500, text: 'The body was read before it reached SockJS.' },
      );
    }
    assert.equal(router.stats.dump().refused.bodyConsumed, 2);
    const lines = logger.take().filter(({ level }) => level === 'warn');
    assert.equal(lines.length, 1);
    assert.match(lines[0]?.line ?? '', /router\.middleware before body parsers.*express\.json/);
  });
}

function readOneChunk(request: express.Request, _response: unknown, next: () => void): void {
  if (!request.url.endsWith('/xhr_send')) return next();
  request.once('data', () => {
    request.pause();
    next();
  });
  request.once('end', () => {});
}

test('an empty body that a body parser has read is refused as empty', async (t) => {
  const router = createRouter(t);
  const app = express().use(express.raw({ type: '*/*' }), router.middleware);
  const port = await startServer(t, createServer(listener(app)));
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  assert.equal((await postBody(port, session, '')).body, 'Payload expected.');
});

test('a body that waits unread in asynchronous middleware arrives', async (t) => {
  const router = createRouter(t);
  const app = express().use((_request, _response, next) => {
    setTimeout(next, 20);
  }, router.middleware);
  const port = await startServer(t, createServer(listener(app)));
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await sendMessages(port, session, 'hello');
  assert.equal(await poll(port, session), 'a["hello"]');
});

/** Sends a request over HTTP/2, and returns its status and body. */
async function requestOverHttp2(t: TestContext, port: number, path: string): Promise<string> {
  const client = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  t.after(() => client.destroy());
  const stream = client.request({ ':path': path });
  let text = '';
  stream.setEncoding('utf8');
  stream.on('response', (headers) => {
    text = `${headers[':status']} ${text}`;
  });
  stream.on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = new Promise<void>((resolve) => {
    stream.on('end', resolve);
  });
  await within(ended, 'the response');
  return text;
}

for (const name of ['handle', 'middleware'] as const) {
  test(`${name} refuses HTTP/2 requests with 505, and serves HTTP/1 requests of the same server`, async (t) => {
    const logger = new RecordingLogger();
    const router = createRouter(t, {}, undefined, { logger });
    const certificate = selfSignedCertificate();
    const server = createSecureServer({ ...certificate, allowHTTP1: true });
    server.on('request', (request, response) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- HTTP/2 requests are refused at run time only
      const args = [request, response, () => response.end('own')] as never;
      const isHandled: unknown = Reflect.apply(router[name], router, args);
      if (isHandled === false) response.end('own');
    });
    const port = await listen(server);
    t.after(() => void server.close());
    for (let count = 0; count < 2; count += 1) {
      assert.equal(await requestOverHttp2(t, port, '/echo/info'), '505 HTTP/2 is not supported.');
    }
    assert.equal(router.stats.dump().refused.httpVersion, 2);
    assert.equal(await requestOverHttp2(t, port, '/other'), '200 own');
    const [warning, ...others] = logger.take().filter(({ level }) => level === 'warn');
    assert.match(warning?.line ?? '', /HTTP\/2 request with 505.*attach\(server\)/);
    assert.deepEqual(others, []);
    const target = { port, tls: { ca: certificate.cert } };
    assert.equal((await httpRequest(target, { path: '/echo' })).status, 200);
  });
}

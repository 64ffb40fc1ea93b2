/** Responses that other middleware observes, or has prepared: router.middleware behind real packages. */
import assert from 'node:assert/strict';
import { type RequestListener, ServerResponse, createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import compression from 'compression';
import express, { type RequestHandler } from 'express';
import session from 'express-session';
import morgan from 'morgan';
import { type SockJSSettings } from '../../../src/index.ts';
import { openOfficial } from '../../../testkit/official-client.ts';
import { httpRequest } from '../../../testkit/raw-http.ts';
import { createRouter, startServer } from '../../../testkit/server.ts';
import { Receiver } from '../../../testkit/sockjs-http.ts';
import { EVENTSOURCE, HTTP_TRANSPORTS, XHR, newSession } from '../../../testkit/transports.ts';

const SESSIONS = session({ secret: 'test', resave: false, saveUninitialized: true });
const LOG = morgan('tiny', { stream: { write: () => {} } });
const COMPRESSION = compression({ threshold: 0 });

/**
 * Calls `before` before each call of a method.
 * @returns a function that restores the method
 */
function wrapMethod(
  owner: object,
  name: 'appendHeader' | 'removeHeader' | 'setHeader' | 'write' | 'writeHead',
  before: (args: readonly unknown[], response: ServerResponse) => unknown,
): () => void {
  const original: unknown = Reflect.get(owner, name);
  assert.ok(typeof original === 'function');
  function wrapper(this: ServerResponse, ...args: unknown[]): unknown {
    before(args, this);
    return Reflect.apply(original as () => unknown, this, args);
  }
  Reflect.set(owner, name, wrapper);
  return () => void Reflect.set(owner, name, original);
}

/** Starts an Express application with some middleware before the router. @returns the port */
async function startApp(
  t: TestContext,
  middleware: readonly RequestHandler[],
  settings: SockJSSettings = {},
): Promise<number> {
  const router = createRouter(t, settings);
  const app = express();
  for (const handler of middleware) app.use(handler);
  app.use(router.middleware);
  return startServer(t, createServer(app as RequestListener));
}

for (const [title, middleware] of [
  ['morgan', [LOG]],
  ['express-session', [SESSIONS]],
  ['compression', [COMPRESSION]],
  ['morgan, express-session and compression', [LOG, SESSIONS, COMPRESSION]],
] as const) {
  for (const transport of HTTP_TRANSPORTS) {
    test(`${transport.name} has its headers and frames behind ${title}`, async (t) => {
      const port = await startApp(t, middleware);
      const receiver = new Receiver(port, newSession(), transport);
      t.after(() => receiver.close());
      const head = await receiver.head();
      assert.equal(head.status, 200);
      assert.equal(head.header('Content-Type'), transport.contentType);
      assert.match(head.header('Cache-Control') ?? '', /^no-store/);
      assert.equal(head.header('Content-Encoding'), undefined);
      assert.ok(head.headers.every(([name]) => name.length > 1));
      assert.equal(await receiver.frame(), 'o');
    });
  }

  test(`sockjs-client connects behind ${title}`, async (t) => {
    const port = await startApp(t, middleware);
    for (const transports of ['xhr-streaming', 'eventsource', 'xhr-polling'] as const) {
      const client = await openOfficial(t, `http://127.0.0.1:${port}/echo`, { transports });
      for (const message of ['one', 'two', 'three']) {
        client.send(message);
        assert.equal(await client.messages.next(), message);
      }
    }
  });
}

test('cookies of the application are kept next to the cookie of the library', async (t) => {
  const cookies: RequestHandler = (_request, response, next) => {
    response.setHeader('Set-Cookie', ['a=1', 'b=2']);
    next();
  };
  const port = await startApp(t, [cookies, SESSIONS], { jsessionid: true });
  const { head } = await httpRequest(port, { method: 'POST', path: `${newSession()}/xhr` });
  const names = head.all('Set-Cookie').map((cookie) => cookie.split('=')[0]);
  assert.deepEqual(new Set(names), new Set(['JSESSIONID', 'a', 'b', 'connect.sid']));
});

test('Vary and other headers of the application are kept', async (t) => {
  const prepare: RequestHandler = (_request, response, next) => {
    response.setHeader('Vary', 'Accept');
    response.setHeader('X-Own', 'own');
    response.setHeader('Content-Type', 'text/html');
    next();
  };
  const port = await startApp(t, [prepare], { allowedOrigins: '*' });
  const headers = [['Origin', 'https://a.example']] as const;
  const request = { method: 'POST', path: `${newSession()}/xhr`, headers };
  const { head } = await httpRequest(port, request);
  assert.deepEqual(head.all('Vary').join(', '), 'Accept, Origin');
  assert.equal(head.header('X-Own'), 'own');
  assert.equal(head.header('Content-Type'), XHR.contentType);
});

for (const [title, lock] of [
  ['setHeader', lockMethod('setHeader')],
  ['setHeader and appendHeader', lockMethod('setHeader', 'appendHeader')],
  ['removeHeader', lockMethod('removeHeader', 'setHeader')],
] as const) {
  test(`a header that the application has locked by ${title} stays as it is`, async (t) => {
    const port = await startApp(t, [lock]);
    const { status, head, body } = await httpRequest(port, {
      method: 'POST',
      path: `${newSession()}/xhr`,
    });
    assert.deepEqual({ status, body }, { status: 200, body: 'o\n' });
    assert.equal(head.header('Cache-Control'), 'private');
    assert.equal(head.header('Content-Type'), XHR.contentType);
    assert.equal((await httpRequest(port, { path: '/echo/nothing' })).status, 404);
    const streaming = new Receiver(port, newSession(), EVENTSOURCE);
    t.after(() => streaming.close());
    assert.equal(await streaming.frame(), 'o');
  });
}

/** Middleware that sets Cache-Control, and makes some methods of the response throw for it. */
function lockMethod(
  ...names: readonly ('setHeader' | 'appendHeader' | 'removeHeader')[]
): RequestHandler {
  return (_request, response, next) => {
    response.setHeader('Cache-Control', 'private');
    for (const name of names) {
      wrapMethod(response, name, ([header]) => {
        if (String(header).toLowerCase() !== 'cache-control') return;
        throw new Error('Cache-Control is locked');
      });
    }
    next();
  };
}

test('a wrapper of write gets every chunk of a stream', async (t) => {
  const written: string[] = [];
  const observe: RequestHandler = (_request, response, next) => {
    wrapMethod(response, 'write', ([chunk]) => written.push(String(chunk)));
    next();
  };
  const port = await startApp(t, [observe]);
  const url = `http://127.0.0.1:${port}/echo`;
  const client = await openOfficial(t, url, { transports: 'xhr-streaming' });
  for (const message of ['one', 'two', 'three']) {
    client.send(message);
    assert.equal(await client.messages.next(), message);
  }
  assert.equal(written.join('').split('\n').slice(1).join(''), 'oa["one"]a["two"]a["three"]');
});

test('a wrapper of writeHead on the prototype gets the headers of every response', async (t) => {
  const { prototype } = ServerResponse;
  const types: unknown[] = [];
  t.after(
    wrapMethod(prototype, 'writeHead', (_args, response) => {
      types.push(response.getHeader('Content-Type'));
    }),
  );
  const port = await startApp(t, []);
  await httpRequest(port, { path: '/echo' });
  assert.deepEqual(types, ['text/plain; charset=UTF-8']);
});

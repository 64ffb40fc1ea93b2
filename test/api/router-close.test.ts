import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SockJSConnection, SockJSRouter, type SockJSSettings } from '../../src/index.ts';
import { runExample as start } from '../examples/example.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import { Echo, listen, startRouter, stop } from '../../testkit/server.ts';
import {
  RawHttpConnection,
  httpConnection,
  httpRequest,
  neverReadingClient,
} from '../../testkit/raw-http.ts';
import { TRANSPORTS, openRequest } from '../../testkit/transports.ts';
import { deferred, until, within } from '../../testkit/until.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { requestSession } from '../../testkit/sockjs-http.ts';
import { testEach } from '../../testkit/node-test.ts';

/** Runs a program until it ends by itself. */
async function outputOf(file: string): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url))], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise((resolve) => child.on('close', resolve));
  try {
    assert.equal(await within(ended, `the end of ${file}, after ${output}`), 0);
  } finally {
    child.kill('SIGKILL');
  }
  return output;
}

test('after close no timer, socket or listener is left, and the process ends by itself', async () => {
  const report: unknown = JSON.parse(await outputOf('closing-server.ts'));
  assert.ok(typeof report === 'object' && report !== null);
  const { during, took, ...rest } = report as { during: number; took: number };
  assert.ok(during > TRANSPORTS.length, `${during} sessions`);
  assert.ok(took < 2000, `it took ${took} ms, of the 300 that were allowed`);
  const nothing = { sessionsActive: 0, connectionsActive: 0, bufferedBytes: 0, listening: false };
  assert.deepEqual(rest, { left: [], ...nothing });
});

testEach(
  TRANSPORTS,
  'a request that waits for authorize for ever does not keep a server of listen from closing',
  async (t, transport) => {
    const asked = deferred();
    const router = new SockJSRouter(Echo, '/echo', {
      authorize: async () => {
        asked.resolve();
        return new Promise<never>(() => {});
      },
    });
    const server = router.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const client = new RawHttpConnection(address.port).send(openRequest(transport));
    t.after(() => client.close());
    await asked.promise;
    await within(router.close({ timeout: 100 }), 'the end');
    assert.match(await client.readToEnd(), /^HTTP\/1\.1 503 [\s\S]*Shutting down\.$/);
  },
);

test('close is idempotent: each call is the same end', async (t) => {
  const { router, port } = await startRouter(t);
  const client = await openWebSocket(t, port, '/echo/000/s/websocket');
  assert.equal(await client.next(), 'o');
  const first = router.close({ code: 3001, reason: 'first' });
  assert.equal(router.close({ code: 3002, reason: 'second' }), first);
  await within(first, 'the end');
  assert.equal(await client.next(), 'c[3001,"first"]');
  assert.equal(router.close(), first);
});

test('connections close after the responses of a router that closes', async (t) => {
  const { router, port } = await startRouter(t);
  const client = httpConnection(t, port);
  const poll = { method: 'POST', path: '/echo/000/s/xhr' };
  const opened = await client.request(poll);
  assert.deepEqual(opened.head.all('connection'), ['keep-alive']);
  const closed = router.close();
  const last = await client.request(poll);
  assert.equal(last.body, 'c[1001,"Server is going away"]\n');
  assert.deepEqual(last.head.all('connection'), ['close']);
  await closed;
});

test('close of a router that was never used is done at once', async () => {
  const router = new SockJSRouter(Echo, '/echo');
  await within(router.close(), 'the end');
});

for (const [what, options] of [
  ['a code that no close frame may carry', { code: 1006 }],
  ['a reason that is too long', { reason: 'x'.repeat(124) }],
  ['a timeout that is none', { timeout: -1 }],
  ['a timeout that is not a number', { timeout: NaN }],
] as const) {
  test(`close with ${what} throws, and closes nothing`, async (t) => {
    const { router, port } = await startRouter(t);
    assert.throws(() => router.close(options), { code: 'ERR_CLOSE_ARGUMENT' });
    assert.equal(
      (await httpRequest(port, { method: 'POST', path: '/echo/000/s/xhr' })).status,
      200,
    );
  });
}

testEach(
  CLIENT_TRANSPORTS,
  'close delivers earlier messages and the close frame',
  async (t, transports) => {
    const { router, url } = await startRouter(t);
    const client = await openOfficial(t, url, { transports });
    router.broadcast(router.connections, 'last words');
    await within(router.close(), 'the end');
    assert.equal(await client.messages.next(), 'last words');
    const { code, reason } = await client.closings.next();
    assert.deepEqual({ code, reason }, { code: 1001, reason: 'Server is going away' });
    assert.equal(router.stats.dump().closed.goingAway, 1);
  },
);

testEach(
  TRANSPORTS,
  'a closing router refuses new sessions with 503 and Retry-After',
  async (t, transport) => {
    const { router, port } = await startRouter(t);
    const polling = TRANSPORTS.find(({ name }) => name === 'xhr');
    assert.ok(polling !== undefined);
    await requestSession(t, port, polling); // Its close frame waits for a poll that does not come.
    const closed = router.close({ timeout: 500 });
    const { status, body, head } = await httpRequest(port, openRequest(transport));
    assert.deepEqual({ status, body }, { status: 503, body: 'Shutting down.' });
    assert.equal(head.header('retry-after'), '1');
    await closed;
  },
);

testEach(
  TRANSPORTS,
  'close waits for a client that takes nothing no longer than its timeout',
  async (t, transport) => {
    class Sending extends SockJSConnection {
      override onOpen(): void {
        for (let count = 0; count < 300; count += 1) this.send('x'.repeat(100_000));
      }
    }
    const settings = { maxBufferedBytes: 64 * 1024 ** 2 };
    const { router, port } = await startRouter(t, settings, Sending);
    neverReadingClient(t, port, openRequest(transport));
    await until(() => router.stats.dump().sessionsActive === 1, 'it is there');
    const began = performance.now();
    await within(router.close({ timeout: 200 }), 'the end');
    assert.ok(performance.now() - began < 2000, `after ${performance.now() - began} ms`);
    const { sessionsActive, connectionsActive, bufferedBytes } = router.stats.dump();
    assert.deepEqual([sessionsActive, connectionsActive, bufferedBytes], [0, 0, 0]);
  },
);

test('onClose has been called for everybody when close is done, also where onOpen was pending', async (t) => {
  const verdict = deferred();
  const calls: string[] = [];
  class Noting extends SockJSConnection {
    override async onOpen(): Promise<void> {
      if (this.info.getArgument('slow') !== undefined) await verdict.promise;
      calls.push('open');
    }

    override onClose(): void {
      calls.push('close');
    }
  }
  const { router, port } = await startRouter(t, {}, Noting);
  for (const transport of TRANSPORTS) await requestSession(t, port, transport);
  for (const transport of TRANSPORTS) await requestSession(t, port, transport, { query: 'slow=1' });
  await within(router.close({ timeout: 200 }), 'the end');
  const all = TRANSPORTS.length;
  assert.equal(calls.filter((call) => call === 'close').length, all);
  verdict.resolve();
  await until(() => calls.length === 4 * all, 'the rest is told');
  assert.equal(calls.filter((call) => call === 'close').length, 2 * all);
});

test('close closes the server of listen, and other servers respond with 503 until detach', async (t) => {
  const shared = createServer((_request, response) => response.end('own'));
  const router = new SockJSRouter(Echo, '/echo');
  router.attach(shared);
  const port = await listen(shared);
  t.after(() => stop(shared));
  const own = router.listen(0, '127.0.0.1');
  await new Promise((resolve) => own.once('listening', resolve));
  assert.equal((await httpRequest(port, { path: '/echo' })).body, 'Welcome to SockJS!\n');
  await router.close();
  assert.equal(own.listening, false);
  assert.equal(shared.listening, true);
  const opening = { method: 'POST', path: '/echo/000/session/xhr' };
  assert.equal((await httpRequest(port, opening)).status, 503);
  for (const path of ['/echo', '/echo/info'])
    assert.equal((await httpRequest(port, { path })).status, 503, path);
  router.detach(shared);
  assert.equal((await httpRequest(port, opening)).body, 'own');
  assert.equal(shared.listenerCount('upgrade'), 0);
  assert.equal(Object.hasOwn(shared, 'emit'), false);
});

const EXAMPLES = readdirSync(new URL('../../examples', import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !['site', 'echo', 'stomp'].includes(entry.name))
  .map(({ name }) => `${name}/server.ts`);

for (const example of [...EXAMPLES, 'index.ts']) {
  test(`the example ${example} ends on SIGTERM`, async (t) => {
    const { program, port } = await start(t, example);
    assert.ok((await httpRequest(port, { path: '/' })).status > 0);
    program.kill('SIGTERM');
    assert.deepEqual(await program.exited(), { code: 0, signal: null });
  });
}

const CLOSING_CODE = ['constructor', 'authorize', 'async authorize', 'verifyIp', 'onOpen'] as const;

for (const place of CLOSING_CODE) {
  testEach(
    TRANSPORTS,
    `a session whose ${place} closes the router does not stay open`,
    async (t, transport) => {
      const calls: string[] = [];
      let closed: Promise<void> | undefined;
      const closeIn = (code: (typeof CLOSING_CODE)[number]): void => {
        if (code === place) closed ??= router.close();
      };
      class Closing extends SockJSConnection {
        constructor() {
          super();
          closeIn('constructor');
        }

        override onOpen(): void {
          calls.push('open');
          closeIn('onOpen');
        }

        override onClose(code: number): void {
          calls.push(`closed ${code}`);
        }
      }
      const settings: SockJSSettings = {
        authorize: (request) => {
          closeIn('authorize');
          if (place !== 'async authorize') return request.ip;
          return Promise.resolve()
            .then(() => closeIn('async authorize'))
            .then(() => request.ip);
        },
        verifyIp: () => {
          closeIn('verifyIp');
          return 'key';
        },
      };
      const { port, router } = await startRouter(t, settings, Closing);
      const { connection, status } = await requestSession(t, port, transport);
      const isOpen = place === 'onOpen' || (place === 'verifyIp' && transport.isWebSocket);
      assert.equal(status, isOpen ? (transport.isWebSocket ? 101 : 200) : 503);
      connection.close();
      if (place === 'onOpen') await closed;
      const { sessionsActive, refused } = router.stats.dump();
      if (closed !== undefined) assert.equal(sessionsActive, 0);
      assert.equal(refused.draining, isOpen ? 0 : 1);
      assert.deepEqual(calls.slice(0, 1), isOpen ? ['open'] : []);
    },
  );
}

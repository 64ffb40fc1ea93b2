/** Ports that `listen` refuses, and the errors of ports that the system refuses. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { SockJSConnection, SockJSRouter } from '../../../src/index.ts';
import { portOf, startServer } from '../../../testkit/server.ts';

for (const [port, advice] of [
  ['9999x', "not '9999x'"],
  ['', "not ''"],
  [' 80', "not ' 80'"],
  ['-1', "not '-1'"],
  ['65536', "not '65536'"],
  [undefined, 'not undefined. 0 stands for any free port.'],
  [null, 'not null. 0 stands for any free port.'],
  [Number.NaN, 'not NaN'],
  [-1, 'not -1'],
  [1.5, 'not 1.5'],
  [65_536, 'not 65536'],
  [true, 'not true'],
  [{ port: 9999 }, 'not { port: 9999 }. Pass the port and the host as two arguments.'],
  ['/run/sockjs.sock', "not '/run/sockjs.sock'. For a UNIX socket, attach the router to a server"],
] as const) {
  test(`listen(${inspect(port)}) throws: ${advice}`, async () => {
    const router = new SockJSRouter(SockJSConnection, '/echo');
    assert.throws(
      () => router.listen(port as never),
      ({ code, message }: NodeJS.ErrnoException) => {
        assert.equal(code, 'ERR_ARGUMENT');
        assert.ok(message.startsWith(`listen() takes a port from 0 to 65535, ${advice}`), message);
        return true;
      },
    );
    await router.close({ timeout: 0 });
  });
}

test('listen takes a port as digits, as it comes from the environment', async () => {
  const router = new SockJSRouter(SockJSConnection, '/echo');
  const server = router.listen('0' as never, '127.0.0.1');
  await once(server, 'listening');
  assert.ok(portOf(server) > 0);
  assert.equal(server.listenerCount('error'), 0);
  await router.close({ timeout: 0 });
});

/** Runs a program that listens on a port in use. Returns what it writes to stderr. */
function listenInProcess(port: number, rest = ''): string {
  const program = `
    import { SockJSConnection, SockJSRouter } from './src/index.ts';
    function startChat() {
      return new SockJSRouter(SockJSConnection, '/chat').listen(${port}, '127.0.0.1');
    }
    startChat()${rest};
  `;
  const { stderr, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  );
  assert.equal(status, rest === '' ? 1 : 0);
  return stderr;
}

test('a port in use ends the process with one error, without the stack of this library', async (t) => {
  const port = await startServer(t, createServer());
  const stderr = listenInProcess(port);
  assert.match(
    stderr,
    new RegExp(`^Error: Port ${port} is in use by another program\\. Choose another port`, 'm'),
  );
  assert.match(stderr, /^ {4}at startChat /m);
  assert.match(stderr, /code: 'EADDRINUSE'/);
  assert.doesNotMatch(stderr, /src\/|SockJSRouter\.listen/);
});

test("a listener for 'error' gets the error of Node.js", async (t) => {
  const port = await startServer(t, createServer());
  const rest = ".on('error', ({ message }) => console.error(message))";
  assert.equal(
    listenInProcess(port, rest),
    `listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`,
  );
});

test('a router whose port is in use can be closed, and another one can listen', async (t) => {
  const port = await startServer(t, createServer());
  const router = new SockJSRouter(SockJSConnection, '/echo');
  const [error] = (await once(router.listen(port, '127.0.0.1'), 'error')) as [
    NodeJS.ErrnoException,
  ];
  assert.equal(error.code, 'EADDRINUSE');
  await once(router.listen(0, '127.0.0.1'), 'listening');
  await router.close({ timeout: 0 });
});

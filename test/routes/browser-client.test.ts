/** The browser client that the router serves. `dist/` has to be built. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type * as client from '../../client/index.ts';
import { startNode, temporaryDirectory } from '../../testkit/process.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { deferred, within } from '../../testkit/until.ts';

const REQUEST = { path: '/echo/client.js' };

test('the script is served, can be cached for an hour, and is readable by every origin', async (t) => {
  const { port } = await startRouter(t);
  const { head, status, body } = await httpRequest(port, REQUEST);
  assert.equal(status, 200);
  assert.equal(body, await readFile('dist/esm/client.js', 'utf8'));
  assert.equal(head.header('Content-Type'), 'application/javascript; charset=UTF-8');
  assert.equal(head.header('Cache-Control'), 'public, max-age=3600');
  assert.equal(head.header('X-Content-Type-Options'), 'nosniff');
  assert.equal(head.header('Access-Control-Allow-Origin'), '*');
  assert.equal(head.header('Set-Cookie'), undefined);
  const headers = [['If-None-Match', head.header('ETag') ?? '']] as const;
  assert.equal((await httpRequest(port, { ...REQUEST, headers })).status, 304);
});

test('the script is an ES module whose connect works', async (t) => {
  const { port, url } = await startRouter(t);
  const file = join(await temporaryDirectory(t), 'client.mjs');
  await writeFile(file, (await httpRequest(port, REQUEST)).body);
  const { connect } = (await import(pathToFileURL(file).href)) as typeof client;
  const socket = connect(url);
  t.after(() => socket.close());
  const received = deferred<string>();
  socket.onmessage = ({ data }) => received.resolve(data);
  socket.send('hello');
  assert.equal(await within(received.promise, 'the echo'), 'hello');
});

test('without the package near the program it is 404, and a warning says what to do', async (t) => {
  const directory = await temporaryDirectory(t);
  const program = join(directory, 'server.mjs');
  const source = new URL('../../src/index.ts', import.meta.url).href;
  await writeFile(
    program,
    `import { SockJSConnection, SockJSRouter } from '${source}';
    const server = new SockJSRouter(SockJSConnection, '/echo').listen(0, '127.0.0.1');
    server.on('listening', () => process.send(server.address().port));`,
  );
  const running = startNode(t, program, [], { cwd: directory, ipc: true });
  const port = Number(await running.nextMessage());
  assert.equal((await httpRequest(port, REQUEST)).status, 404);
  await running.prints(/client\.js was requested, but the package sockjs-server is not installed/);
});

test('a method other than GET is 405', async (t) => {
  const { port } = await startRouter(t);
  const { status, head } = await httpRequest(port, { ...REQUEST, method: 'POST' });
  assert.deepEqual([status, head.header('Allow')], [405, 'GET']);
});

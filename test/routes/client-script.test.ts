/** The script of sockjs-client that the router serves. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { temporaryDirectory } from '../../testkit/process.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';

const REQUEST = { path: '/echo/sockjs.js' };

test('a script in a file is served and can be cached for an hour', async (t) => {
  const file = join(await temporaryDirectory(t), 'client.js');
  writeFileSync(file, 'var é;');
  const { port } = await startRouter(t, { sockjsUrl: pathToFileURL(file) });
  const { head, status, body } = await httpRequest(port, REQUEST);
  assert.deepEqual({ status, body }, { status: 200, body: 'var é;' });
  assert.equal(head.header('Content-Type'), 'application/javascript; charset=UTF-8');
  assert.equal(head.header('Cache-Control'), 'public, max-age=3600');
  assert.equal(head.header('X-Content-Type-Options'), 'nosniff');
  const headers = [['If-None-Match', `W/${head.header('ETag')}`]] as const;
  assert.equal((await httpRequest(port, { ...REQUEST, headers })).status, 304);
});

test('a file is read once', async (t) => {
  const file = join(await temporaryDirectory(t), 'client.js');
  writeFileSync(file, 'first');
  const { port } = await startRouter(t, { sockjsUrl: pathToFileURL(file).href });
  assert.equal((await httpRequest(port, REQUEST)).body, 'first');
  rmSync(file);
  assert.equal((await httpRequest(port, REQUEST)).body, 'first');
});

test('a script that cannot be read is 404 and logged once', async (t) => {
  const { port, logger } = await startRouter(t, { sockjsUrl: 'file:///no/such/file.js' });
  for (let count = 0; count < 2; count += 1) {
    const { status, body } = await httpRequest(port, REQUEST);
    assert.equal(status, 404);
    assert.equal(body, 'Not found: sockjs-client is not installed on this server.');
  }
  const lines = logger.take();
  assert.equal(lines.length, 1);
  assert.match(lines[0]?.line ?? '', /npm install sockjs-client/);
});

test('a script that is created later is served', async (t) => {
  const file = join(await temporaryDirectory(t), 'client.js');
  const { port, logger } = await startRouter(t, { sockjsUrl: pathToFileURL(file) });
  assert.equal((await httpRequest(port, REQUEST)).status, 404);
  writeFileSync(file, 'var later;');
  assert.equal((await httpRequest(port, REQUEST)).body, 'var later;');
  assert.equal(logger.take().length, 1);
});

test('a file that cannot be read is 500, logged once, and read again by the next request', async (t) => {
  const directory = await temporaryDirectory(t);
  const { port, logger } = await startRouter(t, { sockjsUrl: pathToFileURL(directory) });
  const statuses = await Promise.all([1, 2, 3].map(() => httpRequest(port, REQUEST)));
  for (const { status } of statuses) assert.equal(status, 500, 'a directory cannot be read');
  rmSync(directory, { recursive: true });
  writeFileSync(directory, 'var later;');
  assert.equal((await httpRequest(port, REQUEST)).body, 'var later;');
  const lines = logger.take();
  assert.equal(lines.length, 1);
  assert.match(lines[0]?.line ?? '', /cannot be read.*EISDIR/);
});

test('a script of another host is 404 and not logged', async (t) => {
  const { port, logger } = await startRouter(t, { sockjsUrl: 'https://cdn.example.com/sockjs.js' });
  assert.equal((await httpRequest(port, REQUEST)).status, 404);
  assert.deepEqual(logger.take(), []);
});

/** Each example alone, as its reader runs it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runExample } from './example.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { openOfficial } from '../../testkit/official-client.ts';

for (const example of ['chat', 'multiplex', 'stats']) {
  test(`${example} serves its page at /, its service, and no other example`, async (t) => {
    const { program, port } = await runExample(t, `${example}/server.ts`);
    const home = await httpRequest(port, { path: '/' });
    assert.equal(home.status, 200);
    assert.match(home.body, new RegExp(`<script src="${example}.js" type="module">`));
    assert.equal((await httpRequest(port, { path: `/${example}.js` })).status, 200);
    assert.equal((await httpRequest(port, { path: '/echo.html' })).status, 404);
    assert.equal((await httpRequest(port, { path: '/echo' })).status, 404);
    const client = await openOfficial(t, `http://127.0.0.1:${port}/${example}`);
    program.kill('SIGINT');
    assert.equal((await client.closings.next()).code, 1001);
    assert.deepEqual(await program.exited(), { code: 0, signal: null });
  });
}

test('echo returns messages, and SIGTERM ends it at once', async (t) => {
  const { program, port } = await runExample(t, 'echo/server.ts');
  const client = await openOfficial(t, `http://127.0.0.1:${port}/echo`);
  client.send('hello');
  assert.equal(await client.messages.next(), 'hello');
  program.kill('SIGTERM');
  assert.deepEqual(await program.exited(), { code: null, signal: 'SIGTERM' });
});

test('broadcast sends messages of the given size at the given rate to every client', async (t) => {
  const { program, port } = await runExample(t, 'broadcast/server.ts', {
    SIZE: '1000',
    RATE: '200',
  });
  const clients = await Promise.all(
    (['websocket', 'xhr-streaming'] as const).map((transports) =>
      openOfficial(t, `http://127.0.0.1:${port}/broadcast`, { transports }),
    ),
  );
  for (const client of clients) await client.messages.next();
  const start = performance.now();
  for (const client of clients) {
    for (const message of await client.messages.take(200)) assert.equal(message, 'x'.repeat(1000));
  }
  const duration = performance.now() - start;
  assert.ok(duration > 500, `200 messages took ${duration} ms at 200 per second`);
  program.kill('SIGTERM');
  for (const client of clients) assert.equal((await client.closings.next()).code, 1001);
  assert.deepEqual(await program.exited(), { code: 0, signal: null });
});

for (const [example, greeting] of [
  ['express', 'Hello from Express. SockJS is below /echo.\n'],
  ['fastify', 'Hello from Fastify. SockJS is below /echo.\n'],
] as const) {
  test(`${example} has its own route beside SockJS, and closes all sessions before it ends`, async (t) => {
    const { program, port } = await runExample(t, `${example}/server.ts`);
    const own = await httpRequest(port, { path: '/' });
    assert.equal(own.status, 200);
    assert.match(own.head.header('content-type') ?? '', /^text\/plain; charset=utf-8$/i);
    assert.equal(own.body, greeting);
    assert.equal((await httpRequest(port, { path: '/nothing' })).status, 404);
    const clients = await Promise.all(
      (['websocket', 'xhr-polling'] as const).map((transports) =>
        openOfficial(t, `http://127.0.0.1:${port}/echo`, { transports }),
      ),
    );
    for (const client of clients) {
      client.send('hello');
      assert.equal(await client.messages.next(), 'hello');
    }
    program.kill('SIGTERM');
    for (const client of clients) assert.equal((await client.closings.next()).code, 1001);
    assert.deepEqual(await program.exited(), { code: 0, signal: null });
  });
}

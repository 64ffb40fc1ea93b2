/** The program of the README's chapter "Authentication" binds sessions to a cookie, and ends them after a time. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { SockJSRouter } from '../../src/index.ts';
import { temporaryDirectory } from '../../testkit/process.ts';
import { httpRequest } from '../../testkit/raw-http.ts';
import { HandshakeError, RawWebSocket, openWebSocket } from '../../testkit/raw-websocket.ts';
import { startServer } from '../../testkit/server.ts';
import { poll, postBody } from '../../testkit/sockjs-http.ts';
import { XHR, newSession } from '../../testkit/transports.ts';

const PROGRAM = /^## Authentication$[^]*?^```ts\n([^]*?)^```$/m.exec(
  readFileSync('README.md', 'utf8'),
)?.[1];

/** Runs the program on a server of the test. */
async function startProgram(t: TestContext) {
  assert.ok(PROGRAM !== undefined);
  const index = new URL('../../src/index.ts', import.meta.url).href;
  const code = PROGRAM.replace("'sockjs-server'", JSON.stringify(index)).replace(
    'router.listen(9999);',
    'export { router };',
  );
  const file = join(await temporaryDirectory(t), 'account.mts');
  writeFileSync(file, code);
  const { router } = (await import(pathToFileURL(file).href)) as { router: SockJSRouter };
  const server = createServer();
  router.attach(server);
  const port = await startServer(t, server);
  t.after(() => router.close({ timeout: 0 }));
  return { router, port };
}

const ADA = [['Cookie', 'token=secret']] as const;
const OTHERS = [[['Cookie', 'token=other']], [['Cookie', 'token=SECRET']], []] as const;

test('later requests of a session need its cookie, or get 404', async (t) => {
  const { port } = await startProgram(t);
  const session = newSession('/account');
  assert.equal(await poll(port, session, XHR, { headers: ADA }), 'o');
  for (const headers of OTHERS) {
    assert.equal((await postBody(port, session, '["x"]', { headers })).status, 404);
    const request = { method: 'POST', path: `${session}/xhr`, headers };
    assert.equal((await httpRequest(port, request)).status, 401);
  }
  assert.equal((await postBody(port, session, '["x"]', { headers: ADA })).status, 204);
  assert.equal(await poll(port, session, XHR, { headers: ADA }), 'a["Ada: x"]');
});

test('a WebSocket needs the cookie when it opens', async (t) => {
  const { port } = await startProgram(t);
  for (const path of ['/account/websocket', `${newSession('/account')}/websocket`]) {
    const client = await openWebSocket(t, port, path, { headers: ADA });
    if (path !== '/account/websocket') assert.equal(await client.next(), 'o');
    client.send('"x"');
    assert.match(String(await client.next()), /Ada: /);
    for (const headers of OTHERS) {
      await assert.rejects(RawWebSocket.open(port, path, { headers }), (error) => {
        return error instanceof HandshakeError && error.status === 401;
      });
    }
  }
});

test('its sessions have a limited age', async (t) => {
  const { router } = await startProgram(t);
  assert.equal(router.settings.maxSessionAge, 3_600_000);
});

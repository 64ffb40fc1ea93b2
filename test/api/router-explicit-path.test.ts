/** Requests with a path that the application has chosen. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { httpRequest } from '../../testkit/raw-http.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { createRouter, startServer } from '../../testkit/server.ts';
import { poll, sendMessages } from '../../testkit/sockjs-http.ts';

test('a router serves requests and upgrades below a path of the application', async (t) => {
  const router = createRouter(t);
  const pathOf = (url = ''): string => url.replace(/^\/rooms\/\d+/, '/echo').replace(/\?.*/, '');
  const server = createServer((request, response) => {
    if (!router.handle(request, response, { path: pathOf(request.url) })) response.end('other');
  });
  server.on('upgrade', (request, socket, head) => {
    router.handleUpgrade(request, socket, head, { path: pathOf(request.url) });
  });
  const port = await startServer(t, server);
  assert.equal(await poll(port, '/rooms/7/000/session'), 'o');
  await sendMessages(port, '/rooms/7/000/session', 'hello');
  assert.equal(await poll(port, '/rooms/8/000/session'), 'a["hello"]');
  const socket = await openWebSocket(t, port, '/rooms/9/websocket');
  socket.send('raw');
  assert.equal(await socket.next(), 'raw');
  assert.equal((await httpRequest(port, { path: '/rooms' })).body, 'other');
});

test('the query is that of the request', async (t) => {
  const tokens: (string | undefined)[] = [];
  const router = createRouter(t, {
    authorize: (request) => {
      tokens.push(request.getArgument('token'));
      return {};
    },
  });
  const server = createServer((request, response) => {
    router.handle(request, response, { path: '/echo/000/session/xhr' });
  });
  const port = await startServer(t, server);
  await httpRequest(port, { method: 'POST', path: '/open?token=secret' });
  assert.deepEqual(tokens, ['secret']);
});

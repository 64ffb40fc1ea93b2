/** Browsers negotiate compression, and use it in both directions. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { startRouter } from '../../testkit/server.ts';
import { ENGINES, openBrowser } from './engines.ts';

const LENGTH = 100_000;

/** Sends a text over a raw WebSocket. @returns the extensions, and whether the same text has come back */
const ECHO = `new Promise((resolve, reject) => {
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/echo/websocket');
  const text = 'price '.repeat(${LENGTH}).slice(0, ${LENGTH});
  socket.onopen = () => socket.send(text);
  socket.onmessage = ({ data }) => resolve({ extensions: socket.extensions, isSame: data === text });
  socket.onerror = () => reject(new Error('The WebSocket has failed.'));
})`;

for (const engine of ENGINES) {
  test(`${engine} compresses messages, and reads compressed ones`, async (t) => {
    const server = createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>Page</title>');
    });
    const { port } = await startRouter(t, { compression: {} }, undefined, { server });
    const sockets: Socket[] = [];
    server.on('connection', (socket: Socket) => sockets.push(socket));
    const browser = await openBrowser(engine);
    try {
      const tab = await browser.open(`http://127.0.0.1:${port}/`);
      const result = (await tab.evaluate(ECHO)) as { extensions: string; isSame: boolean };
      assert.match(result.extensions, /^permessage-deflate/);
      assert.equal(result.isSame, true);
    } finally {
      await browser.end();
    }
    // The page itself and the handshake are short.
    for (const count of ['bytesRead', 'bytesWritten'] as const) {
      const total = sockets.reduce((sum, socket) => sum + socket[count], 0);
      assert.ok(total > 0 && total < LENGTH / 10, `${count}: ${total}`);
    }
  });
}

/** Sockets that are reset while they are being ended. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { resetSocket } from '../../testkit/reset-socket.ts';
import { listen } from '../../testkit/server.ts';

for (const isEnding of [false, true]) {
  test(`a socket that is ${isEnding ? 'being ended' : 'open'} is closed at once`, async (t) => {
    const server = createServer({ allowHalfOpen: true });
    const client = connect({ port: await listen(server), host: '127.0.0.1', allowHalfOpen: true });
    t.after(() => {
      client.destroy();
      server.close();
    });
    const lost = new Promise<string>((resolve) => {
      client.once('error', ({ message }) => resolve(message)).once('end', () => resolve('end'));
    });
    client.resume();
    const accepted = new Promise<Socket>((resolve) => {
      server.once('connection', resolve);
    });
    await once(client, 'connect');
    const socket = await accepted;
    if (isEnding) socket.end();
    resetSocket(socket);
    assert.equal(await lost, isEnding ? 'end' : 'read ECONNRESET');
    // The server counts a socket until its handle is closed.
    server.close();
    await once(server, 'close');
  });
}

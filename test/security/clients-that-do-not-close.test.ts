/** Clients that violate a rule of the WebSocket, get a close frame, and do not close. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { CLOSE_REASONS } from '../../src/base/close-reasons.ts';
import { SockJSConnection, SockJSRouter } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';
import { TRANSPORTS, openRequest } from '../../testkit/transports.ts';
import { encodeRequest } from '../../testkit/raw-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { until, within } from '../../testkit/until.ts';

const WRONGS = [
  ['invalidFrame', encodeFrame(3)],
  ['invalidUtf8', encodeFrame(OPCODE.text, Buffer.from([0xff]))],
  ['invalidJson', encodeFrame(OPCODE.text, '{')],
  ['textOnly', encodeFrame(OPCODE.binary, 'bytes')],
  ['messageTooLarge', encodeFrame(OPCODE.text, '', { declaredLength: 1_000_001 })],
] as const;

/** Sends the invalid frame once the session is open, and keeps the connection. */
async function wrongClient(t: TestContext, port: number, wrong: Uint8Array): Promise<Socket> {
  const transport = TRANSPORTS.find(({ name }) => name === 'websocket');
  assert.ok(transport !== undefined);
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  socket.write(encodeRequest(openRequest(transport)));
  await once(socket, 'data');
  socket.write(wrong);
  return socket.resume();
}

for (const [fault, wrong] of WRONGS) {
  test(`${fault}: onClose is called at once, and a client that stays is disconnected`, async (t) => {
    const ends = new AsyncQueue<object | string>('the end');
    class Watching extends SockJSConnection {
      override onMessage(message: string): void {
        ends.push(message);
      }

      override onClose(code: number, reason: string): void {
        ends.push({ code, reason });
      }
    }
    const { port, router, server } = await startRouter(t, { maxMessageBytes: 1_000_000 }, Watching);
    const socket = await wrongClient(t, port, wrong);
    socket.write(encodeFrame(OPCODE.text, '"nobody hears this"'));
    const { code, reason } = CLOSE_REASONS[fault];
    assert.deepEqual(await ends.next(), { code, reason });
    assert.equal(router.stats.dump().closed[fault], 1);
    await within(once(socket, 'end'), 'the server to end its side');
    const countConnections = promisify(server.getConnections.bind(server));
    await until(async () => (await countConnections()) === 0, 'the server to hang up');
    assert.equal(ends.size, 0);
  });
}

test('clients that stay do not prevent a server of listen from closing', async (t) => {
  const router = new SockJSRouter(SockJSConnection, '/echo', { logger: false });
  const server = router.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  await Promise.all(WRONGS.map(([, wrong]) => wrongClient(t, address.port, wrong)));
  const began = performance.now();
  await within(router.close({ timeout: 100 }), 'the end');
  const took = performance.now() - began;
  assert.ok(took < 1900, `${took} ms`);
});

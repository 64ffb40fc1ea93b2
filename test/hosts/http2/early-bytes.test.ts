/** Connections whose first bytes are read before HTTP/2 gets them, as by a parser of the PROXY protocol. */
import assert from 'node:assert/strict';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer } from 'node:net';
import { test } from 'node:test';
import {
  END_HEADERS,
  FRAME,
  encodeHead,
  encodeHttp2Frame,
  encodeUint32,
} from '../../../testkit/http2-client.ts';
import { RawConnection } from '../../../testkit/raw-connection.ts';
import { createRouter, listen } from '../../../testkit/server.ts';

const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  encodeHttp2Frame(FRAME.settings, 0, 0),
]);

test('a request that is reset together with its head, and expects 100-continue, is dropped', async (t) => {
  const http2 = createHttp2Server();
  const router = createRouter(t);
  router.attach(http2);
  const server = createServer((socket) => {
    socket.once('data', (bytes: Buffer) => {
      socket.pause();
      socket.unshift(bytes);
      http2.emit('connection', socket);
    });
  });
  t.after(() => server.close());
  const port = await listen(server);
  for (const path of ['/echo/000/s/xhr', '/elsewhere']) {
    for (const code of [0, 8]) {
      const client = new RawConnection(port);
      t.after(() => client.close());
      const head = encodeHead(path, { ':method': 'POST', expect: '100-continue' });
      client.write(
        Buffer.concat([
          PREFACE,
          encodeHttp2Frame(FRAME.headers, END_HEADERS, 1, head),
          encodeHttp2Frame(FRAME.reset, 0, 1, encodeUint32(code)),
          encodeHttp2Frame(FRAME.ping, 0, 0, Buffer.from('finished')),
        ]),
      );
      let received = Buffer.alloc(0);
      while (!received.includes('finished')) {
        received = Buffer.concat([received, (await client.readSome()) ?? Buffer.alloc(0)]);
      }
      client.close();
    }
  }
  assert.equal(router.stats.dump().sessionsTotal, 0);
});

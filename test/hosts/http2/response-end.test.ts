/** The end of a response: in the frame of its last bytes, or before them if the client leaves. */
import assert from 'node:assert/strict';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  createServer,
} from 'node:http2';
import { type TestContext, test } from 'node:test';
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  encodeHead,
  encodeHttp2Frame,
  http2Connection,
  rawHttp2,
  startHttp2Server,
} from '../../../testkit/http2-client.ts';
import { testEach } from '../../../testkit/node-test.ts';
import type { RawConnection } from '../../../testkit/raw-connection.ts';
import { createRouter } from '../../../testkit/server.ts';
import { newSession } from '../../../testkit/transports.ts';
import { until } from '../../../testkit/until.ts';

async function start(t: TestContext) {
  const server = createServer();
  const router = createRouter(t);
  router.attach(server);
  return { router, port: await startHttp2Server(t, server) };
}

/** Reads frames until the end of a stream. @returns type and flags of those of the stream */
async function framesOf(connection: RawConnection, wanted: number): Promise<number[][]> {
  const frames: number[][] = [];
  for (;;) {
    const head = await connection.readBytes(9);
    const [type = 0, flags = 0, stream] = [head[3], head[4], head.readUInt32BE(5)];
    await connection.readBytes(head.readUIntBE(0, 3));
    if (stream !== wanted) continue;
    frames.push([type, flags]);
    if ((flags & END_STREAM) !== 0) return frames;
  }
}

testEach(['/echo/info', '/echo'], 'a short response ends with its last bytes', async (t, path) => {
  const { port } = await start(t);
  const connection = rawHttp2(t, port);
  connection.write(encodeHttp2Frame(FRAME.headers, END_HEADERS + END_STREAM, 1, encodeHead(path)));
  assert.deepEqual(await framesOf(connection, 1), [
    [FRAME.headers, END_HEADERS],
    [FRAME.data, END_STREAM],
  ]);
});

const LEAVE: Record<string, (stream: ClientHttp2Stream, session: ClientHttp2Session) => void> = {
  'resets its stream': (stream) => stream.close(constants.NGHTTP2_CANCEL),
  disconnects: (_stream, session) => session.destroy(),
};

for (const [title, leave] of Object.entries(LEAVE)) {
  test(`a client that ${title} before its window admits the response interrupts its session`, async (t) => {
    const { router, port } = await start(t);
    const settings = { initialWindowSize: 0 };
    const session = await http2Connection(t, `http://127.0.0.1:${port}`, { settings });
    const stream = session.request({ ':method': 'POST', ':path': `${newSession()}/xhr` });
    stream.on('error', () => {});
    stream.end();
    await new Promise((resolve) => stream.on('response', resolve));
    leave(stream, session);
    await until(() => router.stats.dump().closed.interrupted === 1, 'the interruption');
  });
}

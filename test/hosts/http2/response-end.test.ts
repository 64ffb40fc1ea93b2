/** Responses that the client does not get, since its window admits no byte of them: none counts as sent. */
import assert from 'node:assert/strict';
import {
  type ClientHttp2Stream,
  type ServerHttp2Session,
  constants,
  createServer,
} from 'node:http2';
import { test } from 'node:test';
import { http2Connection, startHttp2Server } from '../../../testkit/http2-client.ts';
import { createRouter } from '../../../testkit/server.ts';
import { newSession } from '../../../testkit/transports.ts';
import { until } from '../../../testkit/until.ts';

/** Ends of the stream or of its connection, by either side. */
const ENDS: Record<
  string,
  (stream: ClientHttp2Stream, connection: ServerHttp2Session | undefined) => void
> = {
  'the client resets its stream': (stream) => stream.close(constants.NGHTTP2_CANCEL),
  'the client resets its stream without an error': (stream) => stream.close(),
  'the client disconnects': (stream) => stream.session?.destroy(),
  'the server destroys the connection': (_stream, connection) => connection?.destroy(),
};

for (const [title, end] of Object.entries(ENDS)) {
  for (const body of [undefined, '[]']) {
    const request = body === undefined ? 'without a body' : 'with a body';
    test(`${title}: a poll ${request} is interrupted`, async (t) => {
      const server = createServer();
      const router = createRouter(t);
      router.attach(server);
      let connection: ServerHttp2Session | undefined;
      server.on('session', (opened) => (connection = opened));
      const url = `http://127.0.0.1:${await startHttp2Server(t, server)}`;
      const session = await http2Connection(t, url, { settings: { initialWindowSize: 0 } });
      const path = `${newSession()}/xhr`;
      const stream = session.request({ ':method': 'POST', ':path': path });
      stream.on('error', () => {});
      stream.end(body);
      await new Promise((resolve) => stream.on('response', resolve));
      end(stream, connection);
      await until(() => router.stats.dump().closed.interrupted === 1, 'the interruption');
      assert.equal(router.stats.dump().sessionsActive, 0);
    });
  }
}

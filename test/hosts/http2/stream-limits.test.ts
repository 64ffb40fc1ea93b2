/** Limits, deadlines and compression of single streams, beside others on the same connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientSessionOptions, createServer } from 'node:http2';
import { type TestContext, test } from 'node:test';
import type { SockJSConnection, SockJSSettings } from '../../../src/index.ts';
import {
  extendedConnect,
  http2Connection,
  http2Request,
  http2WebSocket,
  startHttp2Server,
} from '../../../testkit/http2-client.ts';
import { RecordingLogger } from '../../../testkit/logger.ts';
import { RawConnection } from '../../../testkit/raw-connection.ts';
import { ResponseHead } from '../../../testkit/raw-http.ts';
import { RawWebSocket } from '../../../testkit/raw-websocket.ts';
import { Echo, createRouter } from '../../../testkit/server.ts';
import { newSession } from '../../../testkit/transports.ts';
import { until } from '../../../testkit/until.ts';

async function start(
  t: TestContext,
  settings: SockJSSettings = {},
  connection: new () => SockJSConnection = Echo,
  options?: ClientSessionOptions,
) {
  const server = createServer({ settings: { enableConnectProtocol: true } });
  const logger = new RecordingLogger();
  const router = createRouter(t, settings, connection, { logger });
  router.attach(server);
  const url = `http://127.0.0.1:${await startHttp2Server(t, server)}`;
  return { router, logger, client: await http2Connection(t, url, options) };
}

/** Records the code with which each connection closes, by the query parameter `name`. */
function recording(codes: Map<string, number>): new () => SockJSConnection {
  return class Recording extends Echo {
    override onClose(code: number): void {
      codes.set(this.info.getArgument('name') ?? '', code);
    }
  };
}

test('a connection may have 1,000 streams, more are refused and reported once, and closed ones do not count', async (t) => {
  const { client, router, logger } = await start(t);
  for (let round = 0; round < 2; round += 1) {
    for (let index = 0; index < 1000; index += 1) {
      const path = `/echo/000/r${round}s${index}/xhr_streaming`;
      client.request({ ':method': 'POST', ':path': path }, { endStream: true }).resume();
    }
    await until(() => router.stats.dump().connectionsActive === 1000, '1,000 receivers');
    for (let count = 0; count < 3; count += 1) {
      const refused = client.request({ ':path': '/echo/info' });
      await assert.rejects(once(refused, 'response'), /NGHTTP2_REFUSED_STREAM/);
    }
    assert.equal(router.stats.dump().refused.streamLimit, 3 * (round + 1));
    for (const connection of router.connections) connection.close();
    await until(() => router.stats.dump().connectionsActive === 0, 'the end of all receivers');
    assert.equal((await http2Request(client, { ':path': '/echo/info' })).status, 200);
  }
  const warnings = logger.take().map(({ line }) => line);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /1000 of its connection are open.*maxConcurrentStreams/);
});

test('a stream whose client reads nothing is closed after writeTimeout, and others of its connection are served', async (t) => {
  const codes = new Map<string, number>();
  const { client, router } = await start(t, { writeTimeout: 200 }, recording(codes));
  const fast = await http2WebSocket(client, '/echo/websocket?name=fast');
  const { stream } = await extendedConnect(client, '/echo/websocket?name=slow');
  stream.pause();
  await until(() => [...router.connections].length === 2, 'two connections');
  for (const connection of router.connections) {
    if (connection.info.getArgument('name') === 'slow') connection.send('x'.repeat(1_000_000));
  }
  let rounds = 0;
  while (!codes.has('slow')) {
    fast.send('x'.repeat(10_000));
    await fast.next();
    rounds += 1;
  }
  assert.ok(rounds > 0);
  assert.equal(router.stats.dump().closed.writeTimeout, 1);
  fast.send('last');
  assert.equal(await fast.next(), 'last');
  assert.deepEqual([...codes.keys()], ['slow']);
});

test('a stream whose client reads slowly is kept while it reads enough', async (t) => {
  const codes = new Map<string, number>();
  const { client, router } = await start(t, { writeTimeout: 400 }, recording(codes));
  const { stream } = await extendedConnect(client, '/echo/websocket?name=slow');
  await until(() => [...router.connections].length === 1, 'the connection');
  for (const connection of router.connections) connection.send('x'.repeat(1_000_000));
  let received = 0;
  for (;;) {
    const chunk = stream.read() as Buffer | null;
    received += chunk?.length ?? 0;
    if (received >= 1_000_000) break;
    await new Promise((resolve) => setTimeout(resolve, 50)); // More than writeTimeout for all of it.
  }
  assert.equal(codes.size, 0);
  stream.close();
  await until(() => codes.size === 1, 'the end');
});

for (const path of ['/echo/websocket', '/echo/000/s/websocket']) {
  test(`a silent client of ${path} is closed although its connection is busy`, async (t) => {
    const codes = new Map<string, number>();
    const times = { heartbeatDelay: 250, pingTimeout: 250, sessionCheckInterval: 10 };
    const { client, router } = await start(t, times, recording(codes));
    const busy = await http2WebSocket(client, '/echo/websocket?name=busy');
    await extendedConnect(client, `${path}?name=silent`);
    while (!codes.has('silent')) {
      busy.send('x');
      await busy.next();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.deepEqual([...codes], [['silent', 1006]]);
    assert.equal(router.stats.dump().closed.timeout, 1);
  });
}

test('messages are compressed on a stream', async (t) => {
  const { client } = await start(t, { compression: { threshold: 100 } });
  const { stream, response } = await extendedConnect(client, `${newSession()}/websocket`, {
    'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits',
  });
  const extension = String(response['sec-websocket-extensions']);
  assert.match(extension, /^permessage-deflate;/);
  const head = new ResponseHead('HTTP/1.1 200 ', [`Sec-WebSocket-Extensions: ${extension}`]);
  const socket = new RawWebSocket(new RawConnection(stream), head);
  assert.equal(await socket.next(), 'o');
  const text = 'compressed '.repeat(1000);
  socket.send(JSON.stringify([text]));
  assert.equal(await socket.next(), `a[${JSON.stringify(text)}]`);
  const frames = [await socket.frames.next(), await socket.frames.next()];
  assert.deepEqual(
    frames.map(({ isCompressed }) => isCompressed),
    [false, true],
  );
  assert.ok((frames[1]?.payload.length ?? 0) < text.length / 10);
});

test('maxSessionsPerAddress counts the sessions of all streams', async (t) => {
  const { client, router, logger } = await start(t, { maxSessionsPerAddress: 2 });
  const open = async (): Promise<number> =>
    (await http2Request(client, { ':method': 'POST', ':path': `${newSession()}/xhr` })).status;
  assert.deepEqual([await open(), await open(), await open()], [200, 200, 503]);
  const { response } = await extendedConnect(client, '/echo/websocket');
  assert.equal(response[':status'], 503);
  assert.equal(router.stats.dump().refused.addressSessionLimit, 2);
  assert.equal(logger.take().length, 1);
});

/** The warning of a server whose pages open their WebSockets on a second connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type Http2SecureServer,
  type Http2Session,
  type Settings,
  createSecureServer,
} from 'node:http2';
import { type TestContext, test } from 'node:test';
import { selfSignedCertificate } from '../../../testkit/certificate.ts';
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  encodeHead,
  encodeHttp2Frame,
  http2Connection,
  http2Request,
  rawHttp2,
  startHttp2Server,
} from '../../../testkit/http2-client.ts';
import { RecordingLogger } from '../../../testkit/logger.ts';
import type { ConnectOptions } from '../../../testkit/raw-connection.ts';
import type { Headers } from '../../../testkit/raw-http.ts';
import { openWebSocket } from '../../../testkit/raw-websocket.ts';
import { createRouter } from '../../../testkit/server.ts';

const CERTIFICATE = selfSignedCertificate();

interface Running {
  readonly server: Http2SecureServer;
  readonly port: number;
  readonly logger: RecordingLogger;
  /** Options of a client that offers only this protocol. */
  target(protocol: 'h2' | 'http/1.1'): ConnectOptions;
  /** Opens a WebSocket over HTTP/1.1, and closes it. */
  useWebSocket(headers?: Headers): Promise<void>;
}

async function start(t: TestContext, settings: Settings): Promise<Running> {
  const logger = new RecordingLogger();
  const server = createSecureServer({
    ...CERTIFICATE,
    allowHTTP1: true,
    settings,
  });
  createRouter(t, {}, undefined, { logger }).attach(server);
  const port = await startHttp2Server(t, server);
  const target = (protocol: string): ConnectOptions => ({
    port,
    tls: { ca: CERTIFICATE.cert, ALPNProtocols: [protocol] },
  });
  return {
    server,
    port,
    logger,
    target,
    async useWebSocket(headers = [['Origin', `https://127.0.0.1:${port}`]]) {
      const all: Headers = [['Host', `127.0.0.1:${port}`], ...headers];
      const socket = await openWebSocket(t, target('http/1.1'), '/echo/websocket', {
        headers: all,
      });
      socket.close();
      await socket.closed();
    },
  };
}

async function useHttp2(t: TestContext, { port }: Running): Promise<void> {
  const session = await http2Connection(t, `https://127.0.0.1:${port}`, { ca: CERTIFICATE.cert });
  assert.equal((await http2Request(session, { ':path': '/echo/info' })).status, 200);
}

test('pages that open a second connection for WebSockets cause one warning', async (t) => {
  const running = await start(t, {});
  await running.useWebSocket();
  assert.deepEqual(running.logger.take(), [], 'no page has used HTTP/2');
  await useHttp2(t, running);
  await running.useWebSocket([]);
  assert.deepEqual(running.logger.take(), [], 'a client that is not a page may have no HTTP/2');
  await running.useWebSocket();
  await running.useWebSocket();
  const lines = running.logger.take().map(({ line }) => line);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /second connection.*enableConnectProtocol: true/);
});

test('a server with enableConnectProtocol logs no warning', async (t) => {
  const running = await start(t, { enableConnectProtocol: true });
  await useHttp2(t, running);
  await running.useWebSocket();
  assert.deepEqual(running.logger.take(), []);
});

test('a client that has not acknowledged the settings causes no warning', async (t) => {
  const running = await start(t, { enableConnectProtocol: true });
  const opened = once(running.server, 'session');
  const client = rawHttp2(t, running.target('h2'));
  const [session] = (await opened) as [Http2Session];
  const requested = once(session, 'stream');
  client.write(
    encodeHttp2Frame(FRAME.headers, END_HEADERS | END_STREAM, 1, encodeHead('/echo/info')),
  );
  await requested;
  await running.useWebSocket();
  assert.deepEqual(running.logger.take(), []);
});

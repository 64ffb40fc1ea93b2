/** `authorize` over mutual TLS gets the certificate of a client if the server has verified it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type RequestOptions, createServer, request } from 'node:https';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { SockJSRouter } from '../../../src/index.ts';
import { AsyncQueue } from '../../../testkit/async-queue.ts';
import { Echo, listen, stop } from '../../../testkit/server.ts';
import { RecordingLogger } from '../../../testkit/logger.ts';
import { newSession } from '../../../testkit/transports.ts';
import { selfSignedCertificate } from '../../../testkit/certificate.ts';
import { within } from '../../../testkit/until.ts';

const ours = selfSignedCertificate();
const client = selfSignedCertificate();
const stranger = selfSignedCertificate();

interface Seen {
  readonly subject: string | undefined;
  readonly raw: string | undefined;
}

/** Creates a server that requests certificates, verifies those of `client`, and rejects no connection. */
async function serveSecurely(t: TestContext) {
  const seen = new AsyncQueue<Seen>('authorize');
  const logger = new RecordingLogger();
  const router = new SockJSRouter(Echo, '/echo', {
    logger,
    authorize: ({ certificate, secure }) => {
      assert.equal(secure, true);
      const subject = certificate?.subject.CN;
      seen.push({
        subject: Array.isArray(subject) ? subject.join(' ') : subject,
        raw: certificate?.raw.toString('base64'),
      });
      return 'somebody';
    },
  });
  const server = createServer({
    ...ours,
    ca: [client.cert],
    requestCert: true,
    rejectUnauthorized: false,
  });
  router.attach(server);
  const port = await listen(server);
  t.after(async () => {
    await router.close({ timeout: 100 });
    await stop(server);
    logger.assertNoProblems();
  });
  return { port, seen };
}

type Credentials = Pick<RequestOptions, 'key' | 'cert' | 'agent'>;

/** Polls once. @returns whether the TLS session was resumed */
async function poll(port: number, credentials: Credentials): Promise<boolean> {
  const path = `${newSession()}/xhr`;
  const options = { host: '127.0.0.1', port, path, method: 'POST', ca: [ours.cert] };
  const asked = request({ ...options, ...credentials });
  asked.end();
  const response = new Promise<NodeJS.ReadableStream>((resolve, reject) => {
    asked.once('response', resolve).once('error', reject);
  });
  const body = await within(response, 'an answer');
  const isResumed = (asked.socket as TLSSocket).isSessionReused();
  body.resume();
  await within(once(body, 'end'), 'the end of the answer');
  return isResumed;
}

async function connectWebSocket(t: TestContext, port: number, credentials: Credentials) {
  const { key, cert } = credentials;
  const socket = new WebSocket(`wss://127.0.0.1:${port}/echo/websocket`, {
    ca: [ours.cert],
    ...(key === undefined || cert === undefined ? {} : { key, cert }),
  });
  t.after(() => socket.terminate());
  await within(once(socket, 'open'), 'an open WebSocket');
}

const CERTIFIED = {
  subject: '127.0.0.1',
  raw: client.cert.replace(/-----[A-Z ]+-----|\n/g, ''),
};
const UNKNOWN = { subject: undefined, raw: undefined };

const CASES: readonly (readonly [who: string, credentials: Credentials, expected: Seen])[] = [
  ['the certificate of a client that has a verified one', client, CERTIFIED],
  ['none of a client that has one from elsewhere', stranger, UNKNOWN],
  ['none of a client that has none', {}, UNKNOWN],
];

for (const [what, credentials, expected] of CASES) {
  test(`xhr: authorize sees ${what}`, async (t) => {
    const { port, seen } = await serveSecurely(t);
    await poll(port, { ...credentials, agent: false });
    assert.deepEqual(await seen.next(), expected);
  });

  test(`rawwebsocket: authorize sees ${what}`, async (t) => {
    const { port, seen } = await serveSecurely(t);
    await connectWebSocket(t, port, credentials);
    assert.deepEqual(await seen.next(), expected);
  });
}

test('authorize sees the certificate in a resumed TLS session too', async (t) => {
  const { port, seen } = await serveSecurely(t);
  const agent = new Agent({ keepAlive: false });
  t.after(() => agent.destroy());
  assert.equal(await poll(port, { ...client, agent }), false);
  assert.equal(await poll(port, { ...client, agent }), true);
  assert.deepEqual(await seen.take(2), [CERTIFIED, CERTIFIED]);
});

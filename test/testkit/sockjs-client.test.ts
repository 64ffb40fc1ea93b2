import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:https';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { selfSignedCertificate } from '../../testkit/certificate.ts';
import { CuttingStage } from '../../testkit/network-faults.ts';
import { testEach } from '../../testkit/node-test.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import { Echo, startRouter, startServer } from '../../testkit/server.ts';
import { SockJSClient, openSockJS } from '../../testkit/sockjs-client.ts';
import { Receiver, assertServes, poll, requestSession } from '../../testkit/sockjs-http.ts';
import { startRelay } from '../../testkit/tcp-relay.ts';
import {
  HTMLFILE,
  HTTP_TRANSPORTS,
  STREAMING_TRANSPORTS,
  TRANSPORTS,
  XHR,
  XHR_STREAMING,
  decodeFrame,
  newSession,
  splitFrames,
} from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';

/** Closes by `close CODE REASON`, and echoes everything else. */
class Closing extends Echo {
  override onMessage(message: string): void {
    const [command, code, ...reason] = message.split(' ');
    if (command === 'close') this.close(Number(code), reason.join(' '));
    else this.send(message);
  }
}

const TRICKY = ['', 'Grüße', '"\\\u2028</script>', '%41 \r\n'] as const;

testEach(TRANSPORTS, 'messages go there and back', async (t, transport) => {
  const { port } = await startRouter(t);
  const client = await openSockJS(t, transport, { server: port });
  await client.send(...TRICKY);
  await client.send('second');
  assert.deepEqual(await client.take(5), [...TRICKY, 'second']);
});

testEach(TRANSPORTS, 'a close by the server arrives with code and reason', async (t, transport) => {
  const { port } = await startRouter(t, {}, Closing);
  const client = await openSockJS(t, transport, { server: port });
  await client.send('last', 'close 4321 over');
  const { code, reason } = await client.closed();
  assert.deepEqual({ code, reason }, { code: 4321, reason: 'over' });
  assert.equal(await client.next(), 'last');
  await assert.rejects(client.next(), /has closed: 4321 over/);
  await assert.rejects(client.send('too late'), /not open/);
});

testEach(TRANSPORTS, 'close, leave and abort end the session', async (t, transport) => {
  const ends = new AsyncQueue<number>('onClose');
  class Ending extends SockJSConnection {
    override onClose(code: number): void {
      ends.push(code);
    }
  }
  const settings = { disconnectDelay: 50, sessionCheckInterval: 10, heartbeatDelay: 100 };
  const { port, router } = await startRouter(t, settings, Ending);
  for (const how of ['close', 'leave', 'abort'] as const) {
    const client = await openSockJS(t, transport, { server: port });
    client[how]();
    await client.closed();
    assert.ok(client.isClosed);
    await ends.next();
  }
  await until(() => router.stats.dump().sessionsActive === 0, 'no sessions');
});

testEach(TRANSPORTS, 'a refusal has its status', async (t, transport) => {
  const { port, logger } = await startRouter(t, { maxSessions: 1 });
  await openSockJS(t, transport, { server: port });
  const refused = new SockJSClient(transport, { server: port });
  await assert.rejects(refused.opened(), /Too many sessions/);
  assert.equal((await refused.closed()).status, 503);
  logger.take();
});

testEach(TRANSPORTS, 'headers and query are sent with each request', async (t, transport) => {
  class Telling extends SockJSConnection {
    override onOpen(): void {
      this.send(`${this.info.getArgument('room')} ${this.info.ip}`);
    }
  }
  const { port } = await startRouter(t, { trustedProxies: ['loopback'] }, Telling);
  const headers = [['X-Forwarded-For', '10.1.2.3']] as const;
  const client = await openSockJS(t, transport, { server: port, headers, query: 'room=4' });
  assert.equal(await client.next(), '4 10.1.2.3');
});

testEach(TRANSPORTS, 'events come at their moment, in order', async (t, transport) => {
  const { port } = await startRouter(t, {}, Closing);
  const events: string[] = [];
  const client = await openSockJS(t, transport, {
    server: port,
    record: false,
    open: () => events.push('open'),
    message: (message) => events.push(message),
    close: ({ code }) => events.push(String(code)),
  });
  await client.send('a', 'close 3000 bye');
  await client.closed();
  assert.deepEqual(events, ['open', 'a', '3000']);
  assert.equal(client.messages.size, 0);
});

testEach(TRANSPORTS, 'heartbeats are counted where they are frames', async (t, transport) => {
  const settings = { heartbeatDelay: 50, sessionCheckInterval: 10 };
  const { port } = await startRouter(t, settings);
  const client = await openSockJS(t, transport, { server: port });
  if (transport.name === 'rawwebsocket') return;
  await until(() => client.heartbeats > 1, 'two heartbeats');
});

testEach(TRANSPORTS, 'a paused client receives when it resumes', async (t, transport) => {
  const { port, router } = await startRouter(t);
  const client = await openSockJS(t, transport, { server: port });
  client.pause();
  for (const connection of router.connections) connection.send('later');
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  assert.equal(client.messages.size, 0);
  client.resume();
  assert.equal(await client.next(), 'later');
});

testEach(TRANSPORTS, 'a connection that is cut closes the client', async (t, transport) => {
  const { port } = await startRouter(t, { disconnectDelay: 100 });
  let cut: (() => void) | undefined;
  const relayed = await startRelay(t, port, {
    toClient: (next, connection) => {
      cut ??= () => connection.cut('RST');
      return next;
    },
  });
  const client = await openSockJS(t, transport, { server: relayed });
  cut?.();
  assert.equal((await client.closed()).code, 1006);
});

for (const { fault, settings, offset } of [
  { fault: 'that is cut off', settings: {}, offset: 10_000 },
  { fault: 'that is refused', settings: { maxMessageBytes: 1000 }, offset: Infinity },
]) {
  const title = `a body ${fault} closes the client, which sends nothing more`;
  testEach(HTTP_TRANSPORTS, title, async (t, transport) => {
    const received: string[] = [];
    class Recording extends SockJSConnection {
      override onMessage(message: string): void {
        received.push(message.slice(0, 10));
      }
    }
    const { port, router, logger } = await startRouter(t, settings, Recording);
    const cutting = new CuttingStage('RST', offset);
    const server = await startRelay(t, port, { toServer: cutting.stage });
    const client = await openSockJS(t, transport, { server });
    const sends = ['first', 'x'.repeat(20_000), 'third', 'fourth'].map((text) => client.send(text));
    const results = await Promise.allSettled(sends);
    const statuses = results.map(({ status }) => status);
    assert.deepEqual(statuses, ['fulfilled', 'rejected', 'rejected', 'rejected']);
    const { code, reason } = await client.closed();
    assert.equal(code, 1006);
    assert.match(reason, /^Sending failed: /);
    await router.close({ timeout: 0 });
    assert.deepEqual(received, ['first']);
    logger.take(); // A refusal is a warning.
  });
}

testEach(STREAMING_TRANSPORTS, 'a new request follows at responseLimit', async (t, transport) => {
  const { port } = await startRouter(t, { responseLimit: 1000 });
  const client = await openSockJS(t, transport, { server: port });
  for (let count = 0; count < 5; count += 1) {
    await client.send('x'.repeat(600));
    assert.equal((await client.next()).length, 600);
  }
});

testEach(HTTP_TRANSPORTS, 'HTTP/1.0 is spoken on request', async (t, transport) => {
  const { port } = await startRouter(t);
  const client = await openSockJS(t, transport, { server: port, version: '1.0' });
  await client.send('old');
  assert.equal(await client.next(), 'old');
});

testEach(TRANSPORTS, 'TLS is spoken on request', async (t, transport) => {
  const certificate = selfSignedCertificate();
  const { port, url } = await startRouter(t, {}, undefined, { server: createServer(certificate) });
  assert.match(url, /^https:/);
  const server = { port, tls: { ca: [certificate.cert] } };
  const client = await openSockJS(t, transport, { server });
  await client.send('secret');
  assert.equal(await client.next(), 'secret');
});

test('post sends any body, and returns the status', async (t) => {
  const { port, router } = await startRouter(t);
  const client = await openSockJS(t, HTMLFILE, { server: port });
  assert.equal(await client.post('['), 500);
  assert.equal(await client.post('["ok"]'), 204);
  assert.equal(await client.next(), 'ok');
  assert.ok(router.stats.dump().sessionsActive === 1);
});

test('a second open frame closes the client: the server has lost the session', async (t) => {
  const server = createHttpServer((_request, response) => {
    response.writeHead(200, { 'Content-Length': '2' }).end('o\n');
  });
  const client = new SockJSClient(XHR, { server: await startServer(t, server) });
  assert.deepEqual(await client.closed(), { code: 1006, reason: 'Server lost session' });
});

for (const transport of HTTP_TRANSPORTS) {
  test(`${transport.name}: an encoded frame is decoded`, () => {
    const frame = 'a["Grüße \\"\\u2028"]';
    const encoded =
      transport.name === 'eventsource'
        ? transport.encode(encodeURI(frame))
        : transport.encode(frame);
    assert.equal(decodeFrame(transport, encoded), frame);
    assert.throws(() => decodeFrame(transport, `${encoded}x`), /not a frame/);
    assert.throws(() => decodeFrame(transport, encoded.slice(0, -1)), /not a frame/);
    const { frames, rest } = splitFrames(transport, encoded + encoded + encoded.slice(0, -1));
    assert.deepEqual(frames, [frame, frame]);
    assert.equal(rest, encoded.slice(0, -1));
  });
}

testEach(TRANSPORTS, 'the request for a session is made by hand', async (t, transport) => {
  const { port, router } = await startRouter(t);
  const { connection, status } = await requestSession(t, port, transport);
  assert.equal(status, transport.isWebSocket ? 101 : 200);
  assert.equal(router.stats.dump().sessionsTotal, 1);
  assert.equal(connection.raw.isEnded, false);
});

test('the requests of one session are made one by one', async (t) => {
  const { port } = await startRouter(t);
  await assertServes(port);
  const receiver = new Receiver(port, newSession(), XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  receiver.close();
  await assert.rejects(poll(port, '/nothing/000/s'), /not a frame/);
});

testEach(CLIENT_TRANSPORTS, 'the official client is awaited', async (t, transports) => {
  const { url } = await startRouter(t, {}, Closing);
  const client = await openOfficial(t, url, { transports });
  assert.equal(client.transport, transports);
  client.send('a', 'close 4000 bye');
  assert.equal(await client.next(), 'a');
  assert.deepEqual(await client.closed(), { code: 4000, reason: 'bye', wasClean: true });
});

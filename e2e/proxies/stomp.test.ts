/** `@stomp/stompjs` over sockjs-client and over the class `SockJS` of this package, through examples/stomp to RabbitMQ. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, createServer } from 'node:net';
import { type TestContext, after, test } from 'node:test';
import { Client, type IFrame, type IMessage } from '@stomp/stompjs';
import OfficialSockJS from 'sockjs-client';
import { SockJS } from '../../client/sockjs.ts';
import { FrameCutter } from '../../examples/stomp/frames.ts';
import type { Program } from '../../testkit/process.ts';
import { portOf } from '../../testkit/server.ts';
import { poll } from '../../testkit/sockjs-http.ts';
import { newSession, parseMessages } from '../../testkit/transports.ts';
import { printedPort, startExample } from '../../test/examples/example.ts';
import { startRabbitMq } from './rabbitmq.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { type ClientTransportName, openOfficial } from '../../testkit/official-client.ts';
import { until, within } from '../../testkit/until.ts';

const TRANSPORTS: readonly ClientTransportName[] = ['websocket', 'xhr-streaming', 'xhr-polling'];
const HEART_BEAT_MS = 400;

/** Classes of the socket, by their module. */
const SOCKETS = { 'sockjs-client': OfficialSockJS, 'sockjs-server/client/sockjs': SockJS } as const;
type SocketName = keyof typeof SOCKETS;

interface StompServer {
  readonly program: Program;
  readonly port: number;
  readonly url: string;
}

async function startStompServer(brokerPort: number): Promise<StompServer> {
  const program = startExample('stomp/server.ts', { BROKER_PORT: String(brokerPort) });
  const port = await printedPort(program);
  return { program, port, url: `http://127.0.0.1:${port}/stomp` };
}

const broker = await startRabbitMq({ after });
const stompServer = await startStompServer(broker.port);

after(async () => {
  await stompServer.program.stop();
  assert.doesNotMatch(stompServer.program.output, /^No broker/m);
});

interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

interface StompOptions {
  readonly passcode?: string;
  readonly socket?: SocketName;
}

class StompClient {
  readonly stomp: Client;
  readonly connected = new AsyncQueue<IFrame>('CONNECTED');
  readonly errors = new AsyncQueue<IFrame>('ERROR');
  readonly receipts = new AsyncQueue<string>('a receipt');
  readonly closings = new AsyncQueue<CloseStatus>('the close event');
  /** Debug lines: `<<<` from the server, `>>>` to it. */
  readonly traffic: string[] = [];

  constructor(
    url: string,
    transports: ClientTransportName,
    { passcode = 'guest', socket = 'sockjs-client' }: StompOptions = {},
  ) {
    const SockJSClass = SOCKETS[socket];
    this.stomp = new Client({
      connectHeaders: { login: 'guest', passcode },
      webSocketFactory: () => new SockJSClass(url, undefined, { transports }),
      heartbeatIncoming: HEART_BEAT_MS,
      heartbeatOutgoing: HEART_BEAT_MS,
      reconnectDelay: 0,
      debug: (line) => this.traffic.push(line),
      onConnect: (frame) => this.connected.push(frame),
      onStompError: (frame) => this.errors.push(frame),
      onWebSocketClose: ({ code, reason }: CloseStatus) => this.closings.push({ code, reason }),
    });
    this.stomp.activate();
  }

  /** Subscribes, and waits for the receipt of the broker. */
  async subscribe(destination: string): Promise<AsyncQueue<IMessage>> {
    const messages = new AsyncQueue<IMessage>('a message');
    this.stomp.subscribe(destination, (message) => messages.push(message), {
      receipt: 'subscribed',
    });
    this.stomp.watchForReceipt('subscribed', () => this.receipts.push('subscribed'));
    await this.receipts.next();
    return messages;
  }

  count(line: RegExp): number {
    return this.traffic.filter((text) => line.test(text)).length;
  }
}

function connect(
  t: TestContext,
  transports: ClientTransportName,
  options?: StompOptions,
): StompClient {
  const client = new StompClient(stompServer.url, transports, options);
  t.after(() => client.stomp.deactivate());
  return client;
}

async function login(
  t: TestContext,
  transports: ClientTransportName,
  options?: StompOptions,
): Promise<StompClient> {
  const client = connect(t, transports, options);
  const { headers } = await client.connected.next();
  assert.match(headers['server'] ?? '', /^RabbitMQ/);
  return client;
}

const COMBINATIONS = (['sockjs-client', 'sockjs-server/client/sockjs'] as const).flatMap((socket) =>
  TRANSPORTS.map((transports) => ({ socket, transports, name: `${socket}, ${transports}` })),
);

for (const { name, transports, socket } of COMBINATIONS) {
  test(`${name}: texts of all kinds pass, and receipts arrive`, async (t) => {
    const client = await login(t, transports, { socket });
    const destination = `/topic/texts-${transports}`;
    const messages = await client.subscribe(destination);
    const texts = [
      'plain',
      'Grüße, 世界 🙂',
      'two\nlines\n\nand more',
      '',
      'with \0 in it',
      'x'.repeat(200_000),
    ];
    for (const [index, body] of texts.entries()) {
      client.stomp.watchForReceipt(`sent-${index}`, () => client.receipts.push(`sent-${index}`));
      client.stomp.publish({
        destination,
        body,
        headers: { receipt: `sent-${index}`, topic: 'ä:b\nc' },
      });
      const message = await messages.next();
      assert.equal(message.body, body);
      assert.equal(message.headers['topic'], 'ä:b\nc');
      assert.equal(await client.receipts.next(), `sent-${index}`);
    }
  });

  test(`${name}: 500 messages return in order`, async (t) => {
    const client = await login(t, transports, { socket });
    const destination = `/topic/many-${transports}`;
    const messages = await client.subscribe(destination);
    const bodies = Array.from({ length: 500 }, (_, index) => `${index} – ä 🙂`);
    for (const body of bodies) client.stomp.publish({ destination, body });
    const received = await messages.take(bodies.length);
    assert.deepEqual(
      received.map(({ body }) => body),
      bodies,
    );
  });

  test(`${name}: heart-beats pass in both directions`, async (t) => {
    const client = await login(t, transports, { socket });
    await until(
      () => client.count(/<<< PONG/) >= 2 && client.count(/>>> PING/) >= 2,
      'two heart-beats in each direction',
    );
    assert.equal(client.closings.size, 0);
  });

  test(`${name}: an error of the broker arrives`, async (t) => {
    const client = connect(t, transports, { passcode: 'wrong', socket });
    const { headers, body } = await client.errors.next();
    assert.equal(headers['message'], 'Bad CONNECT');
    assert.match(body, /^Access refused/);
  });
}

test('messages pass between clients on different transports', async (t) => {
  const one = await login(t, 'websocket');
  const two = await login(t, 'xhr-streaming');
  const messages = await two.subscribe('/topic/between');
  one.stomp.publish({ destination: '/topic/between', body: 'hello' });
  assert.equal((await messages.next()).body, 'hello');
});

test('a client is refused without a broker', async (t) => {
  const { program, url } = await startStompServer(1);
  t.after(() => program.stop());
  const client = new StompClient(url, 'websocket');
  t.after(() => client.stomp.deactivate());
  assert.deepEqual(await client.closings.next(), { code: 1008, reason: 'Refused' });
  assert.match(program.output, /No broker at 127\.0\.0\.1:1: .*ECONNREFUSED/);
});

/** A server whose broker is the test itself. */
async function startWithFakeBroker(
  t: TestContext,
): Promise<{ port: number; url: string; accepted: AsyncQueue<Socket> }> {
  const accepted = new AsyncQueue<Socket>('a connection to the broker');
  const fake = createServer((socket) => accepted.push(socket.on('error', () => undefined)));
  await once(fake.listen(0, '127.0.0.1'), 'listening');
  const { program, port, url } = await startStompServer(portOf(fake));
  t.after(async () => {
    await program.stop();
    fake.close();
  });
  return { port, url, accepted };
}

test('a slow client pauses reading from the broker, and loses nothing', async (t) => {
  const { port, accepted } = await startWithFakeBroker(t);
  const session = newSession('/stomp');
  assert.equal(await poll(port, session), 'o');
  const fromClient = await accepted.next();
  t.after(() => fromClient.destroy());
  // Three times the bytes that the server buffers before it closes the session of a slow client.
  const body = 'x'.repeat(16_384);
  const frames = Array.from({ length: 768 }, (_, index) => `MESSAGE\nn:${index}\n\n${body}\0`);
  fromClient.write(frames.join(''));
  const received: string[] = [];
  while (received.length < frames.length) {
    received.push(...parseMessages(await poll(port, session)));
  }
  assert.deepEqual(received, frames);
});

test('a slow broker closes the session of its client with 1013', async (t) => {
  const { url, accepted } = await startWithFakeBroker(t);
  const client = await openOfficial(t, url, { transports: 'websocket' });
  const paused = (await accepted.next()).pause();
  t.after(() => paused.destroy());
  const frame = `SEND\ndestination:/topic/x\n\n${'x'.repeat(65_536)}\0`;
  // More bytes than the system buffers for a connection.
  for (let sent = 0; sent < 512; sent += 1) client.send(frame);
  const expected = { code: 1013, reason: 'The broker does not keep up', wasClean: true };
  assert.deepEqual(await client.closings.next(), expected);
});

test('a client that leaves ends its connection to the broker', async (t) => {
  const { url, accepted } = await startWithFakeBroker(t);
  const client = await openOfficial(t, url, { transports: 'websocket' });
  const fromClient = await accepted.next();
  client.send('SEND\n\nlast words\0');
  client.close();
  const chunks = await within(fromClient.setEncoding('utf8').toArray(), 'the end');
  assert.equal(chunks.join(''), 'SEND\n\nlast words\0');
});

test('frames are found in TCP chunks of any size', () => {
  const frames = [
    'MESSAGE\nsubject:ä\n\nGrüße 🙂\0',
    'MESSAGE\ncontent-length:3\n\na\0b\0',
    'RECEIPT\r\n\r\n\0',
  ];
  const bytes = Buffer.from(frames.join('\n'));
  for (let size = 1; size <= bytes.length; size += 1) {
    const cutter = new FrameCutter(1000);
    const cut: string[] = [];
    for (let at = 0; at < bytes.length; at += size)
      cut.push(...cutter.push(bytes.subarray(at, at + size)));
    assert.deepEqual(
      cut.filter((frame) => frame !== '\n'),
      frames,
    );
    assert.equal(cut.filter((frame) => frame === '\n').length, 2);
  }
});

test('a frame beyond the size limit throws an error', () => {
  const cutter = new FrameCutter(10);
  assert.throws(() => [...cutter.push(Buffer.from('MESSAGE\n\nfor ever'))], RangeError);
});

test('the sessions of all clients close with 1012 when the broker ends', async (t) => {
  const clients = [];
  for (const transports of TRANSPORTS) clients.push(await login(t, transports));
  await broker.stop();
  const reason = 'The broker has closed the connection';
  for (const client of clients)
    assert.deepEqual(await client.closings.next(), { code: 1012, reason });
});

/** `@stomp/stompjs` over sockjs-client, through examples/stomp, with RabbitMQ behind it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, createServer } from 'node:net';
import { type TestContext, after, before, test } from 'node:test';
import { Client, type IFrame, type IMessage } from '@stomp/stompjs';
import SockJS from 'sockjs-client';
import { FrameCutter } from '../../examples/stomp/frames.ts';
import { Program } from './program.ts';
import { RawSession } from './raw-session.ts';
import { type Broker, startRabbitMq } from './rabbitmq.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { type ClientTransportName, openOfficial } from '../../testkit/official-client.ts';
import { until, within } from '../../testkit/until.ts';

const TRANSPORTS: readonly ClientTransportName[] = ['websocket', 'xhr-streaming', 'xhr-polling'];
const HEART_BEAT = 400;

interface Relay {
  readonly program: Program;
  readonly url: string;
}

async function startRelay(brokerPort: number): Promise<Relay> {
  const environment = { PORT: '0', BROKER_PORT: String(brokerPort) };
  const program = new Program(process.execPath, ['examples/stomp/server.ts'], environment);
  const [, port] = await program.prints(/port: (\d+)/);
  return { program, url: `http://127.0.0.1:${port}/stomp` };
}

let broker: Broker | undefined;
let relay: Relay | undefined;

before(async () => {
  broker = await startRabbitMq();
  relay = await startRelay(broker.port);
});

after(async () => {
  await relay?.program.stop();
  await broker?.stop();
  const lines = relay?.program.printed.split('\n') ?? [];
  assert.deepEqual(
    lines.filter((line) => line.startsWith('No broker')),
    [],
    'it had its broker',
  );
});

interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

class StompClient {
  readonly stomp: Client;
  readonly connected = new AsyncQueue<IFrame>('CONNECTED');
  readonly errors = new AsyncQueue<IFrame>('ERROR');
  readonly receipts = new AsyncQueue<string>('a receipt');
  readonly closings = new AsyncQueue<CloseStatus>('the close event');
  /** What passes, as text: `<` from the server, `>` to it. */
  readonly traffic: string[] = [];

  constructor(url: string, transports: ClientTransportName, passcode = 'guest') {
    this.stomp = new Client({
      connectHeaders: { login: 'guest', passcode },
      webSocketFactory: () => new SockJS(url, undefined, { transports }),
      heartbeatIncoming: HEART_BEAT,
      heartbeatOutgoing: HEART_BEAT,
      reconnectDelay: 0,
      debug: (line) => this.traffic.push(line),
      onConnect: (frame) => this.connected.push(frame),
      onStompError: (frame) => this.errors.push(frame),
      onWebSocketClose: ({ code, reason }: CloseStatus) => this.closings.push({ code, reason }),
    });
    this.stomp.activate();
  }

  /** Subscribes to a queue that is the client's own, and waits until the broker has done so. */
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

function start(t: TestContext, transports: ClientTransportName, passcode?: string): StompClient {
  assert.ok(relay !== undefined);
  const client = new StompClient(relay.url, transports, passcode);
  t.after(() => client.stomp.deactivate());
  return client;
}

async function connected(t: TestContext, transports: ClientTransportName): Promise<StompClient> {
  const client = start(t, transports);
  const { headers } = await client.connected.next();
  assert.match(headers['server'] ?? '', /^RabbitMQ/);
  return client;
}

for (const transports of TRANSPORTS) {
  test(`${transports}: login, subscribe, send with a receipt, text of all kinds`, async (t) => {
    const client = await connected(t, transports);
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

  test(`${transports}: 500 messages come back in order`, async (t) => {
    const client = await connected(t, transports);
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

  test(`${transports}: heart-beats pass in both directions`, async (t) => {
    const client = await connected(t, transports);
    await until(() => client.count(/<<< PONG/) >= 2 && client.count(/>>> PING/) >= 2, 'both have beaten');
    assert.equal(client.closings.size, 0, 'neither side has missed one');
  });

  test(`${transports}: an error of the broker arrives`, async (t) => {
    const client = start(t, transports, 'wrong');
    const { headers, body } = await client.errors.next();
    assert.equal(headers['message'], 'Bad CONNECT');
    assert.match(body, /^Access refused/);
  });
}

test('two clients on different transports talk to each other', async (t) => {
  const one = await connected(t, 'websocket');
  const two = await connected(t, 'xhr-streaming');
  const messages = await two.subscribe('/topic/between');
  one.stomp.publish({ destination: '/topic/between', body: 'hello' });
  assert.equal((await messages.next()).body, 'hello');
});

test('a client is refused while there is no broker', async (t) => {
  const { program, url } = await startRelay(1);
  t.after(() => program.stop());
  const client = new StompClient(url, 'websocket');
  t.after(() => client.stomp.deactivate());
  assert.deepEqual(await client.closings.next(), { code: 1008, reason: 'Refused' });
  assert.match(program.printed, /No broker at 127\.0\.0\.1:1: .*ECONNREFUSED/);
});

/** A broker's port behind which the test itself sits. */
async function startFakeBroker(t: TestContext): Promise<{ url: string; accepted: AsyncQueue<Socket> }> {
  const accepted = new AsyncQueue<Socket>('a connection to the broker');
  const fake = createServer((socket) => accepted.push(socket.on('error', () => undefined)));
  await once(fake.listen(0, '127.0.0.1'), 'listening');
  const address = fake.address();
  assert.ok(typeof address === 'object' && address !== null);
  const { program, url } = await startRelay(address.port);
  t.after(async () => {
    await program.stop();
    fake.close();
  });
  return { url, accepted };
}

test('a client that does not keep up holds the broker back, and loses nothing', async (t) => {
  const { url, accepted } = await startFakeBroker(t);
  const session = new RawSession(Number(new URL(url).port), { prefix: '/stomp' });
  assert.equal((await session.poll()).body, 'o\n');
  const fromClient = await accepted.next();
  t.after(() => fromClient.destroy());
  // Three times of what the server would keep for a client before it cut it off.
  const body = 'x'.repeat(16_384);
  const frames = Array.from({ length: 768 }, (_, index) => `MESSAGE\nn:${index}\n\n${body}\0`);
  fromClient.write(frames.join(''));
  const received: unknown[] = [];
  while (received.length < frames.length) {
    const frame = (await session.poll()).body;
    assert.equal(frame[0], 'a', frame.slice(0, 100));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a SockJS frame holds
    received.push(...(JSON.parse(frame.slice(1)) as unknown[]));
  }
  assert.deepEqual(received, frames);
});

test('a broker that does not keep up costs a bounded amount of memory', async (t) => {
  const { url, accepted } = await startFakeBroker(t);
  const client = await openOfficial(t, url, { transports: 'websocket' });
  const deaf = (await accepted.next()).pause();
  t.after(() => deaf.destroy());
  const frame = `SEND\ndestination:/topic/x\n\n${'x'.repeat(65_536)}\0`;
  // More than the system keeps in the buffers of a connection.
  for (let sent = 0; sent < 512; sent += 1) client.send(frame);
  const expected = { code: 1013, reason: 'The broker does not keep up', wasClean: true };
  assert.deepEqual(await client.closings.next(), expected);
});

test('a client that goes ends its connection to the broker', async (t) => {
  const { url, accepted } = await startFakeBroker(t);
  const client = await openOfficial(t, url, { transports: 'websocket' });
  const fromClient = await accepted.next();
  client.send('SEND\n\nlast words\0');
  client.close();
  const chunks = await within(fromClient.setEncoding('utf8').toArray(), 'the end');
  assert.equal(chunks.join(''), 'SEND\n\nlast words\0');
});

test('frames are cut out of TCP chunks that end anywhere', () => {
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

test('a frame that never ends is not waited for beyond the limit', () => {
  const cutter = new FrameCutter(10);
  assert.throws(() => [...cutter.push(Buffer.from('MESSAGE\n\nfor ever'))], RangeError);
});

test('clients learn that the broker has gone', async (t) => {
  const clients = [];
  for (const transports of TRANSPORTS) clients.push(await connected(t, transports));
  await broker?.stop();
  const reason = 'The broker has closed the connection';
  for (const client of clients)
    assert.deepEqual(await client.closings.next(), { code: 1012, reason });
});

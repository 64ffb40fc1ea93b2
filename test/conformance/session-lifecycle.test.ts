/** PROTOCOL "Session lifecycle", by its numbered rules. */
import assert from 'node:assert/strict';
import { type TestContext, describe, test } from 'node:test';
import { SockJSConnection, type SockJSSettings } from '../../src/index.ts';
import { receivers, startServices } from './services.ts';
import {
  HTTP_TRANSPORTS,
  type HttpTransport,
  POLLING_TRANSPORTS,
  STREAMING_TRANSPORTS,
  XHR,
  XHR_STREAMING,
  newSession,
} from '../../testkit/transports.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { Receiver, poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { type RunningRouter, startRouter } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

const { port, router } = await startServices();

interface CloseRecord {
  readonly code: number;
  readonly reason: string;
  /** Time of `performance.now()`. */
  readonly at: number;
}

interface RecordingService {
  readonly running: RunningRouter<SockJSConnection>;
  readonly closes: readonly CloseRecord[];
  /** Waits for the first `onClose`. */
  readonly firstClose: () => Promise<CloseRecord>;
}

/** An echo service that records its calls of `onClose`. A message that ends in `close` closes the connection. */
async function startRecording(
  t: TestContext,
  settings: SockJSSettings = {},
): Promise<RecordingService> {
  const closes: CloseRecord[] = [];
  class Recorder extends SockJSConnection {
    override onMessage(message: string): void {
      if (message !== 'close') this.send(message);
      if (message.endsWith('close')) this.close(3000, 'Go away!');
    }

    override onClose(code: number, reason: string): void {
      closes.push({ code, reason, at: performance.now() });
    }
  }
  const running = await startRouter(t, settings, Recorder);
  return {
    running,
    closes,
    async firstClose() {
      return until(() => closes[0], 'onClose');
    },
  };
}

/** A pending receiver: a streaming one after `o`, or a second poll. */
async function waitingReceiver(
  at: number,
  session: string,
  transport: HttpTransport,
  of: { readonly stats: { dump(): { connectionsActive: number } } },
): Promise<Receiver> {
  if (transport.isStreaming) {
    const receiver = new Receiver(at, session, transport);
    assert.equal(await receiver.frame(), 'o');
    return receiver;
  }
  assert.equal(await poll(at, session, transport), 'o');
  const before = of.stats.dump().connectionsActive;
  const receiver = new Receiver(at, session, transport);
  await until(() => of.stats.dump().connectionsActive === before + 1, 'the poll to wait');
  return receiver;
}

const INTERRUPTED = 'c[1002,"Connection interrupted"]';
const OCCUPIED_FRAME = 'c[2010,"Another connection still open"]';

// 1

for (const transport of HTTP_TRANSPORTS) {
  test(`1. ${transport.name} opens an unknown session`, async () => {
    const session = newSession();
    const receiver = new Receiver(port, session, transport);
    assert.equal(await receiver.frame(), 'o');
    await sendMessages(port, session, 'x');
    receiver.close();
  });
}

test('1. a session calls onOpen once and sends o once', async (t) => {
  let opened = 0;
  class Counting extends SockJSConnection {
    override onOpen(): void {
      opened += 1;
      this.send('hello');
    }
  }
  const { port: own } = await startRouter(t, {}, Counting);
  const session = newSession();
  assert.equal(await poll(own, session), 'o');
  assert.equal(await poll(own, session), 'a["hello"]');
  assert.equal(opened, 1);
});

test('1. messages of onOpen follow o', async (t) => {
  class Greeting extends SockJSConnection {
    override onOpen(): void {
      this.send('hello');
    }
  }
  const { port: own } = await startRouter(t, {}, Greeting);
  const receiver = new Receiver(own, newSession(), XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  assert.equal(await receiver.frame(), 'a["hello"]');
  receiver.close();
});

// 2

for (const first of HTTP_TRANSPORTS) {
  for (const second of HTTP_TRANSPORTS) {
    test(`2. while ${first.name} receives, ${second.name} is refused`, async () => {
      const session = newSession();
      const receiver = await waitingReceiver(port, session, first, router('/echo'));
      assert.equal(await poll(port, session, second), OCCUPIED_FRAME);
      await sendMessages(port, session, 'for the first');
      assert.equal(await receiver.frame(), 'a["for the first"]');
      receiver.close();
    });
  }
}

test('2. a refused second client that disconnects does not end the session', async () => {
  const session = newSession();
  const first = new Receiver(port, session, XHR_STREAMING);
  assert.equal(await first.frame(), 'o');
  const second = new Receiver(port, session, XHR_STREAMING);
  assert.equal(await second.frame(), OCCUPIED_FRAME);
  second.abort();
  await sendMessages(port, session, 'still open');
  assert.equal(await first.frame(), 'a["still open"]');
  first.close();
});

// 3

test('3. messages between two receivers are buffered and come in one frame', async () => {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await sendMessages(port, session, 'a');
  await sendMessages(port, session, 'b', 'c');
  await sendMessages(port, session, 'd');
  assert.equal(await poll(port, session), 'a["a","b","c","d"]');
});

describe('3. after disconnectDelay without a receiver', { concurrency: true }, () => {
  for (const transport of HTTP_TRANSPORTS) {
    test(`the session that ${transport.name} opened has ended`, async (t) => {
      const { running, firstClose } = await startRecording(t, {
        disconnectDelay: 100,
        responseLimit: 1,
      });
      const session = newSession();
      const start = performance.now();
      assert.equal(await poll(running.port, session, transport), 'o');
      const { code, reason, at } = await firstClose();
      assert.deepEqual({ code, reason }, { code: 1006, reason: 'Client is gone' });
      assert.ok(at - start >= 100, `onClose came after ${at - start} ms`);
      assert.equal((await postBody(running.port, session, '["x"]')).status, 404);
    });
  }

  test('the id opens a new session in the end', async (t) => {
    const { running, firstClose, closes } = await startRecording(t, { disconnectDelay: 50 });
    const session = newSession();
    assert.equal(await poll(running.port, session), 'o');
    await firstClose();
    let frame = await poll(running.port, session);
    while (frame !== 'o') {
      assert.equal(frame, 'c[1006,"Client is gone"]');
      frame = await poll(running.port, session);
    }
    assert.equal(closes.length, 1, 'onClose was called once for the first session');
  });

  test('onClose is called once', async (t) => {
    const { running, firstClose, closes } = await startRecording(t, { disconnectDelay: 40 });
    await poll(running.port, newSession());
    await poll(running.port, newSession());
    await firstClose();
    await until(() => running.router.stats.dump().sessionsActive === 0, 'both sessions to end');
    assert.equal(closes.length, 2);
  });

  test('buffered messages are dropped', async (t) => {
    const { running, firstClose } = await startRecording(t, { disconnectDelay: 1000 });
    const session = newSession();
    await poll(running.port, session);
    await sendMessages(running.port, session, 'lost');
    await firstClose();
    assert.match(await poll(running.port, session), /^(o|c\[1006,"Client is gone"\])$/);
  });

  for (const transport of HTTP_TRANSPORTS) {
    test(`the session of a client that receives by ${transport.name} stays open`, async (t) => {
      const { running, closes } = await startRecording(t, {
        disconnectDelay: 1000,
        heartbeatDelay: 3000,
      });
      const session = newSession();
      const receiver = await waitingReceiver(running.port, session, transport, running.router);
      assert.equal(await receiver.frame(), 'h');
      assert.deepEqual(closes, []);
      await sendMessages(running.port, session, 'x');
      receiver.close();
    });
  }
});

test('3. the delay is 5 s by default', async (t) => {
  const { running } = await startRecording(t);
  assert.equal(running.router.settings.disconnectDelay, 5000);
});

// 4

for (const transport of HTTP_TRANSPORTS) {
  for (const end of ['abort', 'close'] as const) {
    test(`4. ${end} of a ${transport.name} request ends the session`, async (t) => {
      const { running, firstClose } = await startRecording(t);
      const session = newSession();
      const receiver = await waitingReceiver(running.port, session, transport, running.router);
      receiver[end]();
      const { code, reason } = await firstClose();
      assert.deepEqual({ code, reason }, { code: 1002, reason: 'Connection interrupted' });
      assert.equal(await poll(running.port, session), INTERRUPTED);
      assert.equal(await poll(running.port, session, XHR_STREAMING), INTERRUPTED);
      assert.equal((await postBody(running.port, session, '["x"]')).status, 404);
    });
  }
}

test('4. a connection that closes after a complete poll does not end the session', async () => {
  const session = newSession();
  const first = new Receiver(port, session, XHR);
  assert.equal(await first.frame(), 'o');
  first.abort();
  await sendMessages(port, session, 'x');
  assert.equal(await poll(port, session), 'a["x"]');
});

test('4. after a poll was interrupted no other poll gets a message', async (t) => {
  const { running, firstClose } = await startRecording(t);
  const session = newSession();
  const receiver = await waitingReceiver(running.port, session, XHR, running.router);
  receiver.abort();
  await firstClose();
  assert.equal((await postBody(running.port, session, '["x"]')).status, 404);
  assert.equal(await poll(running.port, session), INTERRUPTED);
});

test('4. an interrupted xhr_send does not end the session', async (t) => {
  const { running, closes } = await startRecording(t);
  const session = newSession();
  await poll(running.port, session);
  const sender = new Receiver(running.port, session, XHR, {
    path: `${session}/xhr_send`,
    headers: [['Content-Length', '100']],
    body: '["half a mess',
  });
  await new Promise((resolve) => sender.connection.socket.once('connect', resolve));
  sender.abort();
  await sendMessages(running.port, session, 'x');
  assert.equal(await poll(running.port, session), 'a["x"]');
  assert.deepEqual(closes, []);
});

// 5

for (const transport of HTTP_TRANSPORTS) {
  test(`5. after a close each ${transport.name} request gets the close frame`, async (t) => {
    const { running, closes } = await startRecording(t);
    const session = newSession();
    await poll(running.port, session);
    await sendMessages(running.port, session, 'close');
    for (let count = 0; count < 3; count += 1)
      assert.equal(await poll(running.port, session, transport), 'c[3000,"Go away!"]');
    assert.deepEqual(
      closes.map(({ code, reason }) => ({ code, reason })),
      [{ code: 3000, reason: 'Go away!' }],
    );
  });
}

for (const transport of POLLING_TRANSPORTS) {
  test(`5. ${transport.name}: messages before the close are delivered before the close frame`, async (t) => {
    const { running } = await startRecording(t);
    const session = newSession();
    await poll(running.port, session, transport);
    await sendMessages(running.port, session, 'a', 'b and close');
    assert.equal(await poll(running.port, session, transport), 'a["a","b and close"]');
    assert.equal(await poll(running.port, session, transport), 'c[3000,"Go away!"]');
  });
}

for (const transport of STREAMING_TRANSPORTS) {
  test(`5. ${transport.name}: messages before the close are delivered before the close frame`, async (t) => {
    const { running } = await startRecording(t);
    const session = newSession();
    const receiver = new Receiver(running.port, session, transport);
    assert.equal(await receiver.frame(), 'o');
    await sendMessages(running.port, session, 'a', 'b and close', 'not delivered');
    assert.deepEqual(await receiver.frames(), ['a["a","b and close"]', 'c[3000,"Go away!"]']);
    receiver.close();
  });
}

test('5. the second poll gets a close that came before the end of the first', async () => {
  const session = newSession('/close');
  assert.equal(await poll(port, session), 'o');
  assert.equal(await poll(port, session), 'c[3000,"Go away!"]');
});

test('5. the close frame is sent for disconnectDelay, then the id opens a new session', async (t) => {
  const { running, firstClose, closes } = await startRecording(t, { disconnectDelay: 1000 });
  const session = newSession();
  await poll(running.port, session);
  const start = performance.now();
  await sendMessages(running.port, session, 'close');
  await firstClose();
  let frame = await poll(running.port, session);
  while (frame !== 'o') {
    assert.equal(frame, 'c[3000,"Go away!"]');
    frame = await poll(running.port, session);
  }
  assert.ok(performance.now() - start >= 1000);
  assert.equal(closes.length, 1);
});

// 6

for (const transport of HTTP_TRANSPORTS) {
  test(`6. a close frame ends a pending ${transport.name} request`, async (t) => {
    const { running } = await startRecording(t);
    const session = newSession();
    const receiver = await waitingReceiver(running.port, session, transport, running.router);
    await sendMessages(running.port, session, 'close');
    assert.equal(await receiver.frame(), 'c[3000,"Go away!"]');
    assert.equal(await receiver.frame(), undefined);
    await receivers(running.router, 0);
    receiver.close();
  });
}

test('6. a WebSocket closes with the code and reason of the close frame', async (t) => {
  const { running, firstClose } = await startRecording(t);
  const client = await openWebSocket(t, running.port, `${newSession()}/websocket`);
  assert.equal(await client.next(), 'o');
  client.send(JSON.stringify(['last and close']));
  assert.equal(await client.next(), 'a["last and close"]');
  assert.equal(await client.next(), 'c[3000,"Go away!"]');
  assert.deepEqual(await client.closed(), { code: 3000, reason: 'Go away!' });
  assert.equal(client.messages.size, 0);
  assert.equal((await firstClose()).code, 3000);
});

test('6. a raw WebSocket closes with the code and reason, without a close frame', async (t) => {
  const { running, firstClose } = await startRecording(t);
  const client = await openWebSocket(t, running.port, '/echo/websocket');
  client.send('last and close');
  assert.equal(await client.next(), 'last and close');
  assert.deepEqual(await client.closed(), { code: 3000, reason: 'Go away!' });
  assert.equal(client.messages.size, 0);
  assert.equal((await firstClose()).code, 3000);
});

for (const path of [`${newSession('/close')}/websocket`, '/close/websocket']) {
  test(`6. a close in onOpen closes a ${path.includes('000') ? '' : 'raw '}WebSocket`, async (t) => {
    const client = await openWebSocket(t, port, path);
    if (path.includes('000')) {
      assert.equal(await client.next(), 'o');
      assert.equal(await client.next(), 'c[3000,"Go away!"]');
    }
    assert.deepEqual(await client.closed(), { code: 3000, reason: 'Go away!' });
    assert.equal(client.messages.size, 0);
  });
}

test('onClose gets the code and reason with which a client closes its WebSocket', async (t) => {
  const { running, firstClose } = await startRecording(t);
  const client = await openWebSocket(t, running.port, `${newSession()}/websocket`);
  assert.equal(await client.next(), 'o');
  client.close(4001, 'my reason');
  const { code, reason } = await firstClose();
  assert.deepEqual({ code, reason }, { code: 4001, reason: 'my reason' });
  assert.deepEqual(await client.closed(), { code: 4001, reason: 'my reason' });
  assert.equal(client.messages.size, 0);
});

for (const path of [`${newSession()}/websocket`, '/echo/websocket']) {
  test(`a WebSocket below ${path.slice(0, 9)} that is reset ends its session with 1006`, async (t) => {
    const { running, firstClose } = await startRecording(t);
    const client = await openWebSocket(t, running.port, path);
    await until(() => running.router.stats.dump().sessionsActive === 1, 'the session to open');
    client.abort();
    assert.equal((await firstClose()).code, 1006);
    assert.equal(running.router.stats.dump().sessionsActive, 0);
  });
}

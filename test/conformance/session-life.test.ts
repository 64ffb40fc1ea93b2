/** PROTOCOL "Session lifecycle": who opens it, who receives, what ends it and what is told of its end. */
import assert from 'node:assert/strict';
import { type TestContext, describe, test } from 'node:test';
import { SockJSConnection, type SockJSSettings } from '../../src/index.ts';
import { type Running, serve } from '../support/service.ts';
import {
  DIALECTS,
  type Dialect,
  POLLING,
  Receiver,
  STREAMING,
  XHR,
  XHR_STREAMING,
  poll,
  send,
  sendBody,
} from './dialects.ts';
import { newSession, receivers, startServices, until } from './services.ts';
import { WebSocketClient } from './web-socket.ts';

const { port, router } = await startServices();

interface Ending {
  readonly code: number;
  readonly reason: string;
  /** Of `performance.now()`. */
  readonly at: number;
}

interface Observed {
  readonly running: Running<SockJSConnection>;
  readonly endings: readonly Ending[];
  /** Waits for the first `onClose`. */
  readonly ended: () => Promise<Ending>;
}

/** An echo service that notes how its connections end; `close` and `send and close` make it close. */
async function observe(t: TestContext, settings: SockJSSettings = {}): Promise<Observed> {
  const endings: Ending[] = [];
  class Observing extends SockJSConnection {
    override onMessage(message: string): void {
      if (message !== 'close') this.send(message);
      if (message.endsWith('close')) this.close(3000, 'Go away!');
    }

    override onClose(code: number, reason: string): void {
      endings.push({ code, reason, at: performance.now() });
    }
  }
  const running = await serve(t, settings, Observing);
  return {
    running,
    endings,
    async ended() {
      await until(() => endings.length > 0, 'onClose');
      const [first] = endings;
      assert.ok(first !== undefined);
      return first;
    },
  };
}

/** A receiver that waits: a streaming one that has had `o`, or a second poll. */
async function waitingReceiver(
  at: number,
  session: string,
  dialect: Dialect,
  of: { readonly stats: { dump(): { connectionsActive: number } } },
): Promise<Receiver> {
  if (dialect.streams) {
    const receiver = new Receiver(at, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    return receiver;
  }
  assert.equal(await poll(at, session, dialect), 'o');
  const before = of.stats.dump().connectionsActive;
  const receiver = new Receiver(at, session, dialect);
  await until(() => of.stats.dump().connectionsActive === before + 1, 'the poll waits');
  return receiver;
}

const GONE = 'c[1002,"Connection interrupted"]';
const OCCUPIED_FRAME = 'c[2010,"Another connection still open"]';

// 1

for (const dialect of DIALECTS) {
  test(`1. ${dialect.name} opens a session that is not known`, async () => {
    const session = newSession();
    const receiver = new Receiver(port, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    await send(port, session, 'x');
    receiver.connection.close();
  });
}

test('1. a session is opened once, and says o once', async (t) => {
  let opened = 0;
  class Counting extends SockJSConnection {
    override onOpen(): void {
      opened += 1;
      this.send('hello');
    }
  }
  const { port: own } = await serve(t, {}, Counting);
  const session = newSession();
  assert.equal(await poll(own, session), 'o');
  assert.equal(await poll(own, session), 'a["hello"]');
  assert.equal(opened, 1);
});

test('1. what onOpen sends comes after o', async (t) => {
  class Greeting extends SockJSConnection {
    override onOpen(): void {
      this.send('hello');
    }
  }
  const { port: own } = await serve(t, {}, Greeting);
  const receiver = new Receiver(own, newSession(), XHR_STREAMING);
  assert.equal(await receiver.frame(), 'o');
  assert.equal(await receiver.frame(), 'a["hello"]');
  receiver.connection.close();
});

// 2

for (const first of DIALECTS) {
  for (const second of DIALECTS) {
    test(`2. while ${first.name} receives, ${second.name} is sent away and ends`, async () => {
      const session = newSession();
      const receiver = await waitingReceiver(port, session, first, router('/echo'));
      assert.equal(await poll(port, session, second), OCCUPIED_FRAME);
      await send(port, session, 'for the first');
      assert.equal(await receiver.frame(), 'a["for the first"]');
      receiver.connection.close();
    });
  }
}

test('2. a client that was sent away and leaves does not end the session', async () => {
  const session = newSession();
  const first = new Receiver(port, session, XHR_STREAMING);
  assert.equal(await first.frame(), 'o');
  const second = new Receiver(port, session, XHR_STREAMING);
  assert.equal(await second.frame(), OCCUPIED_FRAME);
  second.connection.abort();
  await send(port, session, 'still here');
  assert.equal(await first.frame(), 'a["still here"]');
  first.connection.close();
});

// 3

test('3. between receivers messages wait, and come in one frame', async () => {
  const session = newSession();
  assert.equal(await poll(port, session), 'o');
  await send(port, session, 'a');
  await send(port, session, 'b', 'c');
  await send(port, session, 'd');
  assert.equal(await poll(port, session), 'a["a","b","c","d"]');
});

describe('3. after disconnectDelay without a receiver', { concurrency: true }, () => {
  for (const dialect of DIALECTS) {
    test(`the session that ${dialect.name} opened is over, and not before`, async (t) => {
      const { running, ended } = await observe(t, { disconnectDelay: 100, responseLimit: 1 });
      const session = newSession();
      const start = performance.now();
      assert.equal(await poll(running.port, session, dialect), 'o');
      const { code, reason, at } = await ended();
      assert.deepEqual({ code, reason }, { code: 1006, reason: 'Client is gone' });
      assert.ok(at - start >= 100, `it ended after ${at - start} ms`);
      assert.equal((await sendBody(running.port, session, '["x"]')).status, 404);
    });
  }

  test('the id is free for a new session, in the end', async (t) => {
    const { running, ended, endings } = await observe(t, { disconnectDelay: 50 });
    const session = newSession();
    assert.equal(await poll(running.port, session), 'o');
    await ended();
    let frame = await poll(running.port, session);
    while (frame !== 'o') {
      assert.equal(frame, 'c[1006,"Client is gone"]');
      frame = await poll(running.port, session);
    }
    assert.equal(endings.length, 1, 'onClose was called once for the first session');
  });

  test('onClose is called once', async (t) => {
    const { running, ended, endings } = await observe(t, { disconnectDelay: 40 });
    await poll(running.port, newSession());
    await poll(running.port, newSession());
    await ended();
    await until(() => running.router.stats.dump().sessionsActive === 0, 'both are over');
    assert.equal(endings.length, 2);
  });

  test('messages that waited are gone with it', async (t) => {
    const { running, ended } = await observe(t, { disconnectDelay: 200 });
    const session = newSession();
    await poll(running.port, session);
    await send(running.port, session, 'lost');
    await ended();
    assert.match(await poll(running.port, session), /^(o|c\[1006,"Client is gone"\])$/);
  });

  for (const dialect of DIALECTS) {
    test(`a client that receives by ${dialect.name} is not over`, async (t) => {
      const { running, endings } = await observe(t, { disconnectDelay: 300, heartbeatDelay: 900 });
      const session = newSession();
      const receiver = await waitingReceiver(running.port, session, dialect, running.router);
      assert.equal(await receiver.frame(), 'h');
      assert.deepEqual(endings, []);
      await send(running.port, session, 'x');
      receiver.connection.close();
    });
  }
});

test('3. the delay is 5 s by default', async (t) => {
  const { running } = await observe(t);
  assert.equal(running.router.settings.disconnectDelay, 5000);
});

// 4

for (const dialect of DIALECTS) {
  for (const how of ['abort', 'close'] as const) {
    test(`4. ${dialect.name} broken off by ${how} ends the session`, async (t) => {
      const { running, ended } = await observe(t);
      const session = newSession();
      const receiver = await waitingReceiver(running.port, session, dialect, running.router);
      receiver.connection[how]();
      const { code, reason } = await ended();
      assert.deepEqual({ code, reason }, { code: 1002, reason: 'Connection interrupted' });
      assert.equal(await poll(running.port, session), GONE);
      assert.equal(await poll(running.port, session, XHR_STREAMING), GONE);
      assert.equal((await sendBody(running.port, session, '["x"]')).status, 404);
    });
  }
}

test('4. a connection that closes after a complete poll does not end the session', async () => {
  const session = newSession();
  const first = new Receiver(port, session, XHR);
  assert.equal(await first.frame(), 'o');
  first.connection.abort();
  await send(port, session, 'x');
  assert.equal(await poll(port, session), 'a["x"]');
});

test('4. a message that was under way when the client broke off is not sent to another one', async (t) => {
  const { running, ended } = await observe(t);
  const session = newSession();
  const receiver = await waitingReceiver(running.port, session, XHR, running.router);
  receiver.connection.abort();
  await ended();
  assert.equal((await sendBody(running.port, session, '["x"]')).status, 404);
  assert.equal(await poll(running.port, session), GONE);
});

test('4. an xhr_send that breaks off does not end the session', async (t) => {
  const { running, endings } = await observe(t);
  const session = newSession();
  await poll(running.port, session);
  const sender = new Receiver(running.port, session, XHR, {
    path: `${session}/xhr_send`,
    headers: [['Content-Length', '100']],
    body: '["half a mess',
  });
  await new Promise((resolve) => sender.connection.socket.once('connect', resolve));
  sender.connection.abort();
  await send(running.port, session, 'x');
  assert.equal(await poll(running.port, session), 'a["x"]');
  assert.deepEqual(endings, []);
});

// 5

for (const dialect of DIALECTS) {
  test(`5. after a close each ${dialect.name} gets the close frame`, async (t) => {
    const { running, endings } = await observe(t);
    const session = newSession();
    await poll(running.port, session);
    await send(running.port, session, 'close');
    for (let again = 0; again < 3; again += 1)
      assert.equal(await poll(running.port, session, dialect), 'c[3000,"Go away!"]');
    assert.deepEqual(
      endings.map(({ code, reason }) => ({ code, reason })),
      [{ code: 3000, reason: 'Go away!' }],
    );
  });
}

for (const dialect of POLLING) {
  test(`5. ${dialect.name}: messages before the close are delivered before the close frame`, async (t) => {
    const { running } = await observe(t);
    const session = newSession();
    await poll(running.port, session, dialect);
    await send(running.port, session, 'a', 'b and close');
    assert.equal(await poll(running.port, session, dialect), 'a["a","b and close"]');
    assert.equal(await poll(running.port, session, dialect), 'c[3000,"Go away!"]');
  });
}

for (const dialect of STREAMING) {
  test(`5. ${dialect.name}: messages before the close are delivered before the close frame`, async (t) => {
    const { running } = await observe(t);
    const session = newSession();
    const receiver = new Receiver(running.port, session, dialect);
    assert.equal(await receiver.frame(), 'o');
    await send(running.port, session, 'a', 'b and close', 'not handled any more');
    assert.deepEqual(await receiver.frames(), ['a["a","b and close"]', 'c[3000,"Go away!"]']);
    receiver.connection.close();
  });
}

test('5. a close before the first poll returns is told to the second', async () => {
  const session = newSession('/close');
  assert.equal(await poll(port, session), 'o');
  assert.equal(await poll(port, session), 'c[3000,"Go away!"]');
});

test('5. the close frame is served for disconnectDelay, then the id is free', async (t) => {
  const { running, ended, endings } = await observe(t, { disconnectDelay: 250 });
  const session = newSession();
  await poll(running.port, session);
  const start = performance.now();
  await send(running.port, session, 'close');
  await ended();
  let frame = await poll(running.port, session);
  while (frame !== 'o') {
    assert.equal(frame, 'c[3000,"Go away!"]');
    frame = await poll(running.port, session);
  }
  assert.ok(performance.now() - start >= 250);
  assert.equal(endings.length, 1);
});

// 6

for (const dialect of DIALECTS) {
  test(`6. a close frame ends the ${dialect.name} that waits for it`, async (t) => {
    const { running } = await observe(t);
    const session = newSession();
    const receiver = await waitingReceiver(running.port, session, dialect, running.router);
    await send(running.port, session, 'close');
    assert.equal(await receiver.frame(), 'c[3000,"Go away!"]');
    assert.equal(await receiver.frame(), undefined);
    await receivers(running.router, 0);
    receiver.connection.close();
  });
}

test('6. a close frame ends the WebSocket, with the same code and reason', async (t) => {
  const { running, ended } = await observe(t);
  const client = await WebSocketClient.open(running.port, `${newSession()}/websocket`);
  assert.equal(await client.next(), 'o');
  client.sendMessages('last and close');
  assert.equal(await client.next(), 'a["last and close"]');
  assert.equal(await client.next(), 'c[3000,"Go away!"]');
  assert.deepEqual(await client.closed(), { code: 3000, reason: 'Go away!' });
  assert.equal((await ended()).code, 3000);
});

test('6. the raw WebSocket is closed with the same code and reason, without a frame', async (t) => {
  const { running, ended } = await observe(t);
  const client = await WebSocketClient.open(running.port, '/echo/websocket');
  client.send('last and close');
  assert.equal(await client.next(), 'last and close');
  assert.deepEqual(await client.closed(), { code: 3000, reason: 'Go away!' });
  assert.equal((await ended()).code, 3000);
});

for (const path of [`${newSession('/close')}/websocket`, '/close/websocket']) {
  test(`6. ${path.includes('000') ? 'a' : 'the raw'} WebSocket that is closed in onOpen`, async () => {
    const client = await WebSocketClient.open(port, path);
    if (path.includes('000')) {
      assert.equal(await client.next(), 'o');
      assert.equal(await client.next(), 'c[3000,"Go away!"]');
    }
    assert.deepEqual(await client.closed(), { code: 3000, reason: 'Go away!' });
  });
}

test('a client that closes its WebSocket tells the application why', async (t) => {
  const { running, ended } = await observe(t);
  const client = await WebSocketClient.open(running.port, `${newSession()}/websocket`);
  assert.equal(await client.next(), 'o');
  client.socket.close(4001, 'my reason');
  const { code, reason } = await ended();
  assert.deepEqual({ code, reason }, { code: 4001, reason: 'my reason' });
  assert.deepEqual(await client.closed(), { code: 4001, reason: 'my reason' });
});

for (const path of [`${newSession()}/websocket`, '/echo/websocket']) {
  test(`a WebSocket below ${path.slice(0, 9)} that vanishes ends its session with 1006`, async (t) => {
    const { running, ended } = await observe(t);
    const client = await WebSocketClient.open(running.port, path);
    await until(() => running.router.stats.dump().sessionsActive === 1, 'the session');
    client.socket.terminate();
    assert.equal((await ended()).code, 1006);
    assert.equal(running.router.stats.dump().sessionsActive, 0);
  });
}

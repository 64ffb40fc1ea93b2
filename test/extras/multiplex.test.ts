/** `multiplex`: the server on the wire, and together with the browser module over the real sockjs-client. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import SockJS from 'sockjs-client';
import { connect as connectClient } from '../../client/index.ts';
import { SockJS as OwnSockJS } from '../../client/sockjs.ts';
import { type Channel, MultiplexClient } from '../../client/multiplex-client.ts';
import { multiplex } from '../../src/extras/multiplex.ts';
import { SockJSConnection, broadcast } from '../../src/index.ts';
import { Echo, createRouter, startRouter, startServer } from '../../testkit/server.ts';
import { deferred } from '../../testkit/until.ts';
import { type RawWebSocket, openWebSocket } from '../../testkit/raw-websocket.ts';

/** Logs its events, and broadcasts its messages to all rooms. */
class Room extends SockJSConnection {
  static readonly members = new Set<Room>();
  static readonly log: string[] = [];

  override onOpen(): void {
    Room.members.add(this);
    Room.log.push('open');
    this.send('welcome');
  }

  override onMessage(message: string): void {
    if (message === 'leave') this.close(4001, 'as you, wish');
    else if (message === 'throw') throw new Error('broken');
    else broadcast(Room.members, message);
  }

  override onClose(code: number, reason: string): void {
    Room.members.delete(this);
    Room.log.push(`closed ${code} ${reason}`);
  }
}

async function connect(
  t: TestContext,
  channels: Readonly<Record<string, new () => SockJSConnection>> = { echo: Echo, room: Room },
) {
  Room.members.clear();
  Room.log.length = 0;
  const running = await startRouter(t, {}, multiplex(channels));
  const open = async (): Promise<RawWebSocket> => {
    return openWebSocket(t, running.port, '/echo/websocket');
  };
  return { ...running, open, client: await open() };
}

test('a client subscribes to a channel, sends and unsubscribes', async (t) => {
  const { client } = await connect(t);
  client.send('sub,room');
  assert.equal(await client.next(), 'msg,room,welcome');
  client.send('msg,room,a,b');
  assert.equal(await client.next(), 'msg,room,a,b');
  client.send('uns,room');
  client.send('sub,echo');
  client.send('msg,echo,');
  assert.equal(await client.next(), 'msg,echo,');
  assert.deepEqual(Room.log, ['open', 'closed 1000 Unsubscribed']);
});

test('channels do not get the messages of other channels', async (t) => {
  const { client } = await connect(t);
  for (const text of ['sub,echo', 'sub,room', 'msg,echo,1', 'msg,room,2']) client.send(text);
  assert.equal(await client.next(), 'msg,room,welcome');
  assert.equal(await client.next(), 'msg,echo,1');
  assert.equal(await client.next(), 'msg,room,2');
});

test('a channel that the server closes sends its close reason, and can be subscribed to again', async (t) => {
  const { client } = await connect(t);
  client.send('sub,room');
  await client.next();
  client.send('msg,room,leave');
  assert.equal(await client.next(), 'uns,room,4001,as you, wish');
  client.send('msg,room,to a closed channel');
  client.send('sub,room');
  assert.equal(await client.next(), 'msg,room,welcome');
  assert.deepEqual(Room.log, ['open', 'closed 4001 as you, wish', 'open']);
});

test('a channel handler that throws closes only its channel', async (t) => {
  const { client, logger } = await connect(t);
  for (const text of ['sub,room', 'sub,echo', 'msg,room,throw', 'msg,echo,still here'])
    client.send(text);
  await client.next();
  assert.equal(await client.next(), 'uns,room,1011,Internal error');
  assert.equal(await client.next(), 'msg,echo,still here');
  assert.match(logger.take()[0]?.line ?? '', /Room\.onMessage failed/);
});

test('the end of the connection closes its channels', async (t) => {
  const { client, open } = await connect(t);
  const observer = await open();
  for (const each of [client, observer]) {
    each.send('sub,room');
    assert.equal(await each.next(), 'msg,room,welcome');
  }
  client.close(4000, 'done');
  await client.closed();
  observer.send('msg,room,x');
  assert.equal(await observer.next(), 'msg,room,x');
  assert.deepEqual(Room.log, ['open', 'open', 'closed 4000 done']);
});

test('malformed messages are ignored, and an unknown channel is refused', async (t) => {
  const { client } = await connect(t);
  for (const text of [
    '',
    ',',
    'sub',
    'sub,',
    'msg,room,not subscribed',
    'uns,room',
    'hello,room',
    `sub,${'x'.repeat(500)}`,
  ]) {
    client.send(text);
  }
  client.send('sub,__proto__');
  assert.equal(await client.next(), 'uns,,1008,No such channel');
  assert.equal(await client.next(), 'uns,__proto__,1008,No such channel');
});

test('a second subscription has no effect', async (t) => {
  const { client } = await connect(t);
  client.send('sub,room');
  client.send('sub,room');
  client.send('msg,room,x');
  assert.equal(await client.next(), 'msg,room,welcome');
  assert.equal(await client.next(), 'msg,room,x');
});

test('a client that subscribes and unsubscribes in a loop has one pending onOpen', async (t) => {
  const gate = deferred();
  let opens = 0;
  class Slow extends SockJSConnection {
    override async onOpen(): Promise<void> {
      opens += 1;
      await gate.promise;
    }
  }
  const { client } = await connect(t, { echo: Slow, room: Room });
  client.send('sub,echo');
  client.send('uns,echo');
  client.send('sub,echo');
  assert.equal(await client.next(), 'uns,echo,1013,Channel is still opening');
  gate.resolve();
  assert.equal(opens, 1);
});

test('a channel has the properties of a connection', async (t) => {
  const properties: unknown[] = [];
  class Reader extends SockJSConnection {
    override onOpen(): void {
      properties.push(
        this.transport,
        this.info.path,
        this.isClosed,
        this.bufferedBytes,
        this.id.length,
      );
      assert.throws(() => this.send(new Uint8Array(1)), /A channel carries strings only/);
      this.send('ready');
    }
  }
  const { client } = await connect(t, { echo: Reader, room: Room });
  client.send('sub,echo');
  assert.equal(await client.next(), 'msg,echo,ready');
  assert.deepEqual(properties, ['rawwebsocket', '/echo/websocket', false, 0, 36]);
});

test('onDrain of a channel follows a send that returned false', async (t) => {
  const events: unknown[] = [];
  class Sender extends SockJSConnection {
    override onOpen(): void {
      events.push(this.send('x'.repeat(70_000)));
    }
    override onDrain(): void {
      events.push('drained');
      this.send('done');
    }
  }
  const { client } = await connect(t, { echo: Sender, room: Room });
  client.send('sub,echo');
  assert.equal((await client.next()).length, 'msg,echo,'.length + 70_000);
  assert.equal(await client.next(), 'msg,echo,done');
  assert.deepEqual(events, [false, 'drained']);
});

test('a channel name may contain commas and any other character', async (t) => {
  const { client } = await connect(t, { 'a,b é': Echo, room: Room });
  client.send(`sub,${encodeURIComponent('a,b é')}`);
  client.send(`msg,${encodeURIComponent('a,b é')},x`);
  assert.equal(await client.next(), `msg,${encodeURIComponent('a,b é')},x`);
});

for (const name of ['room/1', 'a@b', '\u00fc', '\u{1f600}', 'a,b+*~', '%41', "it's"]) {
  for (const encode of [escape, encodeURIComponent]) {
    test(`channel ${name} is opened by ${encode.name}, and gets messages in this spelling`, async (t) => {
      const { client } = await connect(t, { [name]: Room, room: Room });
      const spelling = encode(name);
      client.send(`sub,${spelling}`);
      assert.equal(await client.next(), `msg,${spelling},welcome`);
      client.send(`msg,${spelling},a,b`);
      assert.equal(await client.next(), `msg,${spelling},a,b`);
      client.send(`msg,${spelling},leave`);
      assert.equal(await client.next(), `uns,${spelling},4001,as you, wish`);
      client.send(`sub,${spelling}`);
      assert.equal(await client.next(), `msg,${spelling},welcome`);
      client.send(`uns,${spelling}`);
      client.send('sub,room');
      assert.equal(await client.next(), 'msg,room,welcome');
      assert.equal(Room.log.at(-2), 'closed 1000 Unsubscribed');
    });
  }
}

test('each client gets a broadcast in the spelling that it has subscribed with', async (t) => {
  const { client, open } = await connect(t, { '\u00fc': Room });
  const other = await open();
  client.send('sub,%FC');
  other.send('sub,%C3%BC');
  assert.equal(await client.next(), 'msg,%FC,welcome');
  assert.equal(await other.next(), 'msg,%C3%BC,welcome');
  for (const text of ['first', 'second']) {
    other.send(`msg,%C3%BC,${text}`);
    assert.equal(await client.next(), `msg,%FC,${text}`);
    assert.equal(await other.next(), `msg,%C3%BC,${text}`);
  }
});

test('two spellings of a name are one channel', async (t) => {
  const { client } = await connect(t, { 'a@b': Room });
  client.send('sub,a@b');
  client.send('sub,a%40b');
  client.send('msg,a%40b,x');
  assert.equal(await client.next(), 'msg,a@b,welcome');
  assert.equal(await client.next(), 'msg,a@b,x');
  assert.equal(Room.members.size, 1);
});

test('a text that spells two names belongs to the name that it is decoded to', async (t) => {
  const { client } = await connect(t, { '\u00fc': Room, '\u00c3\u00bc': Echo });
  client.send('sub,%C3%BC');
  assert.equal(await client.next(), 'msg,%C3%BC,welcome');
  client.send('sub,%C3%83%C2%BC');
  client.send('msg,%C3%83%C2%BC,x');
  assert.equal(await client.next(), 'msg,%C3%83%C2%BC,x');
});

test('an invalid channel is refused when it is declared', () => {
  assert.throws(() => multiplex({}), /at least one channel/);
  assert.throws(() => multiplex({ '': Echo }), /needs a name/);
  for (const name of ['\ud800', 'a\udc00b', '\udc00\ud800']) {
    assert.throws(() => multiplex({ [name]: Echo }), {
      name: 'SockJSError',
      code: 'ERR_SETTING',
      message: /surrogate/,
    });
  }
  assert.ok(multiplex({ '\ud83d\ude00': Echo }));
});

test('the browser module rejects a channel name that cannot be encoded', () => {
  const socket = { readyState: 0, send() {}, addEventListener() {} };
  const client = new MultiplexClient(socket);
  assert.throws(() => client.channel('\ud800'), /surrogate/);
  assert.equal(client.channel('\ud83d\ude00').readyState, 0);
});

/** Waits for the next event of this type. */
async function nextEvent(channel: Channel, type: 'open' | 'message' | 'close'): Promise<Event> {
  return new Promise((resolve) => {
    channel.addEventListener(type, resolve, { once: true });
  });
}

type ChannelTransport = 'websocket' | 'xhr-polling';

/** The connections over which the browser module works. */
const SOCKETS = {
  'sockjs-client': (url: string, transport: ChannelTransport) =>
    new SockJS(url, undefined, { transports: transport }),
  'client/sockjs': (url: string, transport: ChannelTransport) =>
    new OwnSockJS(url, undefined, { transports: transport }),
  client: (url: string, transport: ChannelTransport) =>
    connectClient(url, { transports: [transport] }),
} as const;

const COMBINATIONS = Object.entries(SOCKETS).flatMap(([name, createSocket]) =>
  (['websocket', 'xhr-polling'] as const).map((transport) => ({ name, createSocket, transport })),
);

for (const { name, createSocket, transport } of COMBINATIONS) {
  test(`the browser module works with the server over ${name} and ${transport}`, async (t) => {
    const { url } = await startRouter(t, {}, multiplex({ 'echo, echo': Echo, room: Room }));
    const socket = createSocket(url, transport);
    t.after(() => socket.close());
    const client = new MultiplexClient(socket);
    const echo = client.channel('echo, echo');
    const room = client.channel('room');
    assert.equal(client.channel('room'), room);
    assert.throws(() => echo.send('too early'), /not open yet/);
    const welcome = nextEvent(room, 'message');
    await nextEvent(echo, 'open');
    assert.equal(echo.readyState, 1);
    assert.equal(Reflect.get(await welcome, 'data'), 'welcome');
    echo.send('a,b');
    assert.equal(Reflect.get(await nextEvent(echo, 'message'), 'data'), 'a,b');
    const closeEvent: unknown[] = [];
    room.onclose = ({ code, reason, wasClean }) => closeEvent.push(code, reason, wasClean);
    room.send('leave');
    await nextEvent(room, 'close');
    assert.deepEqual(closeEvent, [4001, 'as you, wish', true]);
    assert.equal(room.readyState, 3);
    const again = client.channel('room');
    assert.notEqual(again, room);
    await nextEvent(again, 'message');
    again.close();
    assert.equal(again.readyState, 3);
    const closed = nextEvent(echo, 'close');
    socket.close();
    await closed;
  });
}

test('channels are subscribed again after a reconnect, before what was sent meanwhile', async (t) => {
  const channels = multiplex({ echo: Echo, room: Room });
  const server = createServer();
  const port = await startServer(t, server);
  const first = createRouter(t, {}, channels);
  first.attach(server);
  const socket = connectClient(`http://127.0.0.1:${port}/echo`, { reconnectDelay: 20 });
  t.after(() => socket.close());
  const client = new MultiplexClient(socket);
  const echo = client.channel('echo');
  const room = client.channel('room');
  await nextEvent(room, 'message');
  const lost = deferred();
  socket.onreconnecting = () => lost.resolve();
  first.detach(server);
  await first.close({ timeout: 100 });
  await lost.promise;
  assert.equal(echo.readyState, 0);
  echo.send('meanwhile');
  room.close();
  const [opened, received] = [nextEvent(echo, 'open'), nextEvent(echo, 'message')];
  Room.log.length = 0;
  createRouter(t, {}, channels).attach(server);
  await opened;
  assert.equal(Reflect.get(await received, 'data'), 'meanwhile');
  assert.deepEqual(Room.log, [], 'a closed channel is not subscribed again');
});

test('the browser module closes a channel that the server does not have', async (t) => {
  const { url } = await startRouter(t, {}, multiplex({ room: Room }));
  const socket = new SockJS(url, undefined, { transports: 'websocket' });
  t.after(() => socket.close());
  const closed = await nextEvent(new MultiplexClient(socket).channel('other'), 'close');
  assert.equal(Reflect.get(closed, 'code'), 1008);
});

test('the browser module ignores messages that are malformed or of no channel', () => {
  let receive = (_event: { data: string }): void => {};
  const client = new MultiplexClient({
    readyState: 1,
    send() {},
    addEventListener(type: string, listener: (event: never) => void) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the events of this test have data
      if (type === 'message') receive = listener as typeof receive;
    },
  });
  const received: string[] = [];
  client.channel('100 %').onmessage = ({ data }) => received.push(data);
  for (const data of ['', 'msg', 'msg,%,x', 'uns,%FC', 'msg,100 %,x', 'msg,100%20%25,y']) {
    receive({ data });
  }
  assert.deepEqual(received, ['y']);
});

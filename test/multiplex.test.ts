/** Channels: the server half by what it says on the wire, both halves together over the real sockjs-client. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import SockJS from 'sockjs-client';
import { type Channel, MultiplexClient } from '../client/multiplex-client.ts';
import { multiplex } from '../src/extras/multiplex.ts';
import { SockJSConnection, broadcast } from '../src/index.ts';
import { deferred } from './support/fakes.ts';
import { Echo, serve } from './support/service.ts';
import { type WebSocketClient, connectWebSocket } from './support/ws.ts';

/** Says in its own messages what happens to it. */
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
  const running = await serve(t, {}, multiplex(channels));
  const open = async (): Promise<WebSocketClient> => {
    const client = await connectWebSocket(t, `${running.url}/websocket`);
    return client;
  };
  return { ...running, open, client: await open() };
}

test('a channel is subscribed to, spoken on, and left', async (t) => {
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

test('channels do not hear each other', async (t) => {
  const { client } = await connect(t);
  for (const text of ['sub,echo', 'sub,room', 'msg,echo,1', 'msg,room,2']) client.send(text);
  assert.equal(await client.next(), 'msg,room,welcome');
  assert.equal(await client.next(), 'msg,echo,1');
  assert.equal(await client.next(), 'msg,room,2');
});

test('a channel that the server ends says why, and can be subscribed to again', async (t) => {
  const { client } = await connect(t);
  client.send('sub,room');
  await client.next();
  client.send('msg,room,leave');
  assert.equal(await client.next(), 'uns,room,4001,as you, wish');
  client.send('msg,room,nobody hears this');
  client.send('sub,room');
  assert.equal(await client.next(), 'msg,room,welcome');
  assert.deepEqual(Room.log, ['open', 'closed 4001 as you, wish', 'open']);
});

test('a channel handler that throws ends its channel, not the others', async (t) => {
  const { client, logs } = await connect(t);
  for (const text of ['sub,room', 'sub,echo', 'msg,room,throw', 'msg,echo,still here'])
    client.send(text);
  await client.next();
  assert.equal(await client.next(), 'uns,room,1011,Internal error');
  assert.equal(await client.next(), 'msg,echo,still here');
  assert.match(logs.take()[0]?.line ?? '', /Room\.onMessage failed/);
});

test('the end of the connection is the end of its channels', async (t) => {
  const { client, open } = await connect(t);
  const observer = await open();
  for (const each of [client, observer]) {
    each.send('sub,room');
    assert.equal(await each.next(), 'msg,room,welcome');
  }
  client.socket.close(4000, 'done');
  await client.closed();
  observer.send('msg,room,x');
  assert.equal(await observer.next(), 'msg,room,x');
  assert.deepEqual(Room.log, ['open', 'open', 'closed 4000 done']);
});

test('what is not understood is passed over, and an unknown channel refused', async (t) => {
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

test('subscribing twice is subscribing once', async (t) => {
  const { client } = await connect(t);
  client.send('sub,room');
  client.send('sub,room');
  client.send('msg,room,x');
  assert.equal(await client.next(), 'msg,room,welcome');
  assert.equal(await client.next(), 'msg,room,x');
});

test('a client that comes and goes has one onOpen under way at the most', async (t) => {
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

test('a channel is a connection like any other', async (t) => {
  const seen: unknown[] = [];
  class Curious extends SockJSConnection {
    override onOpen(): void {
      seen.push(this.transport, this.info.path, this.isClosed, this.bufferedBytes, this.id.length);
      assert.throws(() => this.send(new Uint8Array(1)), /A channel carries strings only/);
      this.send('ready');
    }
  }
  const { client } = await connect(t, { echo: Curious, room: Room });
  client.send('sub,echo');
  assert.equal(await client.next(), 'msg,echo,ready');
  assert.deepEqual(seen, ['rawwebsocket', '/echo/websocket', false, 0, 36]);
});

test('a channel that was asked to wait is told to go on', async (t) => {
  const answers: unknown[] = [];
  class Pouring extends SockJSConnection {
    override onOpen(): void {
      answers.push(this.send('x'.repeat(70_000)));
    }
    override onDrain(): void {
      answers.push('drained');
      this.send('done');
    }
  }
  const { client } = await connect(t, { echo: Pouring, room: Room });
  client.send('sub,echo');
  assert.equal((await client.next()).length, 'msg,echo,'.length + 70_000);
  assert.equal(await client.next(), 'msg,echo,done');
  assert.deepEqual(answers, [false, 'drained']);
});

test('names may hold commas and any other character', async (t) => {
  const { client } = await connect(t, { 'a,b é': Echo, room: Room });
  client.send(`sub,${encodeURIComponent('a,b é')}`);
  client.send(`msg,${encodeURIComponent('a,b é')},x`);
  assert.equal(await client.next(), `msg,${encodeURIComponent('a,b é')},x`);
});

test('what cannot be a channel is refused when it is declared', () => {
  assert.throws(() => multiplex({}), /at least one channel/);
  assert.throws(() => multiplex({ '': Echo }), /needs a name/);
});

/** The next event of this kind. */
async function event(channel: Channel, kind: 'open' | 'message' | 'close'): Promise<Event> {
  return new Promise((resolve) => {
    channel.addEventListener(kind, resolve, { once: true });
  });
}

for (const transport of ['websocket', 'xhr-polling'] as const) {
  test(`the browser module and the server understand each other over ${transport}`, async (t) => {
    const { url } = await serve(t, {}, multiplex({ 'echo, echo': Echo, room: Room }));
    const socket = new SockJS(url, undefined, { transports: transport });
    t.after(() => socket.close());
    const client = new MultiplexClient(socket);
    const echo = client.channel('echo, echo');
    const room = client.channel('room');
    assert.equal(client.channel('room'), room);
    assert.throws(() => echo.send('too early'), /not open yet/);
    const welcome = event(room, 'message');
    await event(echo, 'open');
    assert.equal(echo.readyState, 1);
    assert.equal(Reflect.get(await welcome, 'data'), 'welcome');
    echo.send('a,b');
    assert.equal(Reflect.get(await event(echo, 'message'), 'data'), 'a,b');
    const told: unknown[] = [];
    room.onclose = ({ code, reason, wasClean }) => told.push(code, reason, wasClean);
    room.send('leave');
    await event(room, 'close');
    assert.deepEqual(told, [4001, 'as you, wish', true]);
    assert.equal(room.readyState, 3);
    const again = client.channel('room');
    assert.notEqual(again, room);
    await event(again, 'message');
    again.close();
    assert.equal(again.readyState, 3);
    const gone = event(echo, 'close');
    socket.close();
    await gone;
  });
}

test('a channel that the server does not know is closed for the browser', async (t) => {
  const { url } = await serve(t, {}, multiplex({ room: Room }));
  const socket = new SockJS(url, undefined, { transports: 'websocket' });
  t.after(() => socket.close());
  const closed = await event(new MultiplexClient(socket).channel('other'), 'close');
  assert.equal(Reflect.get(closed, 'code'), 1008);
});

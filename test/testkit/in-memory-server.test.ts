import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { InMemoryServer } from '../../testkit/in-memory-server.ts';
import { HandshakeError } from '../../testkit/raw-websocket.ts';
import { until } from '../../testkit/until.ts';

class Chat extends SockJSConnection {
  static readonly members = new Set<Chat>();
  readonly ends: string[] = [];

  get room(): string {
    return this.info.getArgument('room') ?? 'lobby';
  }

  override onOpen(): boolean {
    if (this.room === 'closed') return false;
    Chat.members.add(this);
    return true;
  }

  override onMessage(message: string): void {
    if (message === 'bye') this.close(3000, 'Bye');
    else this.broadcast(Chat.members, `${this.room}: ${message}`);
  }

  override onBinary(data: Uint8Array): void {
    this.send(data);
  }

  override onClose(code: number, reason: string): void {
    this.ends.push(`${code} ${reason}`);
    Chat.members.delete(this);
  }
}

test('a connection class is tested without a socket', async () => {
  const server = new InMemoryServer(Chat);
  const ada = await server.connect({ query: 'room=4' });
  assert.ok(ada.connection instanceof Chat);
  assert.equal(ada.connection.room, '4');
  const ben = await server.connect();
  ada.send('one', 'two');
  for (const client of [ada, ben]) {
    assert.deepEqual(await client.messages.take(2), ['4: one', '4: two']);
  }
  ben.send('bye');
  assert.deepEqual(await ben.closed(), { code: 3000, reason: 'Bye' });
  await assert.rejects(ben.next(), /has closed: 3000 Bye/);
  assert.deepEqual(ben.connection.ends, ['3000 Bye']);
  ada.close();
  await ada.closed();
  await until(() => ada.connection.ends.length > 0, 'onClose');
  assert.deepEqual(ada.connection.ends, ['1000 ']);
  assert.equal(Chat.members.size, 0);
  await server.close();
});

test('clients that connect at once get their own connections', async () => {
  const server = new InMemoryServer(Chat);
  const rooms = ['1', '2', '3', '4'];
  const clients = await Promise.all(rooms.map((room) => server.connect({ query: `room=${room}` })));
  assert.deepEqual(
    clients.map(({ connection }) => connection.room),
    rooms,
  );
  await server.close();
});

test('an abort is a close without a close frame', async () => {
  const server = new InMemoryServer(Chat);
  const client = await server.connect();
  client.abort();
  await until(() => client.connection.ends.length > 0, 'onClose');
  assert.match(client.connection.ends[0] ?? '', /^(1002|1006) /);
  await server.close();
});

test('a refusal by onOpen is an error with its code', async () => {
  const server = new InMemoryServer(Chat);
  await assert.rejects(server.connect({ query: 'room=closed' }), /refused: 1008 Refused/);
  await server.close();
});

test('a refusal by a setting is an error with its status', async () => {
  const server = new InMemoryServer(Chat, { maxSessions: 1 });
  await server.connect();
  await assert.rejects(server.connect(), (error) => {
    assert.ok(error instanceof HandshakeError);
    assert.equal(error.status, 503);
    return true;
  });
  assert.match(server.logger.take()[0]?.line ?? '', /maxSessions/);
  await server.close();
});

test('headers and the address reach the connection', async () => {
  class Telling extends SockJSConnection {
    override onOpen(): void {
      this.send(`${this.info.ip} ${this.info.getHeader('user-agent')}`);
    }
  }
  const server = new InMemoryServer(Telling);
  const headers = [['User-Agent', 'test']] as const;
  const client = await server.connect({ address: '192.0.2.1', headers });
  assert.equal(await client.next(), '192.0.2.1 test');
  await server.close();
});

test('a raw client speaks without SockJS frames, and sends binary data', async () => {
  const server = new InMemoryServer(Chat);
  const client = await server.connect({ isRaw: true });
  client.send('text', Buffer.from([1, 2]));
  assert.equal(await client.next(), 'lobby: text');
  assert.deepEqual(await client.next(), Buffer.from([1, 2]));
  await server.close();
});

test('large messages pass in both directions', async () => {
  class Echo extends SockJSConnection {
    override onMessage(message: string): void {
      this.send(message);
    }
  }
  const server = new InMemoryServer(Echo, { maxMessageBytes: 2_000_000 });
  const client = await server.connect();
  const large = 'x'.repeat(1_000_000);
  client.send(large);
  assert.equal(await client.next(), large);
  await server.close();
});

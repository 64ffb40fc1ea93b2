/** The test kit, as an application uses it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, mock, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type ConnectionInfo,
  MemoryHub,
  Refusal,
  SockJSConnection,
  SockJSRouter,
  createCluster,
  memoryBackplane,
} from '../../src/index.ts';
import { multiplex } from '../../src/extras/multiplex.ts';
import {
  type MemoryClient,
  OpenError,
  listenForTest,
  openClient,
  openConnection,
  testClient,
  virtualTime,
} from '../../src/extras/testing.ts';
import { TRANSPORT_NAMES } from '../../src/base/transport-name.ts';
import { RecordingLogger } from '../../testkit/logger.ts';

class Echo extends SockJSConnection {
  readonly events: string[] = [];

  override onOpen(info: ConnectionInfo): boolean {
    this.events.push('open');
    return info.getArgument('refuse') === undefined;
  }

  override onMessage(message: string): void {
    this.send(message);
  }

  override onBinary(data: Uint8Array): void {
    this.send(data);
  }

  override onDrain(): void {
    this.events.push('drain');
  }

  override onClose(code: number, reason: string): void {
    this.events.push(`close ${code} ${reason}`);
  }
}

const HTTP_TRANSPORTS = TRANSPORT_NAMES.filter((name) => !name.endsWith('websocket'));

/** Every character that an encoding of a transport treats specially, and lone surrogates. */
const SPECIAL_TEXT = '\u0000\r\n\u2028\u2029%41</script>"\\\ud800é😀';

describe('a client in memory', () => {
  for (const transport of TRANSPORT_NAMES) {
    test(`over ${transport} sends, reads and closes`, async () => {
      const router = new SockJSRouter(Echo, '/echo');
      const client = await openClient(router, { transport });
      assert.ok(client.connection instanceof Echo);
      assert.equal(client.router, router);
      assert.equal(client.connection.transport, transport);
      for (const text of ['one', '', SPECIAL_TEXT, 'x'.repeat(200_000)]) {
        await client.send(text);
        // Without frames, a WebSocket carries UTF-8, which has no lone surrogates.
        const expected = transport === 'rawwebsocket' ? text.toWellFormed() : text;
        assert.equal(await client.next(), expected);
      }
      assert.equal(client.received.length, 4);
      client.connection.close(4001, 'Enough');
      assert.deepEqual(await client.closed, { code: 4001, reason: 'Enough' });
      await nextTurn();
      assert.equal(client.connection.events.at(-1), 'close 4001 Enough');
    });

    test(`over ${transport} is refused with a status by a setting, and with a code by onOpen`, async () => {
      const router = new SockJSRouter(Echo, '/echo', {
        authorize: (request) =>
          request.getHeader('authorization') === 'secret' ? 'Ada' : new Refusal(401, 'Log in.'),
      });
      await assert.rejects(openClient(router, { transport }), (error) => {
        assert.ok(error instanceof OpenError);
        assert.equal(error.message, 'The client was refused with 401: Log in.');
        assert.deepEqual([error.status, error.code, error.reason], [401, undefined, 'Log in.']);
        return true;
      });
      const headers = { Authorization: 'secret' };
      const query = 'refuse=1';
      await assert.rejects(openClient(router, { transport, headers, query }), {
        name: 'OpenError',
        message: 'The connection was not accepted, and has closed with 1008 Refused',
        status: undefined,
        code: 1008,
        reason: 'Refused',
      });
      const client = await openClient(router, { transport, headers });
      assert.equal(client.connection.user, 'Ada');
      await client.close();
    });
  }

  for (const transport of HTTP_TRANSPORTS) {
    test(`over ${transport} that closes ends its request, so that onClose gets 1002`, async () => {
      const client = await openConnection(Echo, { transport });
      await client.close(1000, 'Done');
      assert.deepEqual(await client.closed, { code: 1000, reason: 'Done' });
      assert.deepEqual(client.connection.events, ['open', 'close 1002 Connection interrupted']);
    });
  }

  for (const transport of ['websocket', 'rawwebsocket'] as const) {
    test(`over ${transport} closes with its code, or without one`, async () => {
      const router = new SockJSRouter(Echo, '/echo');
      const polite = await openClient(router, { transport });
      await polite.close(4002, 'Done');
      assert.deepEqual(await polite.closed, { code: 4002, reason: 'Done' });
      assert.deepEqual(polite.connection.events, ['open', 'close 4002 Done']);
      const lost = await openClient(router, { transport });
      await lost.abort();
      assert.equal((await lost.closed).code, 1006);
      assert.deepEqual(lost.connection.events, ['open', 'close 1006 ']);
    });
  }

  test('that is not closed lets the process end, unless `closed` is awaited', async () => {
    const program = fileURLToPath(new URL('unclosed-clients.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 60_000 });
    assert.equal(stdout, '0 timers\nclosed with 1012\n');
  });

  test('is closed by `await using`', async () => {
    let connection: Echo | undefined;
    {
      await using client = await openConnection(Echo);
      ({ connection } = client);
      assert.equal(connection.isClosed, false);
    }
    assert.deepEqual(connection.events, ['open', 'close 1000 ']);
  });

  test('has the address, headers, query and scheme of its options', async () => {
    const client = await openConnection(Echo, {
      ip: '192.0.2.1',
      headers: { Cookie: 'token=secret', 'X-One': '1' },
      query: { room: 'a b', name: 'Ada' },
      secure: true,
    });
    const { info } = client.connection;
    assert.equal(info.ip, '192.0.2.1');
    assert.equal(info.getCookie('token'), 'secret');
    assert.equal(info.getHeader('x-one'), '1');
    assert.equal(info.getHeader('host'), 'localhost');
    assert.equal(info.getArgument('room'), 'a b');
    assert.equal(info.getArgument('name'), 'Ada');
    assert.equal(info.secure, true);
    assert.equal(info.path, '/test/000');
    await client.close();
  });

  test('of a page of another origin is refused by the setting allowedOrigins', async () => {
    const router = new SockJSRouter(Echo, '/echo', {
      allowedOrigins: ['https://good.example'],
      logger: false,
    });
    const headers = { Origin: 'https://bad.example' };
    await assert.rejects(openClient(router, { headers }), { status: 403 });
    await using client = await openClient(router, { headers: { Origin: 'https://good.example' } });
    assert.equal(client.connection.isClosed, false);
  });

  test('gets binary messages on a WebSocket without frames', async () => {
    const client = await openConnection(Echo);
    const raw = await openClient(client.router, { transport: 'rawwebsocket' });
    const bytes = Uint8Array.of(1, 2, 3);
    await raw.send(bytes);
    assert.deepEqual(await raw.next(), bytes);
    await raw.close();
    await client.close();
  });

  test('that sends bytes with SockJS frames is closed with 1003', async () => {
    const client = await openConnection(Echo);
    // @ts-expect-error -- a client in JavaScript may send bytes without `rawwebsocket`
    await client.send(Uint8Array.of(1));
    assert.equal((await client.closed).code, 1003);
  });

  test('that sends too long a message is closed with 1009, or refused with 413', async () => {
    const router = new SockJSRouter(Echo, '/echo', { maxMessageBytes: 10 });
    const socket = await openClient(router);
    await socket.send('x'.repeat(20));
    assert.deepEqual(await socket.closed, { code: 1009, reason: 'Message too big' });
    const polling = await openClient(router, { transport: 'xhr' });
    await assert.rejects(polling.send('x'.repeat(20)), /refused the message with 413/);
    await polling.send('short');
    assert.equal(await polling.next(), 'short');
    await polling.close();
  });

  test('that is opened before onOpen has settled waits for it', async () => {
    let accept: ((isAccepted: boolean) => void) | undefined;
    class Slow extends SockJSConnection {
      override onOpen(): Promise<boolean> {
        return new Promise((resolve) => {
          accept = resolve;
        });
      }
    }
    const router = new SockJSRouter(Slow, '/slow');
    const opening = openClient(router);
    await nextTurn();
    assert.equal([...router.connections].length, 0);
    accept?.(true);
    const client = await opening;
    assert.deepEqual([...router.connections], [client.connection]);
    await client.close();
  });

  test('that onOpen closes is not accepted, and the error has what it was sent', async () => {
    class Strict extends SockJSConnection {
      override onOpen(): void {
        this.send('bye');
        this.close(4001, 'Please log in.');
      }
    }
    await assert.rejects(openConnection(Strict), {
      code: 4001,
      reason: 'Please log in.',
      received: ['bye'],
    });
  });

  test('is refused with 500 if the constructor throws', async () => {
    const logger = new RecordingLogger();
    class Broken extends SockJSConnection {
      constructor() {
        super();
        throw new Error('No database');
      }

      override onMessage(): void {}
    }
    const settings = { logger };
    for (const transport of ['websocket', 'xhr'] as const) {
      await assert.rejects(openConnection(Broken, { settings, transport }), {
        status: 500,
        message: /The log has the error/,
      });
    }
    assert.match(logger.take()[0]?.line ?? '', /No database/);
  });

  test('is refused with 503 by a router that is closed', async () => {
    const router = new SockJSRouter(Echo, '/echo');
    const client = await openClient(router);
    await router.close();
    assert.deepEqual(await client.closed, { code: 1001, reason: 'Server is going away' });
    await assert.rejects(openClient(router), { status: 503 });
  });

  test('of many that open at once each has its own connection', async () => {
    const router = new SockJSRouter(Echo, '/echo', {
      authorize: async () => {
        await nextTurn();
        return true;
      },
    });
    const names = Array.from({ length: 20 }, (_, index) => String(index));
    const clients = await Promise.all(
      names.map((name, index) =>
        openClient(router, { query: { name }, transport: index % 2 === 0 ? 'xhr' : 'websocket' }),
      ),
    );
    assert.deepEqual(
      clients.map(({ connection }) => connection.info.getArgument('name')),
      names,
    );
    await Promise.all(clients.map((client) => client.close()));
  });

  test('opens in a cluster, and groups send to the clients of other nodes', async () => {
    class Member extends SockJSConnection {
      override async onOpen(): Promise<void> {
        await this.join('all');
      }
    }
    const hub = new MemoryHub();
    const nodes = [0, 1].map(() =>
      createCluster({ backplane: memoryBackplane(hub), listen: { host: '127.0.0.1' } }),
    );
    const routers = nodes.map((cluster) => new SockJSRouter(Member, '/room', { cluster }));
    await Promise.all(nodes.map((node) => node.ready()));
    const transports = ['websocket', 'xhr'] as const;
    const clients = await Promise.all(
      routers.map((router, index) =>
        openClient(router, { transport: transports[index] ?? 'websocket', timeout: 10_000 }),
      ),
    );
    routers[0]?.group('all').broadcast('hello');
    assert.deepEqual(await Promise.all(clients.map((client) => client.next())), ['hello', 'hello']);
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(nodes.map((node) => node.close()));
  });
});

describe('send', () => {
  test('resolves when the handler has settled, and all clients have what it has sent', async () => {
    const log: string[] = [];
    class Slow extends SockJSConnection {
      override async onMessage(message: string): Promise<void> {
        for (let turn = 0; turn < 10; turn += 1) await nextTurn();
        log.push(message);
        router.broadcast(message);
      }
    }
    const router = new SockJSRouter(Slow, '/slow');
    const [ada, ben] = await Promise.all([openClient(router), openClient(router)]);
    await ada.send('one');
    assert.deepEqual(log, ['one']);
    assert.deepEqual([ada.received, ben.received], [['one'], ['one']]);
    await Promise.all([ada.close(), ben.close()]);
  });

  test('waits only for the handler of its own message', async () => {
    class Subscribing extends SockJSConnection {
      override onMessage(message: string): Promise<void> | void {
        if (message === 'forever') return new Promise(() => {});
        this.send(message);
        return undefined;
      }
    }
    for (const transport of ['websocket', 'xhr'] as const) {
      const client = await openConnection(Subscribing, { transport });
      void client.send('forever');
      await client.send('hello');
      assert.deepEqual(client.received, ['hello']);
      await client.close();
    }
  });

  test('resolves after a handler that throws, which closes the connection with 1011', async () => {
    for (const onMessage of [
      () => {
        throw new Error('Oops');
      },
      () => Promise.reject(new Error('Oops')),
    ]) {
      const logger = new RecordingLogger();
      class Broken extends SockJSConnection {
        override onMessage = onMessage;
      }
      const client = await openConnection(Broken, { settings: { logger } });
      const next = client.next();
      await client.send('hello');
      assert.deepEqual(await client.closed, { code: 1011, reason: 'Internal error' });
      await assert.rejects(next, /closed with 1011 Internal error\. A handler has thrown; the log/);
      assert.match(logger.take()[0]?.line ?? '', /Broken\.onMessage failed.*Oops/s);
    }
  });

  test('resolves for messages that the connection drops because it closes', async () => {
    class Closing extends SockJSConnection {
      override onMessage(): void {
        this.close(4000, 'Bye');
      }
    }
    for (const transport of ['websocket', 'xhr'] as const) {
      const client = await openConnection(Closing, { transport });
      await Promise.all([client.send('one'), client.send('two')]);
      assert.deepEqual(await client.closed, { code: 4000, reason: 'Bye' });
    }
  });

  test('waits while maxConcurrentHandlers are pending, and keeps the order', async () => {
    class Ordered extends SockJSConnection {
      override async onMessage(message: string): Promise<void> {
        for (let turn = 0; turn < Number(message); turn += 1) await nextTurn();
        this.send(message);
      }
    }
    for (const transport of ['websocket', 'xhr'] as const) {
      const settings = { maxConcurrentHandlers: 1 };
      const client = await openConnection(Ordered, { settings, transport });
      await Promise.all(['9', '5', '1'].map((text) => client.send(text)));
      assert.deepEqual(client.received, ['9', '5', '1']);
      await client.close();
    }
  });

  test('rejects after the connection has closed', async () => {
    const client = await openConnection(Echo);
    await client.close();
    await assert.rejects(client.send('late'), /after the connection has closed with 1000\./);
  });

  test('rejects values that are not text', async () => {
    const client = await openConnection(Echo, { transport: 'xhr' });
    // @ts-expect-error -- a test in JavaScript may send what is not a string
    await assert.rejects(client.send({ text: 'hi' }), {
      code: 'ERR_MESSAGE_TYPE',
      message: /takes a string, not an object\. Use JSON\.stringify/,
    });
    // @ts-expect-error -- a test in JavaScript may send what is not a string
    await assert.rejects(client.send(Uint8Array.of(1)), /takes a string, not bytes/);
    await client.close();
  });

  test('passes messages to the channels of multiplex', async () => {
    const router = new SockJSRouter(multiplex({ echo: Echo }), '/all');
    const client = await openClient(router);
    await client.send('sub,echo');
    await client.send('msg,echo,hello');
    assert.deepEqual(client.received, ['msg,echo,hello']);
    await client.close();
  });
});

describe('next', () => {
  test('returns messages once, in order, to calls before and after them', async () => {
    const client = await openConnection(Echo);
    const early = [client.next(), client.next()];
    client.connection.send('1');
    client.connection.send('2');
    client.connection.send('3');
    assert.deepEqual(await Promise.all([...early, client.next()]), ['1', '2', '3']);
    assert.deepEqual(client.received, ['1', '2', '3']);
    await client.close();
  });

  test('rejects after its timeout with what was received before', async () => {
    const client = await openConnection(Echo, { timeout: 5 });
    await assert.rejects(client.next(), /no message within 5 ms\. None was received before/);
    await client.send('hello');
    await client.next();
    await assert.rejects(
      client.next({ timeout: 6 }),
      /no message within 6 ms\. Received before: 1, the last one was "hello"\./,
    );
    await client.send('later');
    assert.equal(await client.next(), 'later');
    await client.close();
  });

  test('returns the messages before a close, and then rejects with the code', async () => {
    const client = await openConnection(Echo);
    client.connection.send('last');
    client.connection.close(4000, 'Bye');
    await client.closed;
    assert.equal(await client.next(), 'last');
    await assert.rejects(client.next(), /closed with 4000 Bye\. Received before: 1/);
  });
});

describe('a client that is paused', () => {
  for (const transport of ['websocket', 'rawwebsocket', 'xhr_streaming', 'eventsource'] as const) {
    test(`over ${transport} is slow: send returns false, and onDrain follows`, async () => {
      const client = await openConnection(Echo, { transport });
      client.pause();
      assert.equal(client.connection.send('one'), false);
      const drained = client.connection.drained();
      await nextTurn();
      assert.deepEqual(client.received, []);
      assert.ok(client.connection.bufferedBytes > 0);
      await client.resume();
      assert.equal(await drained, true);
      assert.deepEqual(client.received, ['one']);
      assert.deepEqual(client.connection.events, ['open', 'drain']);
      assert.equal(client.connection.send('two'), true);
      assert.equal(await client.next(), 'one');
      assert.equal(await client.next(), 'two');
      await client.close();
    });

    test(`over ${transport} is closed with 1013 over maxBufferedBytes`, async () => {
      const settings = { maxBufferedBytes: 20_000, highWaterMark: 10_000, logger: false } as const;
      const client = await openConnection(Echo, { transport, settings });
      client.pause();
      for (let count = 0; count < 40; count += 1) {
        client.connection.send('x'.repeat(1000));
        await nextTurn();
      }
      assert.deepEqual(client.connection.events, ['open', 'close 1013 Client does not keep up']);
      await client.resume();
      assert.equal((await client.closed).code, 1013);
    });
  }

  test('over xhr sends no poll, and reads on when it resumes', async () => {
    const client = await openConnection(Echo, { transport: 'xhr' });
    client.pause();
    client.connection.send('one');
    await nextTurn();
    client.connection.send('two');
    await nextTurn();
    assert.deepEqual(client.received, ['one']);
    await client.resume();
    assert.deepEqual(client.received, ['one', 'two']);
    await client.close();
  });

  test('sees a close of the server when it resumes', async () => {
    const client = await openConnection(Echo);
    client.pause();
    client.connection.close(4000, 'Bye');
    await nextTurn();
    assert.deepEqual(client.connection.events, ['open', 'close 4000 Bye']);
    await client.resume();
    assert.deepEqual(await client.closed, { code: 4000, reason: 'Bye' });
  });
});

describe('openConnection', () => {
  interface User {
    readonly name: string;
  }

  class Account extends SockJSConnection<User> {
    override onMessage(message: string): void {
      this.send(`${this.user.name}: ${message}`);
    }
  }

  test('opens a class with a user', async () => {
    await using client = await openConnection(Account, { user: { name: 'Ada' } });
    await client.send('hi');
    assert.equal(await client.next(), 'Ada: hi');
  });

  test('opens the connection of a factory', async () => {
    const create = ({ info }: { info: ConnectionInfo }): Echo => {
      const connection = new Echo();
      connection.events.push(info.ip);
      return connection;
    };
    await using client = await openConnection(create);
    assert.deepEqual(client.connection.events, ['127.0.0.1', 'open']);
  });

  test('applies settings, and opens more clients on its router', async () => {
    await using client = await openConnection(Echo, {
      settings: { maxSessions: 1, logger: false },
    });
    await assert.rejects(openClient(client.router), { status: 503 });
  });

  test('rejects a user together with authorize', async () => {
    const authorize = (): User => ({ name: 'Ben' });
    await assert.rejects(
      openConnection(Account, { user: { name: 'Ada' }, settings: { authorize } }),
      { code: 'ERR_SETTING', message: /a user, or settings with authorize, not both/ },
    );
  });

  test('requires a user of a class with users at compile time', async () => {
    // @ts-expect-error -- this line must not compile, since the class has a `User`
    await using client = await openConnection(Account);
    assert.equal(client.connection.user, undefined);
  });
});

describe('mistakes', () => {
  const router = new SockJSRouter(Echo, '/echo');
  // Values that the compiler rejects.
  const wrong = (value: unknown): never => value as never;
  const WRONG: readonly (readonly [title: string, open: () => Promise<unknown>, error: RegExp])[] =
    [
      [
        'a class for the router',
        () => openClient(wrong(Echo)),
        /a connection class, use openConnection/,
      ],
      ['a router for the class', () => openConnection(wrong(router)), /a class that extends/],
      ['a class for the server', () => listenForTest(wrong(Echo)), /takes a SockJSRouter, not a/],
      ['a text for the options', () => openClient(router, wrong('/echo')), /must be an object/],
      ['a misspelled option', () => openClient(router, wrong({ header: {} })), /mean 'headers'/],
      [
        'an unknown transport',
        () => openClient(router, wrong({ transport: 'ws' })),
        /of websocket, /,
      ],
      ['a query with ?', () => openClient(router, { query: '?room=1' }), /must be a text such/],
      ['headers of numbers', () => openClient(router, wrong({ headers: { a: 1 } })), /of strings/],
      ['headers in a Map', () => openClient(router, wrong({ headers: new Map() })), /of strings/],
      ['an address of a number', () => openClient(router, wrong({ ip: 127 })), /address as text/],
      ['a text for secure', () => openClient(router, wrong({ secure: 'yes' })), /true or false/],
      ['a timeout of 0', () => openClient(router, { timeout: 0 }), /milliseconds above 0/],
      [
        'settings that are no object',
        () => openConnection(Echo, wrong({ settings: 1 })),
        /settings/,
      ],
      [
        'a wrong setting',
        () => openConnection(Echo, wrong({ settings: { a: 1 } })),
        /no setting 'a'/,
      ],
    ];
  for (const [title, open, error] of WRONG) {
    test(`${title}: the error says what is allowed`, () => assert.rejects(open(), error));
  }

  test('a close code that no client may send is an error', async () => {
    const client = await openConnection(Echo);
    await assert.rejects(client.close(1006), { code: 'ERR_CLOSE_ARGUMENT' });
    await client.close();
  });
});

describe('virtual time', () => {
  test('heartbeats are sent after heartbeatDelay', async (t) => {
    const time = virtualTime(t.mock);
    for (const transport of TRANSPORT_NAMES) {
      const client = await openConnection(Echo, { transport });
      await time.advance(24_000);
      assert.equal(client.heartbeats, 0, transport);
      await time.advance(2000);
      assert.equal(client.heartbeats, 1, transport);
      await time.advance(60_000);
      assert.equal(client.heartbeats, 3, transport);
      assert.equal(client.connection.isClosed, false);
      await client.close();
    }
  });

  test('a polling client that stays away is missed after disconnectDelay', async (t) => {
    const time = virtualTime(t.mock);
    const client = await openConnection(Echo, { transport: 'xhr' });
    client.pause();
    client.connection.send('unread');
    await time.advance(4000);
    assert.equal(client.connection.isClosed, false);
    await time.advance(3000);
    assert.deepEqual(client.connection.events, ['open', 'close 1006 Client is gone']);
    await client.close();
  });

  test('a paused client can close, and is then missed', async (t) => {
    const time = virtualTime(t.mock);
    const client = await openConnection(Echo, { transport: 'xhr' });
    client.pause();
    client.connection.send('unread');
    await nextTurn();
    await client.close();
    assert.deepEqual(client.connection.events, ['open']);
    await time.advance(7000);
    assert.deepEqual(client.connection.events, ['open', 'close 1006 Client is gone']);
  });

  for (const transport of ['websocket', 'xhr_streaming'] as const) {
    test(`a client of ${transport} that does not read is closed after writeTimeout`, async (t) => {
      const time = virtualTime(t.mock);
      const settings = { writeTimeout: 20_000 };
      const client = await openConnection(Echo, { transport, settings });
      client.pause();
      await time.advance(19_000);
      client.pause();
      assert.equal(client.connection.isClosed, false);
      await time.advance(2000);
      assert.deepEqual(client.connection.events, ['open', 'close 1013 Client stopped reading']);
      assert.equal((await client.closed).code, 1006);
    });
  }

  test('onOpen that does not settle is closed after openTimeout', async (t) => {
    class Stuck extends SockJSConnection {
      override onOpen(): Promise<boolean> {
        return new Promise(() => {});
      }
    }
    const time = virtualTime(t.mock);
    const settings = { openTimeout: 30_000, logger: false } as const;
    const opening = openConnection(Stuck, { settings });
    const rejected = assert.rejects(opening, { code: 1011, reason: 'Opening took too long' });
    await time.advance(31_000);
    await rejected;
  });

  test('authorize that does not settle is refused after authorizeTimeout', async (t) => {
    const time = virtualTime(t.mock);
    const authorize = (): Promise<boolean> => new Promise(() => {});
    const settings = { authorizeTimeout: 10_000, authorize, logger: false } as const;
    const rejected = assert.rejects(openConnection(Echo, { settings }), { status: 503 });
    await time.advance(11_000);
    await rejected;
  });

  test('timers and dates of the application follow', async (t) => {
    const time = virtualTime(t.mock);
    const start = Date.now();
    const times: number[] = [];
    class Clock extends SockJSConnection {
      override onOpen(): void {
        const timer = setInterval(() => times.push(Date.now() - start), 1000);
        this.stop = () => clearInterval(timer);
      }

      stop = (): void => {};

      override onClose(): void {
        this.stop();
      }
    }
    const client = await openConnection(Clock);
    await time.advance(3000);
    assert.deepEqual(times, [1000, 2000, 3000]);
    await client.close();
  });

  test('the timeout of next is one of real time', async (t) => {
    virtualTime(t.mock);
    const client = await openConnection(Echo);
    await assert.rejects(client.next({ timeout: 5 }), /no message within 5 ms/);
    await client.close();
  });

  test('ends with reset() of mock', async () => {
    const time = virtualTime(mock);
    const start = performance.now();
    try {
      await time.advance(60_000);
      assert.equal(performance.now(), start + 60_000);
    } finally {
      mock.reset();
    }
    assert.ok(performance.now() < start + 60_000);
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  });
});

describe('over real sockets', () => {
  for (const transport of ['websocket', 'xhr'] as const) {
    test(`testClient over ${transport} closes the router and the server at the end`, async () => {
      const router = new SockJSRouter(Echo, '/echo');
      const client = await testClient(router, { transport, query: 'room=1' });
      const [connection] = router.connections;
      assert.equal(connection?.info.getArgument('room'), '1');
      await client.send('hello');
      await client.send(SPECIAL_TEXT);
      assert.equal(await client.next(), 'hello');
      assert.equal(await client.next(), SPECIAL_TEXT);
      await client.close(4000, 'Done');
      assert.deepEqual(await client.closed, { code: 4000, reason: 'Done' });
      await assert.rejects(client.send('late'), /after the connection has closed with 4000 Done/);
      assert.throws(() => router.listen(0), { code: 'ERR_CLOSED' });
    });

    test(`clients over ${transport} get close frames, and the close of their server`, async () => {
      await using server = await listenForTest(new SockJSRouter(Echo, '/echo'));
      const [one, two] = await Promise.all([
        server.openClient({ transport }),
        server.openClient({ transport, headers: { 'X-Name': 'two' } }),
      ]);
      assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+\/echo$/);
      assert.equal(await (await fetch(server.url)).text(), 'Welcome to SockJS!\n');
      await one.close();
      await server.close();
      assert.deepEqual(await two.closed, { code: 1001, reason: 'Server is going away' });
    });

    test(`headers reach authorize over ${transport}, and a refusal is an error`, async () => {
      const router = new SockJSRouter(Echo, '/echo', {
        authorize: ({ headers }) => headers['authorization'] === 'secret',
      });
      await using server = await listenForTest(router);
      const status = transport === 'xhr' ? 403 : undefined;
      await assert.rejects(server.openClient({ transport }), { name: 'OpenError', status });
      const headers = { authorization: 'secret' };
      const client = await server.openClient({ transport, headers });
      await client.send('hello');
      assert.equal(await client.next(), 'hello');
      await client.close();
    });
  }

  test('a refused testClient closes its server', async () => {
    const router = new SockJSRouter(Echo, '/echo', { authorize: () => false });
    await assert.rejects(testClient(router, { transport: 'xhr' }), { status: 403 });
    assert.throws(() => router.listen(0), { code: 'ERR_CLOSED' });
  });

  test('a client of xhr that the server refuses later is closed with 1006', async () => {
    const router = new SockJSRouter(Echo, '/echo', { maxMessageBytes: 10 });
    await using server = await listenForTest(router);
    const client = await server.openClient({ transport: 'xhr' });
    await assert.rejects(client.send('x'.repeat(20)), /refused the message with 413/);
    await client.close();
  });

  test('a wrong option is an error, and the server is closed', async () => {
    const router = new SockJSRouter(Echo, '/echo');
    // @ts-expect-error -- a test in JavaScript may name a transport that is only in memory
    await assert.rejects(testClient(router, { transport: 'jsonp' }), /must be websocket or xhr/);
    assert.throws(() => router.listen(0), { code: 'ERR_CLOSED' });
  });

  test('without a WebSocket, as in Node.js 20, the error names the alternative', async (t) => {
    t.mock.property(globalThis, 'WebSocket', undefined);
    const router = new SockJSRouter(Echo, '/echo');
    await assert.rejects(testClient(router), /Use Node\.js 22 or later, or \{ transport: 'xhr' \}/);
  });
});

test('presence and groups are those of the router', async () => {
  class Room extends SockJSConnection {
    override async onOpen(): Promise<void> {
      await this.join('lobby', { presence: { name: this.info.getArgument('name') } });
    }

    override onMessage(text: string): void {
      router.group('lobby').broadcast(text, { except: this });
    }
  }
  const router = new SockJSRouter(Room, '/room');
  const open = (name: string): Promise<MemoryClient<Room>> =>
    openClient(router, { query: { name } });
  const ada = await open('Ada');
  const ben = await open('Ben');
  await ada.send('hello');
  assert.deepEqual([ada.received, ben.received], [[], ['hello']]);
  const names = async (): Promise<unknown[]> =>
    (await router.group('lobby').presence()).map(({ presence }) => presence);
  assert.deepEqual(await names(), [{ name: 'Ada' }, { name: 'Ben' }]);
  await ben.close();
  assert.deepEqual(await names(), [{ name: 'Ada' }]);
  await ada.close();
});

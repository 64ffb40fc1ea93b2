/** `slowConsumer`, `maxBufferedBytes` and `maxTotalBufferedBytes`. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { PROCESS_MEMORY_BUDGET } from '../../src/base/memory-budget.ts';
import { type SockJSSettings, type SlowConsumer, SockJSConnection } from '../../src/index.ts';
import { TRANSPORTS, openRequest, parseMessages } from '../../testkit/transports.ts';
import { neverReadingClient } from '../../testkit/raw-http.ts';
import { poll, requestSession } from '../../testkit/sockjs-http.ts';
import { startRouter } from '../../testkit/server.ts';
import { testEach } from '../../testkit/node-test.ts';
import { until, within } from '../../testkit/until.ts';

/** Opens polling sessions that wait for their next poll. */
async function between(t: TestContext, settings: SockJSSettings, count = 1) {
  const running = await startRouter(t, settings);
  for (let index = 0; index < count; index += 1)
    assert.equal(await poll(running.port, `/echo/000/SECRET${index}`), 'o');
  const connections = [...running.router.connections];
  assert.equal(connections.length, count);
  return {
    ...running,
    connections,
    next: (index = 0) => poll(running.port, `/echo/000/SECRET${index}`),
  };
}

/** Returns the only element. */
function the<Item>(items: readonly Item[]): Item {
  assert.equal(items.length, 1);
  const [item] = items;
  assert.ok(item !== undefined);
  return item;
}

/** A message that counts 1000 bytes. */
const message = (index: number): string => String(index).padEnd(900);

/** Sends messages in turns of their own, as several handlers do. What one handler sends in a burst is not limited. */
async function sendInTurns(
  connection: SockJSConnection,
  count: number,
  afterEach: () => void = () => undefined,
): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    connection.send(message(index));
    await Promise.resolve();
    afterEach();
  }
}

test('drop-oldest: the newest messages stay in order, and dropped ones are counted', async (t) => {
  const settings = { maxBufferedBytes: 5000, slowConsumer: 'drop-oldest' } as const;
  const { connections, next, router } = await between(t, settings);
  const connection = the(connections);
  await sendInTurns(connection, 19, () => {
    assert.ok(connection.bufferedBytes <= 6000, `${connection.bufferedBytes} bytes wait`);
  });
  assert.deepEqual(parseMessages(await next()), [14, 15, 16, 17, 18].map(message));
  assert.equal(router.stats.dump().packetsDroppedTotal, 14);
  assert.equal(connection.isClosed, false);
});

test('drop-oldest: the newest message stays however long it is', async (t) => {
  const settings = { maxBufferedBytes: 5000, slowConsumer: 'drop-oldest' } as const;
  const { connections, next, router } = await between(t, settings);
  const large = 'x'.repeat(50_000);
  for (const text of ['a', 'b', large]) the(connections).send(text);
  await Promise.resolve();
  the(connections).send('c');
  assert.deepEqual(parseMessages(await next()), ['c']);
  assert.equal(router.stats.dump().packetsDroppedTotal, 3);
});

const STREAMS = TRANSPORTS.filter(({ name }) => name !== 'xhr' && name !== 'jsonp');

testEach(
  STREAMS,
  'drop-oldest: a client that does not read stays connected, and gets the newest messages',
  async (t, transport) => {
    class Flooding extends SockJSConnection {
      most = 0;
      isDone = false;

      override async onOpen(): Promise<void> {
        const text = 'x'.repeat(65_536);
        for (let count = 0; count < 500; count += 1) {
          this.send(text);
          this.most = Math.max(this.most, this.bufferedBytes);
          await new Promise(setImmediate);
        }
        this.send('the newest');
        this.isDone = true;
      }
    }
    const maxBufferedBytes = 300_000;
    const settings = {
      maxBufferedBytes,
      slowConsumer: 'drop-oldest',
      responseLimit: 1024 ** 3,
    } as const;
    const { port, router } = await startRouter(t, settings, Flooding);
    const { socket } = neverReadingClient(t, port, openRequest(transport));
    let tail = '';
    const got = new Promise<void>((resolve) => {
      socket.on('data', (data: Buffer) => {
        tail = (tail + data.toString('latin1')).slice(-1000);
        if (tail.includes('the newest')) resolve();
      });
    });
    socket.pause();
    const [connection] = await opened(router);
    assert.ok(connection instanceof Flooding);
    await until(() => connection.isDone, 'all is sent');
    assert.equal(connection.isClosed, false);
    assert.ok(connection.most <= maxBufferedBytes + 66_000, `${connection.most} bytes waited`);
    assert.ok(router.stats.dump().packetsDroppedTotal > 0);
    socket.resume();
    await within(got, 'the newest message');
  },
);

/** Waits until `onOpen` has settled: before that the router lists no connection. */
async function opened(router: { readonly connections: Iterable<SockJSConnection> }) {
  await until(() => [...router.connections].length > 0, 'onOpen has settled');
  return [...router.connections];
}

test('a function gets info, user, transport and buffered bytes', async (t) => {
  const told: Record<string, unknown>[] = [];
  const { connections } = await between(t, {
    maxBufferedBytes: 5000,
    authorize: () => 'alice',
    slowConsumer: ({ info, user, transport, bufferedBytes }) => {
      told.push({ ip: info.ip, path: info.path, user, transport, bufferedBytes });
      return 'close';
    },
  });
  await sendInTurns(the(connections), 7);
  assert.deepEqual(told, [
    { ip: '127.0.0.1', path: '/echo/000', user: 'alice', transport: 'xhr', bufferedBytes: 7000 },
  ]);
});

test('a function is not shown the session id', async (t) => {
  const clients: SlowConsumer[] = [];
  const { connections } = await between(t, {
    maxBufferedBytes: 5000,
    slowConsumer: (client) => {
      clients.push(client);
      return 'close';
    },
  });
  await sendInTurns(the(connections), 7);
  assert.doesNotMatch(JSON.stringify(the(clients)), /SECRET/);
});

for (const [answer, isClosed] of [
  ['close', true],
  ['drop-oldest', false],
] as const) {
  test(`a function that answers ${answer} is applied`, async (t) => {
    const { connections, next } = await between(t, {
      maxBufferedBytes: 5000,
      slowConsumer: () => answer,
    });
    await sendInTurns(the(connections), 7);
    assert.equal(the(connections).isClosed, isClosed);
    const frame = await next();
    if (isClosed) assert.equal(frame, 'c[1013,"Client does not keep up"]');
    else assert.equal(parseMessages(frame).length, 5);
  });
}

test('a function decides for each client', async (t) => {
  const { connections } = await between(t, {
    maxBufferedBytes: 5000,
    slowConsumer: ({ bufferedBytes }) => (bufferedBytes > 10_000 ? 'close' : 'drop-oldest'),
  });
  await sendInTurns(the(connections), 7);
  assert.equal(the(connections).isClosed, false);
  the(connections).send('x'.repeat(7000)); // A burst may be longer than the limit.
  await Promise.resolve();
  assert.equal(the(connections).isClosed, false);
  the(connections).send('one more');
  assert.equal(the(connections).isClosed, true);
});

test('a function that throws has its client closed, and is logged', async (t) => {
  const { connections, next, logger, router } = await between(t, {
    maxBufferedBytes: 5000,
    slowConsumer: () => {
      throw new Error('no idea');
    },
  });
  await sendInTurns(the(connections), 7);
  assert.equal(await next(), 'c[1013,"Client does not keep up"]');
  const entry = logger.take().find(({ level }) => level === 'error');
  assert.match(
    entry?.line ?? '',
    /^slowConsumer failed; its client is closed with 1013: Error: no idea/,
  );
  assert.equal(router.stats.dump().closed.slowConsumer, 1);
});

const CROWDED = {
  highWaterMark: 2000,
  maxBufferedBytes: 10_000,
  maxTotalBufferedBytes: 15_000,
  maxBufferedBytesPerAddress: 15_000,
};

test('beyond maxTotalBufferedBytes the client with the most keeps at most highWaterMark', async (t) => {
  const { connections, router } = await between(t, CROWDED, 3);
  const [first, second, third] = connections;
  assert.ok(first && second && third);
  await sendInTurns(first, 9);
  await sendInTurns(second, 6);
  assert.deepEqual([first.isClosed, second.isClosed], [false, false], 'all of it may wait');
  second.send(message(6));
  await until(() => first.isClosed, 'the first has the most');
  assert.equal(second.isClosed, false);
  await until(() => router.stats.dump().closed.slowConsumer === 1, 'it is counted');
  assert.equal(router.stats.dump().evictionsTotal, 1);
  // The buffer of the first is freed, so there is room for the third.
  await sendInTurns(third, 7);
  assert.deepEqual([second.isClosed, third.isClosed], [false, false]);
});

test('drop-oldest over maxTotalBufferedBytes: messages over highWaterMark are dropped', async (t) => {
  const { connections } = await between(t, { ...CROWDED, slowConsumer: 'drop-oldest' }, 2);
  const [first, second] = connections;
  assert.ok(first && second);
  await sendInTurns(first, 9);
  await sendInTurns(second, 8);
  assert.deepEqual([first.bufferedBytes, second.bufferedBytes], [2000, 8000]);
});

test('clients of one address share maxBufferedBytesPerAddress', async (t) => {
  const settings = { ...CROWDED, maxBufferedBytesPerAddress: 9000 };
  const { port, router, connections } = await between(t, settings, 2);
  const [first, second] = connections;
  assert.ok(first && second);
  const other = { port, localAddress: '127.0.0.2' };
  assert.equal(await poll(other, '/echo/000/OTHER'), 'o');
  const third = [...router.connections].at(-1);
  assert.ok(third);
  await sendInTurns(first, 5);
  await sendInTurns(second, 4);
  await sendInTurns(third, 6);
  assert.deepEqual([first.isClosed, second.isClosed], [false, false], 'the other does not count');
  second.send(message(4));
  await until(() => first.isClosed, 'the largest of the address');
  assert.deepEqual([second.isClosed, third.isClosed], [false, false]);
});

test('bytes buffered in one router count for all routers of the process', async (t) => {
  const one = await between(t, { maxBufferedBytes: 20_000, highWaterMark: 2000 });
  const other = await between(t, CROWDED);
  await sendInTurns(the(one.connections), 16);
  await sendInTurns(the(other.connections), 4);
  assert.deepEqual([the(one.connections).isClosed, the(other.connections).isClosed], [false, true]);
});

for (const [how, end] of [
  ['its client takes it', async (next: () => Promise<string>) => next()],
  [
    'its session ends',
    (_next: () => Promise<string>, connection: SockJSConnection) => connection.close(),
  ],
] as const) {
  test(`buffered bytes are no longer counted when ${how}`, async (t) => {
    const before = PROCESS_MEMORY_BUDGET.bytes;
    const { connections, next, router } = await between(t, { highWaterMark: 2000 });
    await sendInTurns(the(connections), 9);
    assert.equal(router.stats.dump().bufferedBytes, 9000);
    assert.equal(PROCESS_MEMORY_BUDGET.bytes, before + 9000);
    await end(next, the(connections));
    await until(() => router.stats.dump().bufferedBytes === 0, 'nothing waits');
    assert.equal(PROCESS_MEMORY_BUDGET.bytes, before);
  });
}

testEach(
  STREAMS,
  'one message may be longer than maxBufferedBytes, also the first of all',
  async (t, transport) => {
    const large = 'x'.repeat(100_000);
    class Sending extends SockJSConnection {
      override onOpen(): void {
        this.send(large);
      }
    }
    const { port, router } = await startRouter(t, { maxBufferedBytes: 50_000 }, Sending);
    const { connection, status } = await requestSession(t, port, transport);
    assert.ok(status < 300);
    await until(() => {
      const { packetsSentTotal, sessionsActive } = router.stats.dump();
      return packetsSentTotal === 1 || sessionsActive === 0;
    }, 'it is sent or given up');
    assert.equal(router.stats.dump().closed.slowConsumer, 0);
    assert.ok((await connection.read(100_000)).endsWith('x'));
  },
);

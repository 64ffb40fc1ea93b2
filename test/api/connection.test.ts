import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type TestContext, test } from 'node:test';
import { SockJSConnection, type SockJSSettings } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import { Echo, startRouter } from '../../testkit/server.ts';
import { newSession, parseMessages } from '../../testkit/transports.ts';
import { poll } from '../../testkit/sockjs-http.ts';
import { testEach } from '../../testkit/node-test.ts';
import { until, within } from '../../testkit/until.ts';

class Drained extends SockJSConnection {
  drains = 0;

  override onDrain(): void {
    this.drains += 1;
  }
}

/** Opens a polling session that waits for its next poll. */
async function between<C extends SockJSConnection>(
  t: TestContext,
  settings: SockJSSettings,
  connectionClass: new () => C,
) {
  const running = await startRouter(t, settings, connectionClass);
  const session = newSession();
  assert.equal(await poll(running.port, session), 'o');
  const [connection] = running.router.connections;
  assert.ok(connection !== undefined);
  return { ...running, session, connection, next: () => poll(running.port, session) };
}

test('send returns true below highWaterMark and false from there on', async (t) => {
  const { connection } = await between(t, { highWaterMark: 400 }, Echo);
  assert.equal(connection.bufferedBytes, 0);
  const answers = [];
  for (let count = 1; count <= 4; count += 1) {
    answers.push(connection.send('x'.repeat(20)));
    assert.equal(
      connection.bufferedBytes,
      count * 120,
      'each message counts with 100 for its upkeep',
    );
  }
  assert.deepEqual(answers, [true, true, true, false]);
});

test('bufferedBytes counts bytes, not characters', async (t) => {
  const { connection } = await between(t, {}, Echo);
  connection.send('€'.repeat(10));
  assert.equal(connection.bufferedBytes, 130);
});

test('onDrain is called once when the client keeps up again, and only then', async (t) => {
  const { connection, next } = await between(t, { highWaterMark: 400 }, Drained);
  connection.send('small');
  assert.equal(await next(), 'a["small"]');
  assert.equal(connection.drains, 0);
  for (let count = 0; count < 10; count += 1) connection.send('x'.repeat(100));
  assert.equal(parseMessages(await next()).length, 10);
  assert.equal(connection.drains, 1);
  assert.equal(connection.bufferedBytes, 0);
  assert.equal(connection.send('small'), true);
});

test('drained() resolves at once for a client that keeps up', async (t) => {
  const { connection } = await between(t, {}, Echo);
  assert.equal(await connection.drained(), true);
});

test('drained() resolves for every caller once the client keeps up again', async (t) => {
  const { connection, next } = await between(t, { highWaterMark: 400 }, Echo);
  assert.equal(connection.send('x'.repeat(1000)), false);
  const waiting = [connection.drained(), connection.drained()];
  await next();
  assert.deepEqual(await within(Promise.all(waiting), 'drained()'), [true, true]);
});

test('drained() is false once the connection ends, and ever after', async (t) => {
  const { connection } = await between(t, { highWaterMark: 400 }, Echo);
  connection.send('x'.repeat(1000));
  const waiting = connection.drained();
  connection.close();
  assert.equal(await within(waiting, 'drained()'), false);
  assert.equal(await connection.drained(), false);
});

const COUNT = 200;
const numbered = (index: number): string => `${index} ${'x'.repeat(5000)}`;
const NUMBERED = Array.from({ length: COUNT }, (_, index) => numbered(index));

function* generated(): Generator<string> {
  for (let index = 0; index < COUNT; index += 1) yield numbered(index);
}

async function* generatedLater(): AsyncGenerator<string> {
  for (const text of generated()) {
    await new Promise(setImmediate);
    yield text;
  }
}

/** Joins the pieces of a stream into texts of one size. */
const streamed = (): Readable => Readable.from(NUMBERED, { objectMode: true });

const SOURCES: readonly (readonly [
  name: string,
  send: (connection: SockJSConnection) => Promise<unknown>,
])[] = [
  ['an array', (connection) => connection.sendAll(NUMBERED)],
  ['a generator', (connection) => connection.sendAll(generated())],
  ['an asynchronous generator', (connection) => connection.sendAll(generatedLater())],
  ['a stream', (connection) => connection.sendAll(streamed())],
  [
    'stream.pipeline',
    (connection) =>
      pipeline(streamed(), (source: AsyncIterable<string>) => connection.sendAll(source)),
  ],
];

for (const [name, send] of SOURCES) {
  testEach(
    CLIENT_TRANSPORTS,
    `sendAll sends all of ${name} in order, and leaves little waiting`,
    async (t, transports) => {
      const results = new AsyncQueue<{ result: unknown }>('the end of sendAll');
      let most = 0;
      class Sending extends SockJSConnection {
        override onOpen(): void {
          void send(this).then((result) => results.push({ result }));
        }

        override send(message: string): boolean {
          const keepsUp = super.send(message);
          most = Math.max(most, this.bufferedBytes);
          return keepsUp;
        }
      }
      const settings = { highWaterMark: 20_000, responseLimit: 4 * 1024 ** 2 };
      const { url } = await startRouter(t, settings, Sending);
      const client = await openOfficial(t, url, { transports });
      assert.deepEqual(await client.messages.take(COUNT), NUMBERED);
      assert.deepEqual(await results.next(), { result: true });
      // In the session, and in the socket with its own high-water mark.
      assert.ok(most < settings.highWaterMark + 65_536 + 6000, `${most} bytes waited`);
    },
  );
}

test('a stream of text in a file encoding is sent as it comes', async (t) => {
  const { connection, next } = await between(t, {}, Echo);
  const bytes = Buffer.from('grüße');
  const source = Readable.from([bytes.subarray(0, 3), bytes.subarray(3)], { objectMode: false });
  assert.equal(await connection.sendAll(source.setEncoding('utf8')), true);
  assert.equal(parseMessages(await next()).join(''), 'grüße');
});

for (const [name, end] of [
  ['the server closes it', (connection: SockJSConnection) => connection.close()],
  ['its client goes', undefined],
] as const) {
  test(`a generator is stopped when the connection ends because ${name}`, async (t) => {
    const stopped = new AsyncQueue<string>('the end of the generator');
    const results = new AsyncQueue<{ result: boolean }>('the end of sendAll');
    function* endless(): Generator<string> {
      try {
        for (;;) yield 'x'.repeat(1000);
      } finally {
        stopped.push('stopped');
      }
    }
    class Sending extends SockJSConnection {
      override onOpen(): void {
        void this.sendAll(endless()).then((result) => results.push({ result }));
      }
    }
    const { connection } = await between(t, { disconnectDelay: 50 }, Sending);
    end?.(connection);
    assert.equal(await stopped.next(), 'stopped');
    assert.deepEqual(await results.next(), { result: false });
  });
}

for (const [name, silent] of [
  [
    'a generator',
    async function* once(): AsyncGenerator<string> {
      yield 'first';
      await new Promise(() => {});
    },
  ],
  [
    'a stream',
    () => {
      const source = new PassThrough({ encoding: 'utf8' });
      source.write('first');
      return source;
    },
  ],
] as const) {
  test(`${name} that has fallen silent does not keep sendAll when the connection ends`, async (t) => {
    const { connection, next } = await between(t, {}, Echo);
    const source = silent();
    const result = connection.sendAll(source);
    assert.equal(await next(), 'a["first"]');
    connection.close();
    assert.equal(await within(result, 'the end of sendAll'), false);
    if (source instanceof PassThrough) assert.equal(source.destroyed, true);
    await until(() => connection.isClosed, 'onClose was called');
    assert.equal(await within(connection.sendAll(silent()), 'the end of sendAll'), false);
  });
}

test('a stream is destroyed when the connection ends', async (t) => {
  const source = new Readable({
    encoding: 'utf8',
    read() {
      this.push('x'.repeat(1000));
    },
  });
  const { connection } = await between(t, { highWaterMark: 5000 }, Echo);
  const result = connection.sendAll(source);
  await until(() => connection.bufferedBytes > 5000, 'much waits');
  connection.close();
  assert.equal(await within(result, 'the end of sendAll'), false);
  assert.equal(source.destroyed, true);
});

test('sendAll rejects with the error of its source, and the connection stays open', async (t) => {
  const { connection, next } = await between(t, {}, Echo);
  async function* broken(): AsyncGenerator<string> {
    yield 'first';
    throw new Error('no more');
  }
  await assert.rejects(connection.sendAll(broken()), /no more/);
  assert.equal(await next(), 'a["first"]');
});

test('sendAll sends a string as one message', async (t) => {
  const { connection, next } = await between(t, {}, Echo);
  assert.equal(await connection.sendAll('whole'), true);
  assert.equal(await next(), 'a["whole"]');
});

test('sendAll refuses bytes in the way send does', async (t) => {
  const { connection } = await between(t, {}, Echo);
  const source = Readable.from([Buffer.from('x')]);
  await assert.rejects(connection.sendAll(source), { code: 'ERR_MESSAGE_TYPE' });
});

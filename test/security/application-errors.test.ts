/** Attacks of docs/security.md on the log, and errors of the application. One test for each row. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SockJSConnection } from '../../src/index.ts';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import { RawHttpConnection, httpRequest } from '../../testkit/raw-http.ts';
import { Receiver, assertServes, poll, postBody, sendMessages } from '../../testkit/sockjs-http.ts';
import { XHR_STREAMING, newSession } from '../../testkit/transports.ts';
import { startRouter } from '../../testkit/server.ts';

const FORGED = 'x\n2026-11-22 ERROR forged\r\u001b[2J\u009b2J\u2028\u0085';
/** Longest log line that a client may cause. */
const LONGEST_LINE = 5000;
/** Line breaks and control sequences for terminals. The lines of a stack come from the library itself. */
// oxlint-disable-next-line no-control-regex -- control characters are what has to be found
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const FRAMES = /\n {4}at .*/g;

const QUOTING: readonly (readonly [how: string, (message: string) => unknown])[] = [
  ['an error of it', (message) => new Error(message)],
  ['a text that holds it', (message) => `cannot read ${message}`],
  ['an object that holds it', (message) => ({ message })],
  [
    'an error with the stack of another',
    (message) => Object.assign(new Error('Bad input.'), { stack: new Error(message).stack }),
  ],
];

test('log injection', async (t) => {
  for (const [how, quote] of QUOTING) {
    await t.test(`a handler throws ${how}`, async (sub) => {
      class Throwing extends SockJSConnection {
        override onMessage(message: string): void {
          throw quote(message);
        }
      }
      const { port, logger } = await startRouter(sub, {}, Throwing);
      const session = newSession();
      await poll(port, session);
      await postBody(port, session, JSON.stringify([FORGED + 'x'.repeat(50_000)]));
      const [entry] = logger.take();
      assert.ok(entry !== undefined);
      assert.doesNotMatch(entry.line.replaceAll(FRAMES, ''), CONTROL);
      assert.ok(entry.line.length < LONGEST_LINE, `${entry.line.length} characters`);
    });
  }
  await t.test('an origin with bytes that no origin has, and far too long', async () => {
    const { port, logger } = await startRouter(t);
    const origin = `http://\u0085\u009b2J${'x'.repeat(5000)}.example`;
    const head = `GET /echo/info HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`;
    const connection = new RawHttpConnection(port).send(Buffer.from(head, 'latin1'));
    assert.match(await connection.readToEnd(), /^HTTP\/1\.1 40[03] /);
    for (const { line } of logger.take()) {
      assert.doesNotMatch(line, CONTROL);
      assert.ok(line.length < LONGEST_LINE, `${line.length} characters`);
    }
  });
  await t.test('a session id is in no line', async (sub) => {
    class Broken extends SockJSConnection {
      constructor() {
        super();
        throw new Error('no');
      }
    }
    const { port, logger } = await startRouter(sub, {}, Broken);
    await httpRequest(port, { method: 'POST', path: '/echo/0/SECRET/xhr' });
    assert.doesNotMatch(logger.take()[0]?.line ?? 'SECRET', /SECRET/);
  });
});

const HANDLERS = ['onOpen', 'onMessage', 'onClose'] as const;

test('a callback of the application throws', async (t) => {
  const ends = new AsyncQueue<number>('onClose');
  class Faulty extends SockJSConnection {
    get #faults(): string[] {
      return [this.info.getArgument('throws') ?? '', this.info.getArgument('rejects') ?? ''];
    }

    #fail(handler: string): void | Promise<void> {
      const [throws, rejects] = this.#faults;
      if (throws === handler) throw new Error('a fault of the application');
      return rejects === handler ? Promise.reject(new Error('a fault')) : undefined;
    }

    override onOpen(): void | Promise<void> {
      return this.#fail('onOpen');
    }

    override onMessage(message: string): void | Promise<void> {
      this.send(message);
      return this.#fail('onMessage');
    }

    override onClose(code: number): void | Promise<void> {
      if (this.#faults.join('') !== '') ends.push(code);
      return this.#fail('onClose');
    }
  }
  const { port, logger } = await startRouter(t, { disconnectDelay: 1000 }, Faulty);
  const bystander = newSession();
  const stream = new Receiver(port, bystander, XHR_STREAMING);
  t.after(() => stream.connection.close());
  assert.equal(await stream.frame(), 'o');
  for (const handler of HANDLERS) {
    for (const how of ['throws', 'rejects']) {
      await t.test(`${handler} ${how}`, async () => {
        const session = newSession();
        const transport = { ...XHR_STREAMING, path: `xhr_streaming?${how}=${handler}` };
        const victim = new Receiver(port, session, transport);
        assert.equal(await victim.frame(), 'o');
        if (handler === 'onMessage') await sendMessages(port, session, 'x');
        if (handler === 'onMessage') assert.equal(await victim.frame(), 'a["x"]');
        if (handler === 'onClose') victim.connection.abort();
        else assert.equal(await victim.frame(), 'c[1011,"Internal error"]');
        assert.equal(await ends.next(), handler === 'onClose' ? 1002 : 1011);
        victim.connection.close();
        await new Promise(setImmediate); // The rejection is handled after onClose was called.
        const lines = logger.take().filter(({ level }) => level === 'error');
        assert.equal(lines.length, 1);
        assert.ok(lines[0]?.line.startsWith(`Faulty.${handler} failed`));
        await sendMessages(port, bystander, 'on');
        assert.equal(await stream.frame(), 'a["on"]');
      });
    }
  }
  await assertServes(port);
});

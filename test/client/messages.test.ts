/** Messages of sockjs-client arrive complete, in order and unchanged. */
import assert from 'node:assert/strict';
import { SockJSConnection } from '../../src/index.ts';
import { CLIENT_TRANSPORTS, openOfficial } from '../../testkit/official-client.ts';
import { startRouter } from '../../testkit/server.ts';
import { testEach } from '../../testkit/node-test.ts';

const MEBIBYTE = 1024 * 1024;

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `message ${index}`);
}

testEach(CLIENT_TRANSPORTS, 'a message and its echo arrive', async (t, transports) => {
  const { url } = await startRouter(t);
  const client = await openOfficial(t, url, { transports });
  assert.equal(client.transport, transports);
  client.send('ping');
  assert.equal(await client.messages.next(), 'ping');
  client.send('pong');
  assert.equal(await client.messages.next(), 'pong');
});

testEach(
  CLIENT_TRANSPORTS,
  '1,000 messages sent in a burst are echoed in order',
  async (t, transports) => {
    const { url } = await startRouter(t);
    const client = await openOfficial(t, url, { transports });
    const messages = numbered(1000);
    client.send(...messages);
    assert.deepEqual(await client.messages.take(1000), messages);
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'messages that are sent little by little keep their order',
  async (t, transports) => {
    class Counting extends SockJSConnection {
      override async onMessage(message: string): Promise<void> {
        for (const step of [1, 2, 3, 4, 5]) {
          // oxlint-disable-next-line no-await-in-loop -- in another turn of the event loop each time
          await new Promise(setImmediate);
          this.send(`${message}.${step}`);
        }
      }
    }
    const { url } = await startRouter(t, {}, Counting);
    const client = await openOfficial(t, url, { transports });
    for (const round of Array.from({ length: 4 }, (_, index) => index)) {
      client.send(...numbered(50).map((message) => `${round} ${message}`));
    }
    const received = await client.messages.take(1000);
    for (const origin of new Set(received.map((message) => message.replace(/\.\d$/, '')))) {
      const answers = received.filter((message) => message.startsWith(`${origin}.`));
      assert.deepEqual(
        answers,
        [1, 2, 3, 4, 5].map((step) => `${origin}.${step}`),
      );
    }
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'a burst of 1,000 messages from the server arrives in order',
  async (t, transports) => {
    const messages = numbered(1000);
    class Burst extends SockJSConnection {
      override onOpen(): void {
        for (const message of messages) this.send(message);
      }
    }
    const { url } = await startRouter(t, {}, Burst);
    const client = await openOfficial(t, url, { transports });
    assert.deepEqual(await client.messages.take(1000), messages);
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'every unit from U+0000 to U+FFFF comes back, pairs or not',
  async (t, transports) => {
    const { url } = await startRouter(t);
    const client = await openOfficial(t, url, { transports });
    const slices = Array.from({ length: 32 }, (_, slice) =>
      Array.from({ length: 2048 }, (_unit, unit) => String.fromCharCode(slice * 2048 + unit)),
    );
    // In reverse order no high surrogate precedes a low one, so all of them are lone.
    const messages = slices.flatMap((units) => [units.join(''), units.toReversed().join('')]);
    client.send(...messages);
    assert.deepEqual(await client.messages.take(messages.length), messages);
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'text that a layer might interpret comes back unchanged',
  async (t, transports) => {
    const { url } = await startRouter(t);
    const client = await openOfficial(t, url, { transports });
    const messages = [
      '',
      ' ',
      '\0',
      '\r\n\r\n',
      'data: a\n\n',
      '%',
      '%25%0A%zz',
      '+&=?#',
      '"\\"\'`',
      '</script><!--',
      'a["a"]',
      'c[3000,"Go away!"]',
      'h',
      'o',
      '[]',
      'null',
      '\u2028\u2029\ufeff\u200f',
      '\ud83d\ude00 \ude00\ud83d \ud83d',
      '__proto__',
    ];
    client.send(...messages);
    assert.deepEqual(await client.messages.take(messages.length), messages);
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'a message of 1 MiB passes from the client to the server',
  async (t, transports) => {
    class Measuring extends SockJSConnection {
      override onMessage(message: string): void {
        this.send(`${message.length} ${message.slice(0, 5)} ${message.slice(-5)}`);
      }
    }
    const { url } = await startRouter(t, {}, Measuring);
    const client = await openOfficial(t, url, { transports });
    client.send(`start${'x'.repeat(MEBIBYTE - 8)}end`);
    assert.equal(await client.messages.next(), `${MEBIBYTE} start xxend`);
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'a message of 1 MiB passes from the server to the client',
  async (t, transports) => {
    const large = `start${'äx'.repeat(Math.ceil(MEBIBYTE / 3))}end`;
    class Large extends SockJSConnection {
      override onMessage(message: string): void {
        this.send(large);
        this.send(message);
      }
    }
    const { url } = await startRouter(t, {}, Large);
    const client = await openOfficial(t, url, { transports });
    client.send('after it');
    assert.ok((await client.messages.next()) === large);
    assert.equal(await client.messages.next(), 'after it');
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'messages sent in one turn arrive one by one',
  async (t, transports) => {
    class Spelling extends SockJSConnection {
      override onMessage(message: string): void {
        for (const letter of message) this.send(letter);
      }
    }
    const { url } = await startRouter(t, {}, Spelling);
    const client = await openOfficial(t, url, { transports });
    client.send('sockjs');
    assert.deepEqual(await client.messages.take(6), ['s', 'o', 'c', 'k', 'j', 's']);
  },
);

testEach(
  CLIENT_TRANSPORTS,
  'a stream over its response limit goes on in the next response',
  async (t, transports) => {
    const { url } = await startRouter(t, { responseLimit: 4096 });
    const client = await openOfficial(t, url, { transports });
    const messages = numbered(100).map((message) => message.padEnd(500, '.'));
    client.send(...messages);
    assert.deepEqual(await client.messages.take(100), messages);
  },
);

/** Primus 8, shoe and websocket-multiplex with their own clients, on npm `sockjs` and on the drop-in. */
import assert from 'node:assert/strict';
import { type TestContext, describe, test } from 'node:test';
import {
  type Client,
  TRANSPORTS,
  type TransportName,
  openMultiplex,
  openPrimus,
  openShoe,
} from './clients.ts';
import { IMPLEMENTATIONS, type Implementation, startDependent } from './dependent.ts';

const MESSAGES = Array.from({ length: 1000 }, (_, index) => `message ${index}, ü and \u2028`);

async function assertEchoes(client: Client, messages: readonly string[]): Promise<void> {
  for (const message of messages) client.send(message);
  assert.deepEqual(await client.take(messages.length), messages);
}

async function testPrimus(
  t: TestContext,
  implementation: Implementation,
  transport: TransportName,
  ...args: readonly string[]
): Promise<void> {
  const dependent = await startDependent(t, implementation, 'primus', ...args);
  const connection = {
    event: 'connection',
    protocol: transport,
    isLoopback: true,
    room: 'a b',
    hasAllHeaders: true,
    method: transport === 'websocket' ? 'GET' : 'POST',
    hasId: true,
  };
  const first = openPrimus(t, dependent.port, transport);
  assert.deepEqual(await dependent.next(), connection);
  await assertEchoes(first, MESSAGES);
  first.close();
  assert.deepEqual(await dependent.next(), { event: 'end' });

  const second = openPrimus(t, dependent.port, transport);
  assert.deepEqual(await dependent.next(), connection);
  dependent.command('end');
  await second.closed();
  assert.deepEqual(await dependent.next(), { event: 'end' });

  const third = openPrimus(t, dependent.port, transport);
  assert.deepEqual(await dependent.next(), connection);
  await assertEchoes(third, ['hello']);
  dependent.command('destroy');
  await third.closed();
  assert.deepEqual(await dependent.next(), { event: 'end' });
  assert.deepEqual(await dependent.next(), { event: 'destroyed' });
}

for (const implementation of IMPLEMENTATIONS) {
  describe(implementation, () => {
    test('Primus with compression', (t) =>
      testPrimus(t, implementation, 'websocket', 'compression'));

    for (const transport of TRANSPORTS) {
      test(`Primus over ${transport}`, (t) => testPrimus(t, implementation, transport));

      test(`shoe over ${transport}`, async (t) => {
        const dependent = await startDependent(t, implementation, 'shoe');
        const first = openShoe(t, dependent.port, transport);
        assert.deepEqual(await dependent.next(), { event: 'connection', protocol: transport });
        await assertEchoes(first, MESSAGES);
        first.close();
        assert.deepEqual(await dependent.next(), { event: 'close' });

        const second = openShoe(t, dependent.port, transport);
        assert.deepEqual(await dependent.next(), { event: 'connection', protocol: transport });
        dependent.command('end');
        await second.closed();
        assert.deepEqual(await dependent.next(), { event: 'close' });
      });

      test(`websocket-multiplex over ${transport}`, async (t) => {
        const dependent = await startDependent(t, implementation, 'multiplex');
        const url = `http://127.0.0.1:${dependent.port}/multiplex`;
        const first = openMultiplex(t, url, transport);
        const echo = first.channel('echo');
        const shout = first.channel('shout');
        assert.deepEqual(await dependent.next(), { event: 'connection', protocol: transport });
        assert.deepEqual(await dependent.next(), { event: 'subscribe', name: 'echo' });
        assert.deepEqual(await dependent.next(), { event: 'subscribe', name: 'shout' });
        const shouted = MESSAGES.map((message) => message.toUpperCase());
        for (const message of MESSAGES) {
          echo.send(message);
          shout.send(message);
        }
        assert.deepEqual(await echo.take(MESSAGES.length), MESSAGES);
        assert.deepEqual(await shout.take(MESSAGES.length), shouted);
        shout.close();
        assert.deepEqual(await dependent.next(), { event: 'close', name: 'shout' });
        await assertEchoes(echo, ['still open']);
        first.close();
        assert.deepEqual(await dependent.next(), { event: 'close', name: 'echo' });

        const second = openMultiplex(t, url, transport);
        second.channel('echo');
        assert.deepEqual(await dependent.next(), { event: 'connection', protocol: transport });
        assert.deepEqual(await dependent.next(), { event: 'subscribe', name: 'echo' });
        dependent.command('close');
        assert.equal(await second.closed(), '4000 over');
        assert.deepEqual(await dependent.next(), { event: 'close', name: 'echo' });
      });
    }
  });
}

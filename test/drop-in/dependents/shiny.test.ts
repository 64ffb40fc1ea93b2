/** A program with the prefix and the calls of shiny-server, on npm `sockjs` and on the drop-in. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connectOfficial } from '../../../testkit/official-client.ts';
import { httpRequest } from '../../../testkit/raw-http.ts';
import { TRANSPORTS, openMultiplex } from './clients.ts';
import { type Dependent, IMPLEMENTATIONS, startDependent } from './dependent.ts';

const MESSAGES = Array.from({ length: 1000 }, (_, index) => `message ${index}`);
const PREFIX = String.raw`.*/__sockjs__(/[no]=\w+)?`;

async function assertConnects(
  dependent: Dependent,
  transport: string,
  base: string,
): Promise<void> {
  const connection = (await dependent.next()) as Readonly<Record<string, unknown>>;
  const { readable, writable, readyState, url, pathname, ...rest } = connection;
  assert.deepEqual([readable, writable, readyState], [true, true, 1]);
  const protocol = {
    websocket: 'websocket',
    'xhr-polling': 'xhr',
    'xhr-streaming': 'xhr_streaming',
  };
  const last = protocol[transport as keyof typeof protocol];
  assert.match(String(url), new RegExp(`^${base}/\\d{3}/\\w+/${last}(\\?t=\\d+)?$`));
  assert.equal(pathname, String(url).replace(/\?.*/, ''));
  assert.deepEqual(rest, {
    event: 'connection',
    prefix: PREFIX,
    protocol: transport,
    hasAddresses: true,
    hasHost: true,
  });
}

for (const implementation of IMPLEMENTATIONS) {
  describe(implementation, () => {
    for (const transport of TRANSPORTS) {
      test(`channels of a connection that is resumed over ${transport}`, async (t) => {
        const dependent = await startDependent(t, implementation, 'shiny');
        const { port } = dependent;
        const base = `/some/app/__sockjs__/n=ab12`;
        const client = openMultiplex(t, `http://127.0.0.1:${port}${base}`, transport);
        const channel = client.channel('app');
        await assertConnects(dependent, transport, base);
        assert.deepEqual(await dependent.next(), { event: 'subscribe' });
        // The replaced `emit` changes messages on their way.
        for (const message of MESSAGES) channel.send(`${message}  `);
        assert.deepEqual(await channel.take(MESSAGES.length), MESSAGES);

        client.close();
        assert.deepEqual(await dependent.next(), { event: 'withheld end' });
        assert.deepEqual(await dependent.next(), { event: 'withheld close' });
        dependent.command('while away');

        const resumed = base.replace('n=', 'o=');
        const second = openMultiplex(t, `http://127.0.0.1:${port}${resumed}`, transport);
        const sameChannel = second.channel('app');
        await assertConnects(dependent, transport, resumed);
        assert.deepEqual(await sameChannel.take(1), ['while away']);
        sameChannel.send('back');
        assert.deepEqual(await sameChannel.take(1), ['back']);
      });

      test(`an unknown connection is refused over ${transport}`, async (t) => {
        const dependent = await startDependent(t, implementation, 'shiny');
        const url = `http://127.0.0.1:${dependent.port}/app/__sockjs__/o=ab12`;
        const client = connectOfficial(t, url, { transports: transport, timeout: 5000 });
        const { code, reason } = await client.closed();
        const expected = 'Your session could not be resumed on the server.';
        assert.deepEqual({ code, reason }, { code: 4704, reason: expected });
      });
    }

    for (const base of ['/__sockjs__', '/a/b/__sockjs__/n=ab12']) {
      test(`${base} has the routes of SockJS`, async (t) => {
        const { port } = await startDependent(t, implementation, 'shiny');
        const get = async (path: string) => httpRequest(port, { method: 'GET', path });
        assert.equal((await get(base)).body, 'Welcome to SockJS!\n');
        assert.partialDeepStrictEqual(JSON.parse((await get(`${base}/info`)).body), {
          websocket: true,
        });
        const { body } = await get(`${base}/iframe.html`);
        assert.match(body, /src="\/\/cdn\.example\/sockjs\.min\.js"/);
        assert.equal((await get('/a/page')).body, 'application /a/page');
      });
    }
  });
}

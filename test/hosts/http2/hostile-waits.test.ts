/** Hostile clients of HTTP/2 whose requests are refused, wait, or are reset, and that read nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { END_HEADERS, END_STREAM, encodeHead } from '../../../testkit/http2-client.ts';
import type { RawConnection } from '../../../testkit/raw-connection.ts';
import { until } from '../../../testkit/until.ts';
import {
  Attack,
  MIB,
  NO_WINDOW,
  WIDE_WINDOW,
  connect,
  data,
  flood,
  get,
  headers,
  isClosedByServer,
  post,
  resetWithoutError,
  streamIds,
  windowUpdate,
} from './attack.ts';

test('a stream beyond the limit that expects 100-continue is refused', async (t) => {
  const attack = await Attack.start(t);
  const client = attack.connect();
  for (const id of streamIds(1000)) client.write(post(id, `/echo/000/s${id}/xhr_streaming`));
  for (const [index, path] of ['/echo/000/s/xhr', '/elsewhere'].entries()) {
    const head = encodeHead(path, { ':method': 'POST', expect: '100-continue' });
    client.write(headers(2001 + 2 * index, head));
    await isClosedByServer(client);
    await attack.assertServes();
  }
  await attack.assertReleased();
});

/** Sends bodies a byte in each frame, until their windows are nearly full. */
async function sendBytes(client: RawConnection, ids: readonly number[]): Promise<void> {
  client.write(windowUpdate(0, 0x7fff_0000));
  for (const id of ids) {
    const byte = data(id, Buffer.from('x'));
    const thousand = Buffer.concat(Array.from({ length: 1000 }, () => byte));
    await flood(client, 60, () => thousand);
  }
  assert.equal(await isClosedByServer(client), false);
}

const IDS = [1, 2, 3, 4, 5];

test('the body of a poll that waits is dropped', async (t) => {
  const attack = await Attack.start(t);
  const client = attack.connect();
  for (const id of IDS) {
    client.write(post(4 * id + 1, `/echo/000/s${id}/xhr`, END_HEADERS + END_STREAM));
    client.write(post(4 * id + 3, `/echo/000/s${id}/xhr`));
  }
  const polls = async (): Promise<number> => (await attack.report()).stats.connectionsActive;
  await until(async () => (await polls()) === IDS.length, 'the polls');
  await sendBytes(
    client,
    IDS.map((id) => 4 * id + 3),
  );
  await attack.assertGrowth('polls', 4 * MIB);
  await attack.assertReleased();
});

const WAITS = {
  'for the rate limit': { path: '', settings: { maxMessagesPerSecond: 1 } },
  'for onOpen': { path: '?opening', settings: { openTimeout: 60_000 } },
} as const;

for (const [name, { path, settings }] of Object.entries(WAITS)) {
  test(`a body that waits ${name} counts in the memory budget`, async (t) => {
    const attack = await Attack.start(t, {
      settings: { ...settings, maxBufferedBytesPerAddress: 2 * MIB },
    });
    const client = attack.connect();
    for (const id of IDS) {
      client.write(post(8 * id + 1, `/echo/000/s${id}/xhr_streaming${path}`));
      await isClosedByServer(client);
      const messages = Buffer.from(JSON.stringify(Array.from({ length: 60 }, () => 'a')));
      if (path === '') {
        client.write(post(8 * id + 3, `/echo/000/s${id}/xhr_send`));
        client.write(data(8 * id + 3, messages, END_STREAM));
        await isClosedByServer(client);
      }
      client.write(post(8 * id + 5, `/echo/000/s${id}/xhr_send`));
    }
    await sendBytes(
      client,
      IDS.map((id) => 8 * id + 5),
    );
    await attack.assertGrowth('bodies', 4 * MIB);
    assert.ok((await attack.report()).stats.evictionsTotal > 0);
    await attack.assertReleased();
  });
}

const SENDING = {
  'a WebSocket': (id: number): Buffer => connect(id, `/echo/000/s${id}/websocket?send=15000`),
  streaming: (id: number): Buffer => post(id, `/echo/000/s${id}/xhr_streaming?send=15000`),
};

for (const [name, open] of Object.entries(SENDING)) {
  test(`the connection of a client that never reads is closed: ${name}`, async (t) => {
    const times = { writeTimeout: 500, sendTimeLimit: 500, heartbeatDelay: 500, pingTimeout: 500 };
    const attack = await Attack.start(t, { settings: times });
    const client = attack.connect(WIDE_WINDOW).pause();
    client.write(windowUpdate(0, 0x7fff_0000));
    for (const id of streamIds(700)) client.write(open(id));
    await delay(1000);
    const closed = async (): Promise<boolean> => (await attack.report()).sockets === 1;
    await until(closed, 'the end of the connection', { timeout: 20_000 });
    await attack.assertReleased();
  });
}

test('streams that are reset without an error end with the next heartbeat', async (t) => {
  const attack = await Attack.start(t, { settings: { heartbeatDelay: 300 } });
  const client = attack.connect(NO_WINDOW);
  for (const id of streamIds(300)) {
    client.write(post(id, `/echo/000/s${id}/xhr_streaming`));
    await delay(2);
    client.write(resetWithoutError(id));
  }
  const ended = async (): Promise<boolean> => (await attack.report()).stats.connectionsActive === 0;
  await until(ended, 'the end of all receivers', { timeout: 10_000 });
  assert.equal(await isClosedByServer(client), false);
  await attack.assertReleased();
});

test('responses with scripts share their bytes', async (t) => {
  const attack = await Attack.start(t);
  const client = attack.connect(NO_WINDOW);
  for (const id of streamIds(500)) {
    client.write(get(2 * id - 1, '/echo/sockjs.js'));
    await isClosedByServer(client); // The first request waits for the file.
    client.write(get(2 * id + 1, '/echo/info'));
  }
  await isClosedByServer(client);
  await attack.assertGrowth('scripts', 10 * MIB);
  await attack.assertReleased();
});

/**
 * Hostile clients of HTTP/2: floods, resets, too many streams, and clients that do not read. During each attack another
 * connection is served, and after it the server has released everything.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  FRAME,
  encodeHead,
  encodeHeader,
  encodeHttp2Frame,
  encodeSetting,
} from '../../../testkit/http2-client.ts';
import { until } from '../../../testkit/until.ts';
import {
  Attack,
  INITIAL_WINDOW_SIZE,
  MIB,
  NO_WINDOW,
  ROUTES,
  WIDE_WINDOW,
  connect,
  data,
  filler,
  flood,
  get,
  headers,
  isClosedByServer,
  post,
  reset,
  streamIds,
  windowUpdate,
} from './attack.ts';

for (const pending of [false, true]) {
  test(`rapid reset${pending ? ' while authorize is pending' : ''} ends the connection`, async (t) => {
    const attack = await Attack.start(t, { pending });
    for (const [name, open] of Object.entries(ROUTES)) {
      const client = attack.connect();
      const ids = [...streamIds(5000)];
      await flood(client, ids.length, (index) => {
        const id = ids[index] ?? 0;
        return Buffer.concat([open(id), reset(id)]);
      });
      assert.equal(await isClosedByServer(client), true, name);
      await attack.assertServes();
      await attack.assertGrowth(name, 8 * MIB);
    }
    await attack.assertReleased();
  });
}

test('streams that are reset after they were handled are released', async (t) => {
  const attack = await Attack.start(t);
  for (const [name, open] of Object.entries(ROUTES)) {
    const client = attack.connect();
    const ids = [...streamIds(900)];
    await flood(client, ids.length, (index) => open(ids[index] ?? 0));
    assert.equal(await isClosedByServer(client), false);
    await flood(client, ids.length, (index) => reset(ids[index] ?? 0));
    assert.equal(await isClosedByServer(client), false);
    const { streams } = await attack.report();
    assert.equal(streams, 0, name);
    await attack.assertServes();
  }
  await attack.assertReleased();
});

test('resets by a client that never reads end the connection', async (t) => {
  const attack = await Attack.start(t);
  for (const [name, open] of Object.entries(ROUTES)) {
    const client = attack.connect(WIDE_WINDOW).pause();
    const ids = [...streamIds(10_000)];
    for (let from = 0; from < ids.length; from += 100) {
      const some = ids.slice(from, from + 100);
      await flood(client, 1, () => Buffer.concat(some.map(open)));
      await delay(1);
      await flood(client, 1, () => Buffer.concat(some.map((id) => reset(id))));
    }
    await until(async () => (await attack.report()).connections === 1, 'the end of the connection');
    await attack.assertGrowth(name, 8 * MIB);
    await attack.assertServes();
  }
  await attack.assertReleased();
});

// Floods of frames

const FLOODS: readonly {
  readonly name: string;
  readonly frame: Buffer;
  /** False for frames that cost so little that Node allows any number. */
  readonly isEnded: boolean;
}[] = [
  { name: 'SETTINGS', frame: encodeHttp2Frame(FRAME.settings, 0, 0), isEnded: true },
  {
    name: 'SETTINGS with a value',
    frame: encodeHttp2Frame(FRAME.settings, 0, 0, encodeSetting(INITIAL_WINDOW_SIZE, 1000)),
    isEnded: true,
  },
  { name: 'PING', frame: encodeHttp2Frame(FRAME.ping, 0, 0, Buffer.alloc(8)), isEnded: true },
  {
    name: 'replies to pings',
    frame: encodeHttp2Frame(FRAME.ping, 1, 0, Buffer.alloc(8)),
    isEnded: true,
  },
  {
    name: 'PRIORITY',
    frame: encodeHttp2Frame(FRAME.priority, 0, 1, Buffer.from([0, 0, 0, 0, 1])),
    isEnded: true,
  },
  { name: 'WINDOW_UPDATE of 1', frame: windowUpdate(0, 1), isEnded: false },
  { name: 'WINDOW_UPDATE of 0', frame: windowUpdate(0, 0), isEnded: true },
  {
    name: 'WINDOW_UPDATE beyond 2^31 - 1',
    frame: windowUpdate(0, 0x7fff_ffff),
    isEnded: true,
  },
  { name: 'empty DATA', frame: data(1, Buffer.alloc(0)), isEnded: true },
  { name: 'frames of an unknown type', frame: filler(0), isEnded: true },
  { name: 'RST_STREAM of an open stream', frame: reset(1), isEnded: true },
];

for (const reads of [true, false]) {
  test(`floods of frames by a client that ${reads ? 'reads' : 'never reads'} do not affect others`, async (t) => {
    const attack = await Attack.start(t);
    for (const { name, frame, isEnded } of FLOODS) {
      const client = attack.connect();
      client.write(connect(1, '/echo/websocket'));
      if (!reads) client.pause();
      const many = Buffer.concat(Array.from({ length: 1000 }, () => frame));
      await flood(client, 100, () => many);
      if (reads) assert.equal(await isClosedByServer(client), isEnded, name);
      await attack.assertServes();
      await attack.assertGrowth(name, 4 * MIB);
    }
    await attack.assertReleased();
  });
}

test('a CONTINUATION flood ends the connection', async (t) => {
  const attack = await Attack.start(t);
  const client = attack.connect();
  client.write(headers(1, encodeHead('/echo/info'), 0));
  const part = encodeHttp2Frame(FRAME.continuation, 0, 1, encodeHeader('x-part', 'x'.repeat(1000)));
  await flood(client, 20_000, () => part);
  await client.ended();
  await attack.assertReleased();
});

// Streams

test('a connection has at most 1,000 streams, and routers count those that they refuse', async (t) => {
  // Otherwise unsent scripts reach the limit of Node, which ends the connection.
  const attack = await Attack.start(t, { options: { maxSessionMemory: 100 } });
  for (const [name, open] of Object.entries(ROUTES)) {
    const client = attack.connect(NO_WINDOW);
    const before = (await attack.report()).stats.refused.streamLimit;
    const ids = [...streamIds(2000)];
    await flood(client, ids.length, (index) => open(ids[index] ?? 0));
    assert.equal(await isClosedByServer(client), false);
    const { streams, stats } = await attack.report();
    assert.equal(streams, 1000);
    const refused = name === 'an unknown path' ? 0 : 1000;
    assert.equal(stats.refused.streamLimit - before, refused, name);
    await attack.assertGrowth(name, 24 * MIB);
    await attack.assertServes();
    client.abort();
  }
  await attack.assertReleased();
});

test('maxConcurrentStreams applies to a client that never acknowledges it', async (t) => {
  const settings = { enableConnectProtocol: true, maxConcurrentStreams: 50 };
  const attack = await Attack.start(t, { options: { settings } });
  for (const [name, open] of Object.entries(ROUTES)) {
    const client = attack.connect(NO_WINDOW);
    const ids = [...streamIds(2000)];
    await flood(client, ids.length, (index) => open(ids[index] ?? 0));
    assert.equal(await isClosedByServer(client), true, name);
    const { streams } = await attack.report();
    assert.ok(streams <= 50, `${streams} streams`);
    client.abort();
  }
  await attack.assertReleased();
});

// Clients that read nothing, or too slowly

const SENDING = {
  script: (id: number): Buffer => get(id, '/echo/client.js'),
  streaming: (id: number): Buffer => post(id, `/echo/000/s${id}/xhr_streaming?send=100000`),
  'a WebSocket': (id: number): Buffer => connect(id, `/echo/000/s${id}/websocket?send=100000`),
};

for (const [kind, settings] of [
  ['with a window of 0', NO_WINDOW],
  ['whose windows are wide', WIDE_WINDOW],
] as const) {
  test(`streams of a client ${kind} that never reads end after writeTimeout`, async (t) => {
    const attack = await Attack.start(t, { settings: { writeTimeout: 500 } });
    for (const [name, open] of Object.entries(SENDING)) {
      const client = attack.connect(settings).pause();
      client.write(windowUpdate(0, 0x7fff_0000));
      for (const id of streamIds(1000)) client.write(open(id));
      await attack.assertServes();
      await attack.assertGrowth(name, 40 * MIB);
      const ended = async (): Promise<boolean> => (await attack.report()).streams === 0;
      await until(ended, 'the end of all streams', { timeout: 20_000 });
      await attack.assertServes();
    }
    await attack.assertReleased();
  });
}

test('a client that reads a byte at a time is closed after sendTimeLimit', async (t) => {
  const attack = await Attack.start(t, { settings: { writeTimeout: 500, sendTimeLimit: 1000 } });
  for (const [name, open] of Object.entries(SENDING)) {
    const client = attack.connect(encodeSetting(INITIAL_WINDOW_SIZE, 1));
    const ids = [...streamIds(50)];
    for (const id of ids) client.write(open(id));
    let report = await attack.report();
    for (let turn = 0; turn < 500 && report.streams > 0; turn += 1) {
      client.write(Buffer.concat(ids.map((id) => windowUpdate(id, 1))));
      client.takeAvailable();
      await delay(10);
      if (turn % 20 === 0) report = await attack.report();
    }
    assert.equal(report.streams, 0, name);
    await attack.assertServes();
  }
  await attack.assertReleased();
});

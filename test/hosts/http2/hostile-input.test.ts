/** Hostile input of HTTP/2: data that waits, bodies that nothing reads, large and odd headers, half-open connections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  END_HEADERS,
  END_STREAM,
  encodeHead,
  encodeHeader,
} from '../../../testkit/http2-client.ts';
import { until } from '../../../testkit/until.ts';
import { OPCODE, encodeFrame } from '../../../testkit/websocket-frames.ts';
import {
  Attack,
  MIB,
  ROUTES,
  connect,
  data,
  filler,
  flood,
  headers,
  isClosedByServer,
  post,
  streamIds,
} from './attack.ts';

for (const [kind, args, open] of [
  ['authorize', { pending: true }, connect(1, '/echo/websocket')],
  ['authorize of another route', { pending: true }, post(1, '/echo/000/s/xhr')],
  ['onOpen', {}, connect(1, '/echo/websocket?opening')],
] as const) {
  test(`input that waits for ${kind} keeps no other input in memory`, async (t) => {
    const attack = await Attack.start(t, args);
    const client = attack.connect();
    client.write(open);
    const byte = data(1, encodeFrame(OPCODE.binary, '').subarray(0, 1));
    const packet = Buffer.concat([byte, filler(16_000), filler(16_000), filler(16_000)]);
    await flood(client, 800, () => packet); // 40 MB.
    assert.equal(await isClosedByServer(client), false);
    const { budget } = await attack.report();
    assert.ok(budget > 100_000, `${budget} bytes count`);
    await attack.assertGrowth('waiting', 4 * MIB);
    await attack.assertReleased();
  });
}

test('single bytes that wait count in the memory budget, and streams above it are reset', async (t) => {
  const attack = await Attack.start(t, {
    pending: true,
    settings: { maxBufferedBytesPerAddress: 4 * MIB },
  });
  const client = attack.connect();
  const byte = Buffer.from([0x82]);
  for (const id of streamIds(20)) {
    client.write(connect(id, '/echo/websocket'));
    const many = Buffer.concat(Array.from({ length: 1000 }, () => data(id, byte)));
    await flood(client, 10, () => many);
  }
  assert.equal(await isClosedByServer(client), false);
  const { budget, streams, stats } = await attack.report();
  assert.ok(budget <= 4 * MIB, `${budget} bytes`);
  assert.ok(streams < 20 && streams > 0, `${streams} streams`);
  assert.ok(stats.evictionsTotal > 0);
  await attack.assertGrowth('single bytes', 6 * MIB);
  await attack.assertReleased();
});

test('a body that nothing reads is dropped', async (t) => {
  const attack = await Attack.start(t);
  const client = attack.connect();
  const paths = [
    '/echo/info',
    '/echo/client.js',
    '/echo/000/s/eventsource',
    '/echo/000/h/htmlfile?c=x',
  ];
  const ids = [...streamIds(200)];
  for (const id of ids) {
    client.write(
      id % 4 === 1
        ? post(id, `/echo/000/s${id}/xhr_streaming`)
        : headers(id, encodeHead(paths[(id >> 2) % 4] ?? '')),
    );
  }
  for (let round = 0; round < 4; round += 1) {
    const chunk = Buffer.alloc(16_000);
    await flood(client, ids.length, (index) => data(ids[index] ?? 0, chunk));
  }
  assert.equal(await isClosedByServer(client), false);
  await attack.assertGrowth('bodies', 4 * MIB);
  await attack.assertReleased();
});

test('headers that expand to more than http.maxHeaderSize get 431', async (t) => {
  const attack = await Attack.start(t);
  const client = attack.connect();
  const entry = encodeHeader('x-big', 'x'.repeat(3900));
  entry[0] = 0x40; // It enters the table of the connection, and then takes one byte.
  const bomb = Buffer.alloc(15, 0x80 + 62);
  client.write(headers(1, Buffer.concat([encodeHead('/echo/info'), entry])));
  for (const id of streamIds(100)) {
    if (id === 1) continue;
    const head = encodeHead(`/echo/000/s${id}/xhr_streaming`, { ':method': 'POST' });
    client.write(headers(id, Buffer.concat([head, bomb])));
  }
  assert.equal(await isClosedByServer(client), false);
  const { stats } = await attack.report();
  assert.equal(stats.refused.headersTooLarge, 99);
  assert.equal(stats.sessionsTotal, 0);
  await attack.assertReleased();
});

const connectWith = (changes: Readonly<Record<string, string | undefined>>): Buffer =>
  encodeHead('/echo/websocket', {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    'sec-websocket-version': '13',
    ...changes,
  });

const ODD_HEADS: Readonly<Record<string, Buffer>> = {
  'no pseudo-header': encodeHeader('x', 'y'),
  'a path without a slash': encodeHead('echo/info'),
  'an empty path': encodeHead(''),
  'no path': encodeHead('', { ':path': undefined }),
  'a whole URL': encodeHead('http://localhost/echo/info'),
  'a path of control characters': encodeHead('/echo/\u0000\u0001\r\n'),
  'two paths': Buffer.concat([encodeHead('/echo/info'), encodeHeader(':path', '/other')]),
  'an unknown pseudo-header': encodeHead('/echo/info', { ':odd': 'x' }),
  'a pseudo-header after others': Buffer.concat([encodeHeader('x', 'y'), encodeHead('/echo/info')]),
  'an unknown method': encodeHead('/echo/info', { ':method': 'BREW' }),
  'a method with spaces': encodeHead('/echo/info', { ':method': 'GET /' }),
  'a name in capitals': encodeHead('/echo/info', { Origin: 'http://evil.example' }),
  'an empty name': encodeHead('/echo/info', { '': 'x' }),
  'a name with odd bytes': encodeHead('/echo/info', { 'a\u0000b\u00ffc': 'x' }),
  'a name of Object.prototype': encodeHead('/echo/000/s/xhr', {
    ':method': 'POST',
    ['__proto__']: 'x',
    constructor: 'y',
    tostring: 'z',
  }),
  'a value with control characters': encodeHead('/echo/info', { x: 'a\r\nb\u0000' }),
  'a value of odd bytes': encodeHead('/echo/000/t/xhr', { ':method': 'POST', x: '\u00ff\u00fe' }),
  'headers of HTTP/1.1': encodeHead('/echo/info', {
    connection: 'upgrade',
    upgrade: 'websocket',
    'transfer-encoding': 'chunked',
  }),
  'a wrong length': encodeHead('/echo/000/s/xhr_send', {
    ':method': 'POST',
    'content-length': '-1',
  }),
  'two lengths': Buffer.concat([
    encodeHead('/echo/000/s/xhr_send', { ':method': 'POST', 'content-length': '1' }),
    encodeHeader('content-length', '2'),
  ]),
  'a thousand cookies': Buffer.concat([
    encodeHead('/echo/000/s/xhr', { ':method': 'POST' }),
    ...Array.from({ length: 1000 }, () => encodeHeader('cookie', 'a=b')),
  ]),
  'CONNECT without a protocol': encodeHead('', {
    ':method': 'CONNECT',
    ':scheme': undefined,
    ':path': undefined,
  }),
  'CONNECT without a protocol, with a path': encodeHead('/echo/websocket', {
    ':method': 'CONNECT',
  }),
  'CONNECT without a scheme': connectWith({ ':scheme': undefined }),
  'CONNECT without a path': connectWith({ ':path': undefined }),
  'CONNECT for a protocol of odd bytes': connectWith({ ':protocol': 'web\u0000socket' }),
  'GET with a protocol': encodeHead('/echo/websocket', { ':protocol': 'websocket' }),
};

test('malformed heads open no session, and other clients are served', async (t) => {
  const attack = await Attack.start(t);
  for (const [name, block] of Object.entries(ODD_HEADS)) {
    for (const flags of [END_HEADERS, END_HEADERS + END_STREAM]) {
      const client = attack.connect();
      client.write(headers(1, block, flags));
      client.write(data(1, Buffer.from('x')));
      await isClosedByServer(client);
      client.abort();
      await attack.assertServes();
    }
    t.diagnostic(name);
  }
  const { stats } = await attack.report();
  assert.equal(stats.refused.methodNotAllowed, 2, 'the unknown method');
  assert.equal(stats.sessionsTotal, 2, 'those whose heads are valid');
  await attack.assertReleased();
});

test('DATA before the response of CONNECT is handled, and after END_STREAM other clients are served', async (t) => {
  const attack = await Attack.start(t);
  const text = encodeFrame(OPCODE.text, 'early');
  const early = attack.connect();
  early.write(Buffer.concat([connect(1, '/echo/websocket'), data(1, text)]));
  let received = Buffer.alloc(0);
  while (!received.includes('early')) {
    received = Buffer.concat([received, (await early.readSome()) ?? Buffer.alloc(0)]);
  }
  for (const open of Object.values(ROUTES)) {
    const client = attack.connect();
    client.write(open(1));
    client.write(data(1, text, END_STREAM));
    for (let count = 0; count < 10; count += 1) client.write(data(1, text));
    await isClosedByServer(client);
    await attack.assertServes();
  }
  await attack.assertReleased();
});

test('half-open connections, and connections without a request, are released', async (t) => {
  const attack = await Attack.start(t);
  for (const open of [undefined, ...Object.values(ROUTES)]) {
    const client = attack.connect();
    if (open !== undefined) client.write(open(1));
    assert.equal(await isClosedByServer(client), false);
    client.end(); // It does not close its socket.
  }
  const isReleased = async (): Promise<boolean> => (await attack.report()).connections === 1;
  await until(isReleased, 'the end of half-open connections');
  await attack.assertReleased();
});

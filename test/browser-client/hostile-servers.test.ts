/** Servers that send what no SockJS server sends: the client neither throws nor grows. */
import assert from 'node:assert/strict';
import { type ServerResponse, createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { WebSocketServer } from 'ws';
import type { TransportName } from '../../client/index.ts';
import { connectClient } from '../../testkit/browser-client.ts';
import { testEach } from '../../testkit/node-test.ts';
import { startServer } from '../../testkit/server.ts';
import { until } from '../../testkit/until.ts';

type HttpTransportName = Exclude<TransportName, 'websocket'>;

const HTTP_TRANSPORTS: readonly HttpTransportName[] = [
  'xhr-streaming',
  'eventsource',
  'xhr-polling',
];
const TRANSPORTS: readonly TransportName[] = ['websocket', ...HTTP_TRANSPORTS];

function writeFrames(response: ServerResponse, transport: string, frames: readonly string[]): void {
  const isEventSource = transport === 'eventsource';
  response.setHeader('Content-Type', isEventSource ? 'text/event-stream' : 'text/plain');
  for (const frame of frames)
    response.write(isEventSource ? `data: ${frame}\r\n\r\n` : `${frame}\n`);
}

/** Serves frames in the first response of each session, which does not end. @returns the URL */
async function serveFrames(t: TestContext, frames: readonly string[]): Promise<string> {
  const server = createServer((request, response) => {
    const leaf = request.url?.split('/').at(-1) ?? '';
    if (leaf === 'info') response.end('{}');
    else if (leaf === 'xhr_send') response.writeHead(204).end();
    else writeFrames(response, leaf, frames);
  });
  const webSockets = new WebSocketServer({ server });
  webSockets.on('connection', (socket) => {
    for (const frame of frames) socket.send(frame);
  });
  return `http://127.0.0.1:${await startServer(t, server)}/echo`;
}

for (const malformed of [
  'a',
  'a[',
  'a{}',
  'a"text"',
  'anull',
  'a[1]',
  'a["x",null]',
  'c',
  'c[]',
  'c["3000"]',
  'c{}',
  'cnull',
  'c[null,"x"]',
]) {
  testEach(
    TRANSPORTS,
    `the frame ${malformed} ends the session with 1002`,
    async (t, transport) => {
      const url = await serveFrames(t, ['o', malformed]);
      const client = connectClient(t, url, { transports: [transport] });
      await client.opens.next();
      const { code, reason } = await client.losses.next();
      assert.deepEqual([code, reason], [1002, 'Malformed frame']);
      assert.equal(client.messages.size, 0);
    },
  );
}

testEach(
  TRANSPORTS,
  'unknown frames and unknown values of known frames are ignored',
  async (t, transport) => {
    const frames = [
      'x',
      '',
      'o{"resume":1}',
      'h',
      'm"x"',
      '{"a":1}',
      'a[]',
      'a["one"]',
      'c[3000,"told",{"more":1},2]',
    ];
    const url = await serveFrames(t, frames);
    const client = connectClient(t, url, { transports: [transport] });
    assert.equal(await client.next(), 'one');
    const { code, reason, wasClean } = await client.closed();
    assert.deepEqual([code, reason, wasClean], [3000, 'told', true]);
    assert.equal(client.messages.size, 0);
  },
);

testEach(
  TRANSPORTS,
  'a close frame before the open frame counts, without further transports',
  async (t, transport) => {
    const url = await serveFrames(t, ['c[4000,"no"]']);
    const client = connectClient(t, url, { transports: [transport, 'xhr-polling'] });
    const { code, attempt } = await client.closed();
    assert.deepEqual([code, attempt], [4000, 1]);
  },
);

testEach(TRANSPORTS, 'a second open frame is that of a new session', async (t, transport) => {
  const url = await serveFrames(t, ['o', 'o']);
  const client = connectClient(t, url, { transports: [transport] });
  await client.opens.next();
  assert.equal((await client.losses.next()).code, 1006);
});

/** Serves endless text without a line break after the open frame. @returns the number of bytes that were written */
async function serveEndless(
  t: TestContext,
  start: string,
  path: RegExp,
): Promise<{ readonly url: string; readonly written: () => number }> {
  let written = 0;
  const chunk = 'x'.repeat(2 ** 20);
  const server = createServer((request, response) => {
    if (!path.test(request.url ?? '')) {
      response.end('{}');
      return;
    }
    response.write(start);
    const write = (): void => {
      while (!response.destroyed) {
        written += chunk.length;
        if (!response.write(chunk)) break;
      }
    };
    response.on('drain', write);
    write();
  });
  const url = `http://127.0.0.1:${await startServer(t, server)}/echo`;
  return { url, written: () => written };
}

for (const [transport, start] of [
  ['xhr-streaming', 'o\n'],
  ['xhr-streaming', 'o\na["'],
  ['xhr-streaming', 'o\nhh'],
  ['xhr-polling', 'o\n'],
] as const) {
  test(`${transport}: an endless line after ${JSON.stringify(start)} is final with 1009`, async (t) => {
    const { url, written } = await serveEndless(t, start, /xhr/);
    const client = connectClient(t, url, { transports: [transport] });
    assert.equal((await client.closed()).code, 1009);
    const atEnd = written();
    assert.ok(atEnd < 2 ** 27, `${atEnd} bytes`);
  });
}

test('an endless /info is a failed attempt', async (t) => {
  const { url } = await serveEndless(t, '{"websocket":true,', /info/);
  const { reason } = await connectClient(t, url, { reconnectDelay: 60_000 }).losses.next();
  assert.match(reason, /too big/);
});

for (const info of [
  '',
  'null',
  '[]',
  '"text"',
  '5',
  '{',
  '{"websocket":"no","base_url":5,"entropy":null}',
  '<html>',
]) {
  test(`an /info of ${info || 'nothing'} does not throw`, async (t) => {
    const server = createServer((request, response) => {
      if (request.url === '/echo/info') response.end(info);
      else response.writeHead(500).end();
    });
    const url = `http://127.0.0.1:${await startServer(t, server)}/echo`;
    const { code } = await connectClient(t, url).losses.next();
    assert.equal(code, 1006);
  });
}

testEach(
  HTTP_TRANSPORTS,
  'responses that end at once are not repeated in a tight loop',
  async (t, transport) => {
    let requests = 0;
    const server = createServer((request, response) => {
      const isInfo = request.url === '/echo/info';
      if (!isInfo) requests += 1;
      response.setHeader('Content-Type', 'text/event-stream');
      response.end(isInfo ? '{}' : '');
    });
    const url = `http://127.0.0.1:${await startServer(t, server)}/echo`;
    const client = connectClient(t, url, { transports: [transport] });
    for (const attempt of [1, 2, 3]) assert.equal((await client.losses.next()).attempt, attempt);
    assert.ok(requests <= 4, `${requests} requests`);
  },
);

test('a response that ends within a frame is a lost connection', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/echo/info') response.end('{}');
    else response.end('o\na["hal');
  });
  const url = `http://127.0.0.1:${await startServer(t, server)}/echo`;
  const client = connectClient(t, url, { transports: ['xhr-streaming'] });
  await client.opens.next();
  assert.equal((await client.losses.next()).code, 1006);
  assert.equal(client.messages.size, 0);
});

test('binary WebSocket messages are ignored', async (t) => {
  const server = createServer((_request, response) => response.end('{}'));
  new WebSocketServer({ server }).on('connection', (socket) => {
    socket.send('o');
    socket.send(Buffer.from('a["binary"]'));
    socket.send('a["text"]');
  });
  const url = `http://127.0.0.1:${await startServer(t, server)}/echo`;
  const client = connectClient(t, url, { transports: ['websocket'] });
  assert.equal(await client.next(), 'text');
});

test('a percent-encoding of an event that is malformed ends the session with 1002', async (t) => {
  const url = await serveFrames(t, ['o', 'a["%"]']);
  const client = connectClient(t, url, { transports: ['eventsource'] });
  assert.equal((await client.losses.next()).code, 1002);
  await until(() => client.messages.size === 0, 'nothing');
});

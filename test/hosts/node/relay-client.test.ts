/** Relays to nodes that fail in every way. The test controls the frames of the owner. */
import assert from 'node:assert/strict';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { type Socket, createServer as createTcpServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_UPGRADE } from '../../../src/http/exchange.ts';
import { NodeExchange } from '../../../src/hosts/node/node-exchange.ts';
import { RelayClient } from '../../../src/hosts/node/relay-client.ts';
import { RelayListener } from '../../../src/hosts/node/relay-listener.ts';
import {
  FRAME_TYPES,
  FrameParser,
  type RelayFrame,
  encodeControl,
  encodeData,
  encodeHead,
  splitHead,
} from '../../../src/relay/frames.ts';
import type { RelayOutcome } from '../../../src/relay/relay-call.ts';
import { formatResponse, parseRequest } from '../../../src/relay/relay-head.ts';
import { RelayLink } from '../../../src/relay/relay-link.ts';
import { Program } from '../../../testkit/process.ts';
import { rawConnection } from '../../../testkit/raw-connection.ts';
import { type RawHttpConnection, httpConnection } from '../../../testkit/raw-http.ts';
import {
  TestLink,
  connectLink,
  encodeRequestFrame,
  startOwner,
} from '../../../testkit/relay-link.ts';
import { freePorts, portOf, startServer } from '../../../testkit/server.ts';
import { deferred, until } from '../../../testkit/until.ts';
import { VirtualProcess } from '../../../testkit/virtual-process.ts';

interface Relay {
  readonly relays: RelayClient;
  readonly client: RawHttpConnection;
  readonly outcome: Promise<RelayOutcome>;
  /** Reasons for which the owner was reported. */
  readonly failures: string[];
}

/** Sends a request to a server that relays it. @param port port of the owner */
async function startRelay(
  t: TestContext,
  port: number,
  { silenceLimit = 10_000, request = 'POST /x HTTP/1.1\r\nHost: a\r\n\r\n' } = {},
): Promise<Relay> {
  const failures: string[] = [];
  const relays = new RelayClient((_target, error) => failures.push(error.message));
  t.after(() => relays.close());
  const outcome = deferred<RelayOutcome>();
  const relay = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const limits = { writeTimeout: 10_000, sendTimeLimit: 10_000 };
    const target = { path: '/x', query: '' };
    const exchange = new NodeExchange(incoming, response, target, limits, NO_UPGRADE);
    const client = { address: '192.0.2.1', host: 'a', secure: false };
    const owner = { node: 'owner', host: '127.0.0.1', port };
    const head = { exchange, client, url: '/x', mode: undefined, body: undefined };
    const relayed = { ...head, silenceLimit, onEnd: () => {} };
    outcome.resolve(await relays.relay(owner, 'secret', relayed));
  };
  const edge = createServer(
    { maxHeaderSize: 400_000 },
    (incoming, response) => void relay(incoming, response),
  );
  const client = httpConnection(t, await startServer(t, edge));
  client.send(request);
  return { relays, client, outcome: outcome.promise, failures };
}

/** Starts a server that gets the bytes of each connection. @returns its port */
async function startTcpServer(
  t: TestContext,
  onData: (socket: Socket, data: Buffer) => void,
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => onData(socket, data));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return portOf(server);
}

/** Starts an owner that gets the first request of each link. @returns its port */
function startTestOwner(
  t: TestContext,
  onRequest: (link: TestLink, request: RelayFrame) => void,
): Promise<number> {
  return startOwner(t, (socket) => {
    const link = new TestLink(socket);
    link.next().then(
      (request) => onRequest(link, request),
      () => {},
    );
  });
}

/** Encodes the head of a response, and the first bytes of its body. */
function respond({ stream }: RelayFrame, headers: string[], body: string, isLast = false): Buffer {
  return encodeHead(FRAME_TYPES.response, stream, formatResponse(200, headers), body, isLast);
}

test('a response with a length that the owner cuts off is cut off for the client', async (t) => {
  const port = await startTestOwner(t, (link, request) => {
    link.send(respond(request, ['Content-Length', '9'], 'abc')).socket.end();
  });
  const { client, outcome } = await startRelay(t, port);
  assert.equal(await outcome, 'responded');
  await client.raw.closed();
  assert.match((await client.raw.readToEnd()).toString(), /abc$/);
});

for (const [name, end] of [
  ['the end of the link', (link: TestLink) => link.socket.end()],
  ['an abort', (link: TestLink) => link.send(encodeControl(FRAME_TYPES.abort, 1))],
  ['an unknown session', (link: TestLink) => link.send(encodeControl(FRAME_TYPES.unknown, 1))],
  [
    'a second response',
    (link: TestLink) => link.send(encodeHead(FRAME_TYPES.response, 1, '200', '', true)),
  ],
] as const)
  test(`a stream that the owner cuts off by ${name} ends for the client`, async (t) => {
    const port = await startTestOwner(t, (link, request) => {
      end(link.send(respond(request, [], 'abc')));
    });
    const { client, outcome } = await startRelay(t, port);
    assert.equal(await outcome, 'responded');
    assert.equal((await client.response()).body, 'abc');
  });

test('bytes before a response are not passed on, and end the link', async (t) => {
  const link = deferred<TestLink>();
  const port = await startTestOwner(t, (opened) => {
    link.resolve(opened.send(encodeData(1, 'forged', false)));
  });
  const { client, outcome } = await startRelay(t, port);
  assert.equal(await outcome, 'gone');
  await (await link.promise).closed();
  assert.equal(client.raw.available, 0);
});

test('bytes after the end of a response are not passed on, and end the link', async (t) => {
  const link = deferred<TestLink>();
  const port = await startTestOwner(t, (opened, request) => {
    link.resolve(opened.send(respond(request, [], 'abc')));
  });
  const { client } = await startRelay(t, port);
  assert.equal((await client.readHead()).status, 200);
  assert.equal(await client.nextChunk(), 'abc');
  const opened = await link.promise;
  opened.send(Buffer.concat([encodeData(1, '', true), encodeData(1, 'forged', false)]));
  assert.equal(await client.nextChunk(), undefined);
  await opened.closed();
  assert.equal(client.raw.available, 0);
});

test('a link that the owner ends without a response means that it is gone', async (t) => {
  const port = await startTcpServer(t, (socket) => socket.destroy());
  assert.equal(await (await startRelay(t, port)).outcome, 'gone');
  const [closedPort = 0] = await freePorts(1);
  const refused = await startRelay(t, closedPort);
  assert.equal(await refused.outcome, 'gone');
  assert.match(refused.failures.join(), /ECONNREFUSED/);
  const cut = await startRelay(t, await startTestOwner(t, (link) => link.socket.destroy()));
  assert.equal(await cut.outcome, 'gone');
  assert.equal(cut.failures.length, 1);
  const abort = encodeControl(FRAME_TYPES.abort, 1);
  const aborted = await startRelay(t, await startTestOwner(t, (link) => void link.send(abort)));
  assert.equal(await aborted.outcome, 'gone');
});

test('an owner without a response is given up after the limit, and may have handled the request', async (t) => {
  for (const port of [await startTestOwner(t, () => {}), await startTcpServer(t, () => {})]) {
    const { outcome, failures } = await startRelay(t, port, { silenceLimit: 1000 });
    assert.equal(await outcome, 'gone');
    assert.deepEqual(failures, ['no response within 1000 ms']);
  }
});

test('an owner that does not open the link is given up after 15 s', async (t) => {
  const virtual = new VirtualProcess(t.mock);
  let isConnected = false;
  const port = await startTcpServer(t, () => {
    isConnected = true;
  });
  const { outcome, failures } = await startRelay(t, port, { silenceLimit: Infinity });
  await advance(virtual, () => isConnected);
  await virtual.run(14_000);
  assert.deepEqual(failures, []);
  await virtual.run(2000);
  await advance(virtual, () => failures.length > 0);
  assert.equal(await outcome, 'gone');
  assert.deepEqual(failures, ['no connection within 15000 ms']);
});

test('an owner that becomes silent in a response is given up after the limit', async (t) => {
  const port = await startTestOwner(t, (link, request) => {
    link.send(respond(request, [], 'abc'));
  });
  const { client, outcome } = await startRelay(t, port, { silenceLimit: 1000 });
  assert.equal(await outcome, 'responded');
  assert.equal((await client.response()).body, 'abc');
});

test('a silent owner is not given up while the client reads nothing', async (t) => {
  const port = await startOwner(t, (socket) => {
    const link = new RelayLink(socket, {
      onRequest: (stream) => {
        const head = formatResponse(200, ['Content-Length', '50000000']);
        stream.respond(head, [Buffer.alloc(50_000_000)], true);
      },
      onEnd() {},
    });
    t.after(() => link.destroy());
  });
  const { client, outcome } = await startRelay(t, port, { silenceLimit: 1000 });
  client.raw.pause();
  assert.equal(await outcome, 'responded');
  await sleep(2500);
  assert.equal(client.raw.isClosed, false);
  client.raw.resume();
  await until(() => client.raw.available > 50_000_000, 'the whole response');
});

test('an owner that cannot be connected to in time has failed, and is not gone', async (t) => {
  // The kernel drops connections to a listener that accepts none, once its queue is full.
  const code =
    "const s = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => " +
    "console.log('port ' + s.address().port))";
  const program = new Program(process.execPath, ['-e', code]);
  t.after(() => program.stop('SIGKILL'));
  const [, text = ''] = await program.prints(/port (\d+)/);
  program.kill('SIGSTOP');
  await sleep(100);
  for (let count = 0; count < 4; count += 1) rawConnection(t, Number(text));
  await sleep(100);
  const { outcome, failures } = await startRelay(t, Number(text));
  assert.equal(await outcome, 'failed');
  assert.deepEqual(failures, ['no connection within 2000 ms']);
});

for (const status of ['404 Not Found', '200 OK', '431 Too Large'])
  test(`a response ${status} of another server is not passed on`, async (t) => {
    const port = await startTcpServer(t, (socket) => {
      socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 3\r\n\r\nabc`);
    });
    const { client, outcome, failures } = await startRelay(t, port);
    assert.equal(await outcome, 'refused');
    assert.deepEqual(failures, [`its status is ${status.slice(0, 3)}`]);
    assert.equal(client.raw.available, 0);
  });

test('headers of the owner are passed on', async (t) => {
  const headers = ['X-Kept', 'y', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'];
  const port = await startTestOwner(t, (link, request) => {
    link.send(respond(request, headers, 'abc', true));
  });
  const { client } = await startRelay(t, port);
  const { head, body } = await client.response();
  assert.equal(body, 'abc');
  assert.equal(head.header('x-kept'), 'y');
  assert.deepEqual(head.all('set-cookie'), ['a=1', 'b=2']);
  assert.equal(head.header('content-length'), '3');
});

test('a request to a node that is gone is aborted, and its link is closed', async (t) => {
  const link = deferred<TestLink>();
  const port = await startTestOwner(t, (opened) => link.resolve(opened));
  const { relays, outcome } = await startRelay(t, port);
  await link.promise;
  relays.abort('owner');
  assert.equal(await outcome, 'gone');
  await (await link.promise).closed();
});

test('a client that disconnects aborts its relayed request', async (t) => {
  const link = deferred<TestLink>();
  const port = await startTestOwner(t, (opened) => link.resolve(opened));
  const { client, outcome, failures } = await startRelay(t, port);
  const opened = await link.promise;
  client.abort();
  assert.equal(await outcome, 'disconnected');
  const { stream, type } = await opened.next();
  assert.deepEqual([stream, type], [1, FRAME_TYPES.abort]);
  assert.deepEqual(failures, []);
});

test('a client that disconnects before the link is open is not relayed', async (t) => {
  const asked = deferred();
  const accept = deferred();
  const frames: RelayFrame[] = [];
  const server = createServer();
  server.on('upgrade', (_request, socket) => {
    asked.resolve();
    void accept.promise.then(() => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: sockjs-relay\r\n\r\n',
      );
      const parser = new FrameParser((frame) => frames.push(frame));
      socket.on('data', (data: Buffer) => parser.push(data));
    });
    t.after(() => void socket.destroy());
  });
  const { client, relays, outcome } = await startRelay(t, await startServer(t, server));
  await asked.promise;
  client.abort();
  assert.equal(await outcome, 'disconnected');
  accept.resolve();
  await sleep(100);
  assert.deepEqual(frames, []);
  relays.close();
});

test('an invalid header of a response ends only this response', async (t) => {
  const link = deferred<TestLink>();
  const port = await startTestOwner(t, (opened, request) => {
    opened.send(respond(request, ['Odd', '\u007f'], '', true));
    link.resolve(opened);
  });
  const { client, failures } = await startRelay(t, port);
  await client.raw.closed();
  assert.deepEqual(failures, ['its response is invalid']);
  assert.equal((await (await link.promise).next()).type, FRAME_TYPES.abort);
});

test('a request with a head that is too long is refused', async (t) => {
  const port = await startTestOwner(t, () => assert.fail('It was relayed.'));
  const request = `POST /x HTTP/1.1\r\nHost: a\r\nLong: ${'x'.repeat(300_000)}\r\n\r\n`;
  const { outcome, failures } = await startRelay(t, port, { request });
  assert.equal(await outcome, 'refused');
  assert.match(failures.join(), /longer than 262144 bytes/);
});

test('the link begins with the secret, and a request has its relayed headers only', async (t) => {
  const upgrade = deferred<string>();
  const listening = await startTcpServer(t, (_socket, data) => upgrade.resolve(data.toString()));
  await startRelay(t, listening);
  assert.deepEqual((await upgrade.promise).split('\r\n'), [
    'GET / HTTP/1.1',
    'sockjs-relay: 2 secret',
    'sockjs-relay-owner: owner',
    'Connection: Upgrade',
    'Upgrade: sockjs-relay',
    '',
    '',
  ]);
  const request = deferred<RelayFrame>();
  const port = await startTestOwner(t, (_link, frame) => request.resolve(frame));
  await startRelay(t, port, {
    request:
      'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Kept: y\r\n' +
      'SOCKJS-RELAY: 1 forged\r\nProxy-Authorization: z\r\n\r\n0\r\n\r\n',
  });
  const { payload, isLast } = await request.promise;
  const { head, body } = splitHead(payload);
  assert.deepEqual([body.length, isLast], [0, true]);
  assert.deepEqual(parseRequest(head), {
    method: 'POST',
    url: '/x',
    mode: undefined,
    client: { address: '192.0.2.1', host: 'a', secure: false },
    bodyLength: 0,
    rawHeaders: ['Host', 'a', 'X-Kept', 'y'],
  });
});

/** Lets virtual time pass in small steps until a condition holds. */
async function advance(virtual: VirtualProcess, condition: () => boolean): Promise<void> {
  for (let step = 0; step < 10_000 && !condition(); step += 1) await virtual.run(1);
  assert.ok(condition());
}

test('a link without requests is closed after 10 s, and one with a request stays', async (t) => {
  const virtual = new VirtualProcess(t.mock);
  const links: TestLink[] = [];
  const port = await startOwner(t, (socket) => {
    links.push(new TestLink(socket));
  });
  const { relays } = await startRelay(t, port, { silenceLimit: 100_000 });
  await advance(virtual, () => links[0]?.available === 1);
  const [link] = links;
  assert.ok(link !== undefined);
  for (let seconds = 0; seconds < 30; seconds += 1) {
    link.send(encodeControl(FRAME_TYPES.pong, 0));
    await virtual.run(1000);
  }
  assert.equal(link.socket.destroyed, false);
  link.send(respond(await link.next(), [], '', true));
  await virtual.run(9000);
  assert.equal(link.socket.destroyed, false);
  await virtual.run(3000);
  await advance(virtual, () => link.socket.destroyed);
  // The next request opens another link.
  const target = { node: 'owner', host: '127.0.0.1', port };
  const probed = relays.probe(target, 'secret');
  await advance(virtual, () => links.length === 2);
  links[1]?.send(encodeControl(FRAME_TYPES.pong, 0));
  assert.equal(await probed, true);
});

test('a probe is answered by any bytes, and fails without them after 1 s', async (t) => {
  const failures: string[] = [];
  const relays = new RelayClient((_target, error) => failures.push(error.message));
  t.after(() => relays.close());
  const isResponding = { value: true };
  const port = await startOwner(t, (socket) => {
    socket.on('data', () => isResponding.value && socket.write(encodeControl(FRAME_TYPES.pong, 0)));
  });
  const target = { node: 'owner', host: '127.0.0.1', port };
  assert.equal(await relays.probe(target, 'secret'), true);
  isResponding.value = false;
  assert.equal(await relays.probe(target, 'secret'), false);
  const [closedPort = 0] = await freePorts(1);
  assert.equal(await relays.probe({ ...target, node: 'a', port: closedPort }, 'secret'), false);
  const other = await startTcpServer(t, (socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'));
  assert.equal(await relays.probe({ ...target, node: 'b', port: other }, 'secret'), false);
  assert.deepEqual(failures, []);
});

test('the listener closes connections that send no request, and keeps links', async (t) => {
  const listener = new RelayListener({
    secret: () => 'secret',
    node: () => 'owner',
    routers: [],
    onRelayed: () => {},
    onOtherVersion: () => {},
    headersTimeout: 1500,
  });
  const port = await startServer(t, listener.server);
  t.after(() => listener.close());
  const silent = rawConnection(t, port);
  const slow = rawConnection(t, port).write('POST / HTTP/1.1\r\nSockjs-Relay: 2 secr');
  const link = await connectLink(t, port, { secret: 'secret', node: 'owner' });
  await silent.ended();
  await slow.ended();
  assert.equal((await slow.readToEnd()).length, 0);
  link.send(encodeRequestFrame(1, 'POST', '/x'));
  assert.equal((await link.next()).type, FRAME_TYPES.unknown);
});

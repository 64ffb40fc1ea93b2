/** Relays to nodes that fail in every way. The owner is a server whose bytes the test controls. */
import assert from 'node:assert/strict';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { type Socket, createServer as createTcpServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_UPGRADE } from '../../../src/http/exchange.ts';
import { NodeExchange } from '../../../src/hosts/node/node-exchange.ts';
import type { RelayOutcome } from '../../../src/hosts/node/relay-call.ts';
import { RelayClient } from '../../../src/hosts/node/relay-client.ts';
import { createRelayListener } from '../../../src/hosts/node/relay-listener.ts';
import { Program } from '../../../testkit/process.ts';
import { rawConnection } from '../../../testkit/raw-connection.ts';
import { type RawHttpConnection, httpConnection } from '../../../testkit/raw-http.ts';
import { freePorts, startServer } from '../../../testkit/server.ts';
import { deferred, until, within } from '../../../testkit/until.ts';

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
  const edge = createServer((incoming, response) => void relay(incoming, response));
  const client = httpConnection(t, await startServer(t, edge));
  client.send(request);
  return { relays, client, outcome: outcome.promise, failures };
}

/** Starts an owner that gets the bytes of each connection. @returns its port */
async function startOwner(
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
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

const HANDLED = 'HTTP/1.1 200 OK\r\nSockjs-Relay-Result: handled\r\n';

test('a response with a length that the owner cuts off is cut off for the client', async (t) => {
  const head = 'Content-Length: 9\r\n\r\nabc';
  const port = await startOwner(t, (socket) => socket.end(`${HANDLED}${head}`));
  const { client, outcome } = await startRelay(t, port);
  assert.equal(await outcome, 'responded');
  await client.raw.closed();
  assert.match((await client.raw.readToEnd()).toString(), /abc$/);
});

test('a stream that the owner cuts off ends for the client', async (t) => {
  const head = 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';
  const port = await startOwner(t, (socket) => socket.end(`${HANDLED}${head}`));
  const { client, outcome } = await startRelay(t, port);
  assert.equal(await outcome, 'responded');
  assert.equal((await client.response()).body, 'abc');
});

test('a connection that the owner closes without a response means that it is gone', async (t) => {
  const port = await startOwner(t, (socket) => socket.destroy());
  assert.equal(await (await startRelay(t, port)).outcome, 'gone');
  const [closedPort = 0] = await freePorts(1);
  const { outcome, failures } = await startRelay(t, closedPort);
  assert.equal(await outcome, 'gone');
  assert.match(failures.join(), /ECONNREFUSED/);
});

test('an owner without a response is given up after the limit, and may have handled the request', async (t) => {
  const port = await startOwner(t, () => {});
  const { outcome, failures } = await startRelay(t, port, { silenceLimit: 1000 });
  assert.equal(await outcome, 'gone');
  assert.deepEqual(failures, ['no response within 1000 ms']);
});

test('an owner that becomes silent in a response is given up after the limit', async (t) => {
  const port = await startOwner(t, (socket) => {
    socket.write(`${HANDLED}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  });
  const { client, outcome } = await startRelay(t, port, { silenceLimit: 1000 });
  assert.equal(await outcome, 'responded');
  assert.equal((await client.response()).body, 'abc');
});

test('a silent owner is not given up while the client reads nothing', async (t) => {
  const port = await startOwner(t, (socket) => {
    socket.write(`${HANDLED}Content-Length: 50000000\r\n\r\n`);
    socket.write(Buffer.alloc(50_000_000));
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
    "{ console.log('port ' + s.address().port); setTimeout(() => { for (;;); }, 200); })";
  const program = new Program(process.execPath, ['-e', code]);
  t.after(() => program.stop('SIGKILL'));
  const [, text = ''] = await program.prints(/port (\d+)/);
  await sleep(500);
  for (let count = 0; count < 4; count += 1) rawConnection(t, Number(text));
  await sleep(100);
  const { outcome, failures } = await startRelay(t, Number(text));
  assert.equal(await outcome, 'failed');
  assert.deepEqual(failures, ['no connection within 2000 ms']);
});

for (const status of ['404 Not Found', '200 OK', '431 Too Large'])
  test(`a response ${status} of another server is not passed on`, async (t) => {
    const port = await startOwner(t, (socket) => {
      socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 3\r\n\r\nabc`);
    });
    const { client, outcome, failures } = await startRelay(t, port);
    assert.equal(await outcome, 'refused');
    assert.deepEqual(failures, [`its status is ${status.slice(0, 3)}`]);
    assert.equal(client.raw.available, 0);
  });

test('headers of the connection and of the relay are not passed on', async (t) => {
  const port = await startOwner(t, (socket) => {
    socket.write(
      `${HANDLED}Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nSockjs-Relay-Other: x\r\n` +
        'X-Kept: y\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 3\r\n\r\nabc',
    );
  });
  const { client } = await startRelay(t, port);
  const { head, body } = await client.response();
  assert.equal(body, 'abc');
  const names = head.headers.map(([name]) => name.toLowerCase());
  assert.equal(
    names.some((name) => name.startsWith('sockjs-relay')),
    false,
  );
  assert.equal(head.header('x-kept'), 'y');
  assert.deepEqual(head.all('set-cookie'), ['a=1', 'b=2']);
  assert.equal(head.header('keep-alive'), 'timeout=5');
  assert.equal(head.header('content-length'), '3');
});

test('a request to a node that is gone is aborted, and its connections are closed', async (t) => {
  const closed = deferred();
  const port = await startOwner(t, (socket) => {
    socket.on('close', () => closed.resolve());
  });
  const { relays, outcome } = await startRelay(t, port);
  await sleep(50);
  relays.abort('owner');
  assert.equal(await outcome, 'gone');
  await within(closed.promise, 'the end of the connection');
});

test('a client that disconnects aborts its relayed request', async (t) => {
  const [requested, closed] = [deferred(), deferred()];
  const port = await startOwner(t, (socket) => {
    requested.resolve();
    socket.on('close', () => closed.resolve());
  });
  const { client, outcome, failures } = await startRelay(t, port);
  await requested.promise;
  client.abort();
  assert.equal(await outcome, 'disconnected');
  await within(closed.promise, 'the end of the connection');
  assert.deepEqual(failures, []);
});

test('the request begins with the secret, and has one length', async (t) => {
  const request = deferred<string>();
  const port = await startOwner(t, (_socket, data) => request.resolve(data.toString()));
  await startRelay(t, port, {
    request:
      'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Kept: y\r\n' +
      'SOCKJS-RELAY: 1 forged\r\nProxy-Authorization: z\r\n\r\n0\r\n\r\n',
  });
  const lines = (await request.promise).split('\r\n');
  assert.deepEqual(lines, [
    'POST /x HTTP/1.1',
    'sockjs-relay: 1 secret',
    'sockjs-relay-owner: owner',
    'sockjs-relay-client: http 192.0.2.1 a',
    'Content-Length: 0',
    'Host: a',
    'X-Kept: y',
    'Connection: keep-alive',
    '',
    '',
  ]);
});

test('the listener closes connections that send no request', async (t) => {
  const listener = createRelayListener({
    secret: () => 'secret',
    node: () => 'owner',
    routers: [],
    onRelayed: () => {},
    onOtherVersion: () => {},
    headersTimeout: 300,
  });
  const port = await startServer(t, listener);
  const silent = rawConnection(t, port);
  const slow = rawConnection(t, port).write('POST / HTTP/1.1\r\nSockjs-Relay: 1 secr');
  const idle = httpConnection(t, port).send('POST / HTTP/1.1\r\nSockjs-Relay: 1 secret\r\n\r\n');
  assert.equal((await idle.response()).status, 404);
  await silent.ended();
  await slow.ended();
  assert.equal((await slow.readToEnd()).length, 0);
  // A node keeps its connections.
  assert.equal(idle.raw.isEnded, false);
});

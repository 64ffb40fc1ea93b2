/**
 * The packed package on each runtime: `programs/runtime-server.mjs` runs there, and the clients of `testkit/` here.
 * docs/compatibility.md lists the differences that these tests show, in the section "Runtimes".
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, after, before, describe, test } from 'node:test';
import { ROOT } from '../test/package/project.ts';
import {
  type Http2Response,
  extendedConnect,
  http2Connection,
  http2Request,
  http2WebSocket,
} from '../testkit/http2-client.ts';
import { Program, run } from '../testkit/process.ts';
import { type RawHttpConnection, httpConnection, httpRequest } from '../testkit/raw-http.ts';
import {
  OFFER_COMPRESSION,
  RawWebSocket,
  openWebSocket,
  upgradeRequest,
} from '../testkit/raw-websocket.ts';
import { SockJSClient, type SockJSClientOptions } from '../testkit/sockjs-client.ts';
import { poll } from '../testkit/sockjs-http.ts';
import {
  RAW_WEBSOCKET,
  TRANSPORTS,
  type Transport,
  WEBSOCKET,
  WS_TRANSPORTS,
  XHR,
  XHR_STREAMING,
  newSession,
  sendRequest,
  wsPath,
} from '../testkit/transports.ts';
import { COMPRESSED, OPCODE, deflate, encodeFrame } from '../testkit/websocket-frames.ts';
import { installation } from './installation.ts';
import { RUNTIMES, type Runtime, renderDifferences } from './runtimes.ts';

const MESSAGES: readonly string[] = Array.from(
  { length: 1000 },
  (_, index) => `message ${index} €`,
);

/** `maxMessageBytes` of the program. */
const MAX_MESSAGE_BYTES = 100_000;

/** What the program sends to a client that does not read. */
const FLOOD_BYTES = 2 ** 29;

/** Limit for the growth of the program. Its code and its garbage take up to 150 MiB on any runtime. */
const MAX_GROWTH_BYTES = FLOOD_BYTES / 2;

/** More than `maxBufferedBytes` of the program and the buffers of the system, which take some 4 MiB. */
const MAX_UNREAD_BYTES = 2 ** 25;

/** More than the time after which an ignored upgrade is refused. */
const IGNORED_UPGRADE_MS = 4000;

/** More than `requestTimeout` of the program. */
const LATE_BODY_MS = 4000;

const CHUNKED = [['Transfer-Encoding', 'chunked']] as const;

const CLIENT_TIMEOUT_MS = 20_000;

/** The warning of the router about bodies that it refuses. */
const WARNING = '/echo: refused a request body with 413: it was longer than maxMessageBytes.\n';

const STREAMING: readonly Transport[] = [XHR_STREAMING, WEBSOCKET, RAW_WEBSOCKET];

/** Sends a body over the limit. */
type SendOversized = (connection: RawHttpConnection, path: string, body: Buffer) => void;

const OVERSIZED: Readonly<Record<string, SendOversized>> = {
  'with a length': (connection, path, body) => {
    connection.send({ method: 'POST', path, body });
  },
  'in chunks': (connection, path, body) => {
    connection.send({ method: 'POST', path, headers: CHUNKED });
    connection.raw
      .write(`${body.length.toString(16)}\r\n`)
      .write(body)
      .write('\r\n0\r\n\r\n');
  },
};

const installed = await installation([]);

describe('runtimes', { concurrency: 3 }, () => {
  for (const runtime of RUNTIMES) {
    // One test at a time, since some of them measure memory.
    describe(`${runtime.name} ${runtime.version}`, { concurrency: 1 }, () => probe(runtime));
  }
});

test('the documents name the versions and the differences', () => {
  const compatibility = readFileSync(join(ROOT, 'docs', 'compatibility.md'), 'utf8');
  const table = renderDifferences();
  assert.ok(compatibility.includes(`\n\n${table}\n\n`), table);
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const oldest = new Map(RUNTIMES.toReversed().map(({ name, version }) => [name, version]));
  for (const [name, version] of oldest) assert.ok(readme.includes(`${name} ${version}`), name);
});

function probe(runtime: Runtime): void {
  const folder = installed.folder(
    `${runtime.name} ${runtime.version}`,
    'module',
    'runtime-server.mjs',
    'runtime-client.mjs',
  );
  let command: readonly [string, ...string[]];
  let program: Program;
  let port = 0;
  let dropInPort = 0;
  let http2Port = 0;

  function start(): Program {
    const [file, ...args] = command;
    return new Program(file, [...args, 'runtime-server.mjs'], { cwd: folder });
  }

  async function portsOf(
    started: Program,
  ): Promise<readonly [own: number, dropIn: number, http2: number]> {
    const [, own, dropIn, http2] = await started.prints(/^ports (\d+) (\d+) (\d+)\n/m);
    return [Number(own), Number(dropIn), Number(http2)];
  }

  before(async () => {
    command = await runtime.install();
    program = start();
    [port, dropInPort, http2Port] = await portsOf(program);
  });

  after(async () => {
    await program.stop('SIGKILL');
    assert.equal(program.stderr, WARNING);
  });

  /** Connects to a service of the program, which prints the events of the connection with its name. */
  function connect(
    t: TestContext,
    transport: Transport,
    name: string,
    options: Partial<SockJSClientOptions> = {},
  ): SockJSClient {
    const client = new SockJSClient(transport, { server: port, query: `name=${name}`, ...options });
    t.after(() => client.abort());
    return client;
  }

  /** Waits for the close of a connection. @returns code and reason */
  async function closed(name: string): Promise<string | undefined> {
    return (await program.prints(new RegExp(`^closed ${name} (.*)\n`, 'm')))[1];
  }

  for (const transport of TRANSPORTS) {
    const { name } = transport;

    test(`${name}: 1,000 messages come back in order, and the client gets the close code`, async (t) => {
      const client = await connect(t, transport, name).opened();
      for (let at = 0; at < MESSAGES.length; at += 100) {
        await client.send(...MESSAGES.slice(at, at + 100));
      }
      assert.deepEqual(await client.take(MESSAGES.length), MESSAGES);
      // The close frame may arrive before the response to this message.
      client.send('close').catch(() => {});
      const { code, reason } = await client.closed();
      assert.deepEqual({ code, reason }, { code: 4000, reason: 'as requested' });
      assert.equal(await closed(name), '4000 as requested');
    });
  }

  for (const transport of WS_TRANSPORTS) {
    test(`${transport.name}: onClose gets the close code of the client`, async (t) => {
      const name = `${transport.name}-client`;
      const path = `${wsPath(transport, newSession())}?name=${name}`;
      const socket = await openWebSocket(t, port, path);
      socket.close(4321, 'bye');
      assert.deepEqual(await socket.closed(), { code: 4321, reason: 'bye' });
      assert.equal(await closed(name), '4321 bye');
    });
  }

  for (const transport of STREAMING) {
    test(`${transport.name}: send() returns false while a client does not read, and drained() waits for it`, async (t) => {
      const name = `${transport.name}-behind`;
      const client = await connect(t, transport, name, { session: newSession('/slow') }).opened();
      client.pause();
      await client.send('fill');
      await program.prints(new RegExp(`^behind ${name}\n`, 'm'));
      client.resume();
      let last = await client.next();
      while (last.startsWith('x')) last = await client.next();
      assert.equal(last, 'drained: true');
    });

    test(`${transport.name}: the memory stays bounded while a client does not read, and it gets the newest messages`, async (t) => {
      const name = `${transport.name}-flooded`;
      const client = await connect(t, transport, name, { session: newSession('/slow') }).opened();
      client.pause();
      await client.send('flood');
      const flooded = new RegExp(`^flooded ${name} (.*) (.*)\n`, 'm');
      const [, sent, growth] = await program.prints(flooded);
      client.resume();
      let received = 0;
      for (let message = await client.next(); message !== 'end'; message = await client.next()) {
        received += message.length;
      }
      t.diagnostic(`growth ${growth}, received ${received}`);
      assert.equal(Number(sent), FLOOD_BYTES);
      assert.ok(Number(growth) < MAX_GROWTH_BYTES, growth);
      assert.ok(received < MAX_UNREAD_BYTES, String(received));
    });

    test(`${transport.name}: writeTimeout closes a client that does not read`, async (t) => {
      const name = `${transport.name}-stalled`;
      const session = newSession('/stalling');
      const client = await connect(t, transport, name, { session }).opened();
      client.pause();
      await client.send('stall');
      assert.equal(await closed(name), '1013 Client stopped reading');
    });
  }

  test('an aborted stream interrupts its session', async (t) => {
    const session = newSession();
    const client = await connect(t, XHR_STREAMING, 'aborted', { session }).opened();
    client.abort();
    assert.equal(await closed('aborted'), '1002 Connection interrupted');
    assert.equal(await poll(port, session), 'c[1002,"Connection interrupted"]');
  });

  for (const [framing, sendOversized] of Object.entries(OVERSIZED)) {
    for (const length of [MAX_MESSAGE_BYTES + 1, 3_000_000]) {
      const body = Buffer.alloc(length, 'x');

      test(`a body of ${length} bytes ${framing} gets 413, and the next one of the connection arrives`, async (t) => {
        const session = newSession();
        assert.equal(await poll(port, session), 'o');
        const connection = httpConnection(t, port);
        sendOversized(connection, `${session}/xhr_send`, body);
        assert.equal((await connection.response('POST')).status, 413);
        const next = sendRequest(XHR, { session }, '["next"]');
        assert.equal((await connection.request(next)).status, 204);
        assert.equal(await poll(port, session), 'a["next"]');
      });

      test(`a connection serves further requests after a body of ${length} bytes ${framing} that nobody reads`, async (t) => {
        const session = newSession();
        const connection = httpConnection(t, port);
        sendOversized(connection, `${session}/xhr_send`, body);
        assert.equal((await connection.response('POST')).status, 404);
        sendOversized(connection, `${session}/xhr_streaming`, body);
        await connection.readHead();
        const close = sendRequest(XHR, { session }, '["close"]');
        assert.equal((await httpRequest(port, close)).status, 204);
        assert.equal((await connection.chunks()).at(-1), 'c[4000,"as requested"]\n');
        assert.equal((await connection.request({ path: '/echo' })).status, 200);
      });
    }
  }

  test('an asynchronous authorize refuses and accepts WebSockets, and early messages arrive', async (t) => {
    const path = `${newSession('/private')}/websocket`;
    await assert.rejects(openWebSocket(t, port, path), { status: 401, body: 'Please log in.' });
    const connection = httpConnection(t, port);
    connection.send(upgradeRequest(`${path}?token=secret`));
    connection.raw.write(encodeFrame(OPCODE.text, '["early"]'));
    const socket = new RawWebSocket(connection.raw, await connection.readHead());
    assert.deepEqual(await socket.take(2), ['o', 'a["early"]']);
  });

  test('WebSocket messages are compressed', async (t) => {
    const headers = OFFER_COMPRESSION;
    const socket = await openWebSocket(t, port, '/compressed/websocket', { headers });
    const text = 'compressible '.repeat(1000);
    socket.raw.write(encodeFrame(OPCODE.text, deflate(text), COMPRESSED));
    assert.equal(await socket.next(), text);
    const frame = await socket.frames.next();
    assert.ok(frame.isCompressed && frame.payload.length < 1000);
  });

  test('HTTP/2: polling, streaming and WebSockets share one connection', async (t) => {
    const client = await http2Connection(t, `http://127.0.0.1:${http2Port}`);
    const post = (path: string, body?: string): Promise<Http2Response> =>
      http2Request(client, { ':method': 'POST', ':path': path }, body);
    const session = newSession();
    assert.equal((await post(`${session}/xhr`)).body, 'o\n');
    const socket = await http2WebSocket(client, `${newSession()}/websocket`);
    assert.equal(await socket.next(), 'o');
    assert.equal((await post(`${session}/xhr_send`, '["polled"]')).status, 204);
    assert.equal((await post(`${session}/xhr`)).body, 'a["polled"]\n');
    const streaming = post(`${session}/xhr_streaming`);
    assert.equal((await post(`${session}/xhr_send`, '["streamed","close"]')).status, 204);
    assert.match((await streaming).body, /^h+\na\["streamed"\]\nc\[4000,"as requested"\]\n$/);
    socket.send('["sent"]');
    assert.equal(await socket.next(), 'a["sent"]');
    assert.equal((await post(`${session}/xhr_send`, 'x'.repeat(300_000))).status, 413);
    const { response } = await extendedConnect(client, '/echo/info');
    assert.equal(response[':status'], 405);
    socket.send('["close"]');
    assert.deepEqual(await socket.closed(), { code: 4000, reason: 'as requested' });
  });

  for (const transport of TRANSPORTS) {
    test(`the drop-in echoes over ${transport.name}`, async (t) => {
      const options = { server: dropInPort, session: newSession('/drop-in') };
      const client = await connect(t, transport, 'drop-in', options).opened();
      await client.send('hello', 'world');
      assert.deepEqual(await client.take(2), ['hello', 'world']);
    });
  }

  test('an upgrade that nobody handles is served as a plain request', async () => {
    const headers = [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'h2c'],
    ] as const;
    for (const request of [{ path: '/', headers }, upgradeRequest('/other')]) {
      assert.equal((await httpRequest(port, request)).body, 'application');
    }
    assert.equal((await httpRequest(port, { path: '/echo/info', headers })).status, 200);
  });

  const { traits } = runtime;

  if (traits.refusesIgnoredUpgrades) {
    test('an upgrade that the listeners of the application ignore gets 404', async () => {
      assert.equal((await httpRequest(dropInPort, upgradeRequest('/other'))).status, 404);
    });
  } else {
    test('an upgrade that the listeners of the application ignore stays open', async (t) => {
      const connection = httpConnection(t, dropInPort).send(upgradeRequest('/other'));
      assert.equal(await connection.raw.activity(IGNORED_UPGRADE_MS), false);
    });
  }

  const lateBodyEnd = traits.limitsLateBodies ? 'ends with requestTimeout' : 'is read and dropped';
  test(`a body that goes on after its response ${lateBodyEnd}`, async (t) => {
    const connection = httpConnection(t, dropInPort);
    const path = `${newSession('/drop-in')}/xhr_send`;
    connection.send({ method: 'POST', path, headers: CHUNKED });
    assert.equal((await connection.response('POST')).status, 404);
    const sending = setInterval(() => connection.raw.write('1\r\nx\r\n'), 20);
    t.after(() => clearInterval(sending));
    if (traits.limitsLateBodies) await connection.raw.ended();
    else assert.equal(await connection.raw.activity(LATE_BODY_MS), false);
  });

  const clientTransports: Readonly<Record<string, boolean>> = {
    websocket: traits.hasWebSocket,
    'xhr-streaming': true,
    eventsource: traits.hasEventSource,
    'xhr-polling': true,
  };
  for (const [transport, isAvailable] of Object.entries(clientTransports)) {
    const name = isAvailable ? 'echoes' : 'skips a transport without its global, and echoes';
    test(`${transport}: the browser client ${name}`, async () => {
      const [file, ...args] = command;
      const url = `http://127.0.0.1:${port}/echo?name=client`;
      const client = [...args, 'runtime-client.mjs', url, transport, 'xhr-polling'];
      const { stdout } = await run(file, client, { cwd: folder, timeout: CLIENT_TIMEOUT_MS });
      const expected = isAvailable ? transport : 'xhr-polling';
      assert.equal(stdout, `${expected} echo 4000 as requested\n`);
    });
  }

  test('router.close() closes every client, and the process ends by itself', async (t) => {
    const own = start();
    t.after(() => void own.stop('SIGKILL'));
    const [server] = await portsOf(own);
    const clients = await Promise.all(
      TRANSPORTS.map((transport) => connect(t, transport, transport.name, { server }).opened()),
    );
    own.kill('SIGTERM');
    for (const client of clients) {
      const { code, reason } = await client.closed();
      assert.deepEqual({ code, reason }, { code: 1001, reason: 'Server is going away' });
    }
    assert.deepEqual(await own.exited(), { code: 0, signal: null });
    assert.match(own.stdout, /^closed all$/m);
    assert.equal(own.stderr, '');
  });
}

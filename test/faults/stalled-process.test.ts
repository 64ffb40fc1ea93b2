/**
 * A process that is stopped, or whose event loop is blocked, for longer than every time limit. Clients that did their
 * part in the meantime stay connected.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Program, startNode } from '../../testkit/process.ts';
import { httpConnection } from '../../testkit/raw-http.ts';
import { openWebSocket } from '../../testkit/raw-websocket.ts';
import { Receiver, poll, postBody, requestSession } from '../../testkit/sockjs-http.ts';
import {
  type HttpTransport,
  type Transport,
  type WsTransport,
  RAW_WEBSOCKET,
  STREAMING_TRANSPORTS,
  WEBSOCKET,
  XHR,
  newSession,
  openRequest,
  sendRequest,
  wsPath,
} from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import { OPCODE } from '../../testkit/websocket-frames.ts';
import { STALL_MS, type Command } from './stalled-server.ts';

const SERVER = fileURLToPath(new URL('stalled-server.ts', import.meta.url));

/** A client before, during and after the stall. */
interface Client {
  /** Called while the process is stopped. */
  during(): void;
  /** Called when it runs again. */
  after(): Promise<void>;
}

type Prepare = (t: TestContext, port: number) => Promise<Client>;

/** Keeps polling on one connection, or on a new one for each poll. */
function polling(isKeptAlive: boolean): Prepare {
  return async (t, port) => {
    const session = newSession();
    const request = openRequest(XHR, { session });
    const first = httpConnection(t, port).send(request);
    const { contentLength = 0 } = await first.readHead();
    assert.equal(await first.read(contentLength), 'o\n');
    const next = isKeptAlive ? first : httpConnection(t, port);
    return {
      during: () => void next.send(request),
      async after() {
        const { status, contentLength: length = 0 } = await next.readHead();
        assert.equal(status, 200);
        assert.equal(await next.read(length), 'h\n');
      },
    };
  };
}

/** Sends its next receiving request after its stream has ended. */
function renewing(transport: HttpTransport): Prepare {
  return async (t, port) => {
    const session = newSession();
    const stream = new Receiver(port, session, transport);
    assert.deepEqual((await stream.frames()).slice(0, 1), ['o']);
    const next = httpConnection(t, port);
    return {
      during: () => void next.send(openRequest(transport, { session })),
      async after() {
        assert.equal((await next.readHead()).status, 200);
        assert.equal((await postBody(port, session, '["x"]')).status, 204);
      },
    };
  };
}

/** Sends a message while its stream is open. */
function streaming(transport: HttpTransport): Prepare {
  return async (t, port) => {
    const session = newSession('/long-streams');
    const stream = new Receiver(port, session, transport);
    t.after(() => stream.close());
    assert.equal(await stream.frame(), 'o');
    const sender = httpConnection(t, port);
    return {
      during: () => void sender.send(sendRequest(XHR, { session }, '["x"]')),
      async after() {
        assert.equal((await sender.readHead()).status, 204);
        await until(async () => (await stream.frame()) === 'a["x"]', 'the echo');
      },
    };
  };
}

/** Sends the rest of a body. */
const sendingBody: Prepare = async (t, port) => {
  const session = newSession();
  const stream = await requestSession(t, port, XHR, { session });
  assert.equal(stream.status, 200);
  const receiver = httpConnection(t, port).send(openRequest(XHR, { session }));
  const sender = httpConnection(t, port);
  sender.send(`POST ${session}/xhr_send HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n["x`);
  return {
    during: () => void sender.send('"]'),
    async after() {
      assert.equal((await sender.readHead()).status, 204);
      assert.equal((await receiver.readHead()).status, 200);
    },
  };
};

/** Responds to pings, and sends the rest of a message. */
function webSocket(transport: WsTransport): Prepare {
  return async (t, port) => {
    const client = await openWebSocket(t, port, wsPath(transport, newSession()));
    await client.pings.next();
    client.sendFrame(OPCODE.text, '"x', { fin: false });
    return {
      during: () => void client.pong().sendFrame(OPCODE.continuation, '"'),
      async after() {
        const echoed = transport === WEBSOCKET ? 'a["x"]' : '"x"';
        await until(async () => (await client.next()) === echoed, 'the echo');
      },
    };
  };
}

/** Waits for `authorize`, whose result arrives during the stall. */
function authorized(transport: Transport, server: Program): Prepare {
  return async (t, port) => {
    const connection = httpConnection(t, port);
    connection.send(openRequest(transport, { query: 'slow=1' }));
    await delay(100);
    return {
      during: () => server.send('authorize' satisfies Command),
      async after() {
        assert.equal((await connection.readHead()).status, transport.isWebSocket ? 101 : 200);
      },
    };
  };
}

async function testStall(
  t: TestContext,
  stall: (server: Program, during: () => void) => Promise<void>,
): Promise<void> {
  const server = startNode(t, SERVER, [], { ipc: true });
  const { port } = (await server.nextMessage()) as { port: number };
  const prepared: readonly (readonly [name: string, Prepare])[] = [
    ['authorize of xhr', authorized(XHR, server)],
    ['authorize of websocket', authorized(WEBSOCKET, server)],
    ['xhr on new connections', polling(false)],
    ['xhr on one connection', polling(true)],
    ...STREAMING_TRANSPORTS.flatMap((transport): (readonly [string, Prepare])[] => [
      [`next ${transport.name}`, renewing(transport)],
      [`open ${transport.name}`, streaming(transport)],
    ]),
    ['a body', sendingBody],
    ['websocket', webSocket(WEBSOCKET)],
    ['raw websocket', webSocket(RAW_WEBSOCKET)],
  ];
  const clients = await Promise.all(
    prepared.map(async ([name, prepare]) => [name, await prepare(t, port)] as const),
  );
  const gone = newSession();
  assert.equal(await poll(port, gone), 'o');
  await stall(server, () => {
    for (const [, client] of clients) client.during();
  });
  const results = await Promise.allSettled(clients.map(([, client]) => client.after()));
  const failed = results.flatMap((result, index) =>
    result.status === 'rejected' ? [[clients[index]?.[0], String(result.reason)]] : [],
  );
  assert.deepEqual(failed, []);
  await until(async () => {
    server.send('closed' satisfies Command);
    return ((await server.nextMessage()) as { timeout: number }).timeout >= 1;
  }, 'the end of the client that is gone');
}

test('responsive clients stay connected while the process is stopped', async (t) => {
  await testStall(t, async (server, during) => {
    server.kill('SIGSTOP');
    during();
    await delay(STALL_MS);
    server.kill('SIGCONT');
  });
});

test('responsive clients stay connected while the event loop is blocked', async (t) => {
  await testStall(t, async (server, during) => {
    server.send('block' satisfies Command);
    assert.equal(await server.nextMessage(), 'blocked');
    during();
    await delay(STALL_MS);
  });
});

/** Relayed requests as the owner of the session sees them. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryBudget, RouterMemory } from '../../src/base/memory-budget.ts';
import type { BodyLimits, HostSettings, Exchange } from '../../src/http/exchange.ts';
import { FRAME_TYPES, WINDOW_BYTES, encodeControl, encodeHead } from '../../src/relay/frames.ts';
import { parseResponse } from '../../src/relay/relay-head.ts';
import { RelayLink } from '../../src/relay/relay-link.ts';
import { RelayServer } from '../../src/relay/relay-server.ts';
import type { RelayStream, StreamListener } from '../../src/relay/relay-stream.ts';
import { MemorySocket } from '../../testkit/memory-socket.ts';
import { until } from '../../testkit/until.ts';
import { VirtualProcess } from '../../testkit/virtual-process.ts';

const SETTINGS: HostSettings = {
  compression: false,
  disableNagle: true,
  noKeepAlive: false,
  maxMessageBytes: 1_000_000,
  bodyTimeout: 10_000,
  writeTimeout: 10_000,
  sendTimeLimit: 60_000,
};

const LIMITS: BodyLimits = { maxBytes: 1_000_000, timeout: 10_000 };

const MEMORY = new RouterMemory(
  {
    maxTotalBufferedBytes: 10_000_000,
    maxBufferedBytesPerAddress: 10_000_000,
    highWaterMark: 65_536,
  },
  { buffered() {}, evicted() {} },
  new MemoryBudget(),
).forClient('192.0.2.1');

/** The end that has sent the request. It consumes everything at once, unless it is paused. */
class Edge implements StreamListener {
  readonly chunks: Buffer[] = [];
  head = '';
  isPaused = false;
  /** Confirms a complete response at once. */
  confirms = true;
  end: 'abort' | 'complete' | undefined;
  stream: RelayStream | undefined;

  get body(): string {
    return Buffer.concat(this.chunks).toString();
  }

  onResponse(head: string, body: Buffer, isLast: boolean): void {
    this.head = head;
    this.onData(body, isLast);
  }

  onUnknown(): void {
    assert.fail('The session is unknown.');
  }

  onData(bytes: Buffer, isLast: boolean): void {
    this.chunks.push(Buffer.from(bytes));
    if (!this.isPaused) this.stream?.consume(bytes.length);
    if (!isLast) return;
    this.end = 'complete';
    if (this.confirms) this.stream?.confirm();
  }

  onSent(): void {}

  onDelivered(): void {
    assert.fail('This end has not responded.');
  }

  onAbort(): void {
    this.end = 'abort';
  }
}

/** Records the events of a response. */
function listenTo(exchange: Exchange): string[] {
  const events: string[] = [];
  const add = (name: string) => (): void => void events.push(name);
  exchange.listen({
    onDrain: add('drain'),
    onFinish: add('finish'),
    onDisconnect: add('disconnect'),
    onWriteTimeout: add('write timeout'),
  });
  return events;
}

interface Relayed {
  readonly exchange: Exchange;
  readonly events: string[];
  readonly edge: Edge;
  readonly stream: RelayStream;
  readonly link: RelayLink;
}

interface RequestOptions {
  readonly body?: string;
  /** False for a request whose handler does not listen to its response. */
  readonly listens?: boolean;
  readonly rawHeaders?: readonly string[];
  /** Called with the exchange in the turn in which it arrives. */
  readonly handle?: (exchange: Exchange) => void;
}

/** Relays a request. */
async function relay(
  t: TestContext,
  { body = '', listens = true, rawHeaders = [], handle = (): void => {} }: RequestOptions = {},
): Promise<Relayed> {
  const { client, server } = MemorySocket.pair({ remoteAddress: '127.0.0.1' });
  const exchanges: Exchange[] = [];
  const handleRelayed = (exchange: Exchange): boolean => {
    exchanges.push(exchange);
    handle(exchange);
    return true;
  };
  const handler = { prefix: '/echo', settings: SETTINGS, handleRelayed };
  const relays = new RelayServer({ routers: [{ handler }], onRelayed() {} });
  relays.serve(server);
  const link = new RelayLink(client, { onRequest: () => assert.fail(), onEnd() {} });
  t.after(() => link.destroy());
  const edge = new Edge();
  const stream = link.open(edge);
  assert.ok(stream !== undefined);
  edge.stream = stream;
  const head = ['POST', '/echo/a?b', '', 'https 192.0.2.1 a b', String(body.length), ...rawHeaders];
  stream.request(head.join('\n'), body);
  for (let turn = 0; turn < 5 && exchanges.length === 0; turn += 1) await nextTurn();
  const [exchange] = exchanges;
  assert.ok(exchange !== undefined);
  return { exchange, events: listens ? listenTo(exchange) : [], edge, stream, link };
}

test('an exchange has the request that its client has sent', async (t) => {
  const rawHeaders = ['Cookie', 'a=1', 'COOKIE', 'b=2', 'Content-Type', 'x', 'content-type', 'y'];
  const others = ['Origin', 'z', 'A', '1', 'a', '2'];
  const { exchange } = await relay(t, { rawHeaders: [...rawHeaders, ...others] });
  assert.deepEqual([exchange.method, exchange.path, exchange.query], ['POST', '/a', 'b']);
  assert.deepEqual(exchange.rawHeaders, [...rawHeaders, ...others]);
  const client = { address: '192.0.2.1', host: 'a b', secure: true };
  assert.deepEqual(exchange.relayedClient, client);
  assert.deepEqual([exchange.remoteAddress, exchange.encrypted], ['192.0.2.1', true]);
  const names = ['cookie', 'content-type', 'origin', 'a', 'missing'];
  const values = names.map((name) => exchange.header(name));
  // As of a request of node:http.
  assert.deepEqual(values, ['a=1; b=2', 'x', 'z', '1, 2', undefined]);
});

for (const [name, length] of [
  ['no bytes', 0],
  ['a few bytes', 10],
  ['one window', WINDOW_BYTES],
  ['more than a window', WINDOW_BYTES + 1],
  ['many windows', 900_000],
] as const)
  test(`a body with ${name} is read at once or later`, async (t) => {
    const body = 'x'.repeat(length);
    let early: Promise<unknown> | undefined;
    await relay(t, {
      body,
      handle: (exchange) => {
        early = exchange.readBody(LIMITS, MEMORY);
      },
    });
    assert.equal(String(await early), body);
    const { exchange, stream } = await relay(t, { body });
    await nextTurn();
    assert.equal(
      stream.queuedBytes,
      Math.max(0, length > WINDOW_BYTES ? length - WINDOW_BYTES : 0),
    );
    assert.equal(String(await exchange.readBody(LIMITS, MEMORY)), body);
  });

test('a body over the limit is refused before it has arrived', async (t) => {
  const { exchange, edge, stream } = await relay(t, { body: 'x'.repeat(200_000) });
  edge.confirms = false;
  const result = await exchange.readBody({ ...LIMITS, maxBytes: 199_999 }, MEMORY);
  assert.equal(Reflect.get(result, 'code'), 'ERR_BODY_TOO_LARGE');
  exchange.respond(413, []);
  await until(() => edge.end === 'complete', 'the response');
  assert.ok(stream.queuedBytes > 0);
});

test('a body whose length is wrong does not exceed the limit', async (t) => {
  const { client, server } = MemorySocket.pair({ remoteAddress: '127.0.0.1' });
  let result: unknown;
  const handleRelayed = (exchange: Exchange): boolean => {
    void exchange.readBody({ ...LIMITS, maxBytes: 70_000 }, MEMORY).then((body) => {
      result = body;
    });
    return true;
  };
  const handler = { prefix: '/echo', settings: SETTINGS, handleRelayed };
  new RelayServer({ routers: [{ handler }], onRelayed() {} }).serve(server);
  const link = new RelayLink(client, { onRequest: () => assert.fail(), onEnd() {} });
  t.after(() => link.destroy());
  const stream = link.open(new Edge());
  stream?.request('POST\n/echo/a\n\nhttp 192.0.2.1\n5', 'x'.repeat(200_000));
  await until(() => result !== undefined, 'the error');
  assert.equal(Reflect.get(Object(result) as object, 'code'), 'ERR_BODY_TOO_LARGE');
});

test('a body that its client does not complete is aborted', async (t) => {
  const { exchange, stream, events } = await relay(t, { body: 'x'.repeat(200_000) });
  const body = exchange.readBody(LIMITS, MEMORY);
  stream.abort();
  const result = await body;
  assert.equal(Reflect.get(result, 'code'), 'ERR_BODY_ABORTED');
  assert.deepEqual(events, ['disconnect']);
  assert.equal(exchange.isDisconnected, true);
});

for (const length of [5, 200_000])
  test(`a body of ${length} bytes is aborted if its client disconnects before it is read`, async (t) => {
    const { exchange, stream } = await relay(t, { body: 'x'.repeat(length) });
    stream.abort();
    await until(() => exchange.isDisconnected, 'the abort');
    const body = exchange.readBody({ ...LIMITS, timeout: 100 }, MEMORY);
    assert.equal(Reflect.get(await body, 'code'), 'ERR_BODY_ABORTED');
  });

test('a response finishes when the other node has confirmed it', async (t) => {
  const { exchange, edge, events, stream } = await relay(t);
  edge.confirms = false;
  exchange.respond(200, ['A', 'b'], 'ü');
  assert.deepEqual([events, exchange.isHandled, exchange.isDisconnected], [[], true, false]);
  await until(() => edge.end === 'complete', 'the response');
  await nextTurn();
  assert.deepEqual([events, exchange.bufferedBytes], [[], 1]);
  stream.confirm();
  await until(() => events.length > 0, 'the confirmation');
  assert.deepEqual([events, exchange.bufferedBytes], [['finish'], 0]);
  assert.deepEqual([edge.head, edge.body], ['200\nA\nb', 'ü']);
  exchange.respond(500, []);
  exchange.abort();
  await nextTurn();
  assert.deepEqual(events, ['finish']);
});

test('a long response has its length, and finishes when its client has taken it', async (t) => {
  const { exchange, edge, events, stream } = await relay(t);
  edge.isPaused = true;
  const text = 'ü'.repeat(100_000);
  exchange.respond(200, [], text);
  assert.equal(exchange.bufferedBytes, 200_000 - WINDOW_BYTES + 1);
  await until(() => edge.body.length > 0, 'the first bytes');
  await nextTurn();
  assert.deepEqual(events, []);
  assert.deepEqual(parseResponse(edge.head), {
    status: 200,
    headers: ['Content-Length', '200000'],
  });
  edge.isPaused = false;
  stream.consume(WINDOW_BYTES);
  await until(() => edge.end === 'complete', 'the response');
  await until(() => events.length > 0, 'the end');
  assert.deepEqual(events, ['finish']);
  assert.equal(edge.body, text);
});

test('a stream is writable until its client falls behind', async (t) => {
  const { exchange, edge, events, stream } = await relay(t);
  exchange.startStream(['A', 'b']);
  await nextTurn();
  assert.equal(edge.head, '');
  exchange.write('one');
  exchange.write([Buffer.from('two'), Buffer.from('three')]);
  await until(() => edge.body === 'onetwothree', 'the chunks');
  edge.isPaused = true;
  exchange.write('x'.repeat(WINDOW_BYTES));
  assert.equal(exchange.writable, false);
  await until(() => edge.body.length > WINDOW_BYTES - 100, 'the window');
  stream.consume(edge.body.length - 11);
  await until(() => exchange.writable, 'the drain');
  assert.deepEqual(events, ['drain']);
  exchange.end();
  exchange.write('late');
  await until(() => edge.end === 'complete', 'the end');
  assert.equal(edge.body.length, WINDOW_BYTES + 11);
  assert.deepEqual(events, ['drain', 'finish']);
});

test('a stream that ends before its first chunk has its head', async (t) => {
  const { exchange, edge } = await relay(t);
  exchange.startStream([], 201);
  exchange.end();
  await until(() => edge.end === 'complete', 'the end');
  assert.deepEqual([edge.head, edge.body], ['201', '']);
});

test('an abort of the owner reaches the client, and disconnects', async (t) => {
  const { exchange, edge, events } = await relay(t);
  exchange.abort();
  assert.deepEqual([events, exchange.isDisconnected], [[], true]);
  await until(() => edge.end === 'abort', 'the abort');
  assert.deepEqual(events, ['disconnect']);
});

test('a client that disconnects during a decision is noticed until the decision is made', async (t) => {
  const calls: string[] = [];
  const { exchange, stream } = await relay(t);
  const stop = exchange.watchDisconnect(MEMORY, () => calls.push('stopped'));
  exchange.watchDisconnect(MEMORY, () => calls.push('watched'));
  void stop();
  stream.abort();
  await until(() => exchange.isDisconnected, 'the end');
  assert.deepEqual(calls, ['watched']);
});

test('a response that is not confirmed before the link ends is lost', async (t) => {
  const { exchange, edge, events, link } = await relay(t);
  edge.confirms = false;
  exchange.startStream([]);
  exchange.write('frame');
  exchange.end();
  await until(() => edge.end === 'complete', 'the response');
  link.destroy();
  await until(() => events.length > 0, 'the end');
  assert.deepEqual(events, ['disconnect']);
});

test('a response without a listener needs no confirmation', async (t) => {
  const { exchange, edge, link } = await relay(t, { listens: false });
  edge.confirms = false;
  exchange.respond(204, []);
  await until(() => edge.end === 'complete', 'the response');
  assert.equal(exchange.isDisconnected, true);
  assert.equal(link.size, 1);
});

test('a link that ends in the turn of a response disconnects it', async (t) => {
  const { exchange, events, link } = await relay(t);
  exchange.respond(200, [], 'lost');
  link.destroy();
  await until(() => events.length > 0, 'the end');
  assert.equal(events.length, 1);
});

test('a client that takes nothing for writeTimeout is reported', async (t) => {
  const virtual = new VirtualProcess(t.mock);
  const { exchange, edge, events } = await (async (): Promise<Relayed> => {
    const relaying = relay(t);
    await virtual.run(10);
    return relaying;
  })();
  edge.isPaused = true;
  exchange.respond(200, [], 'x'.repeat(1_000_000));
  await virtual.run(9000);
  assert.deepEqual(events, []);
  await virtual.run(4000);
  assert.deepEqual(events, ['write timeout']);
});

for (const frame of [
  encodeControl(FRAME_TYPES.unknown, 1),
  encodeControl(FRAME_TYPES.delivered, 1),
  encodeHead(FRAME_TYPES.response, 1, '200', '', true),
])
  test(`a frame of type ${frame[8]} from the node that has sent the request disconnects`, async (t) => {
    const { events, link } = await relay(t);
    link.write(frame);
    await until(() => events.length > 0, 'the end');
    assert.deepEqual(events, ['disconnect']);
  });

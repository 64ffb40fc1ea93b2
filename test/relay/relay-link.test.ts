/** Links over in-memory connections. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  FRAME_TYPES,
  MAX_HEAD_BYTES,
  WINDOW_BYTES,
  encodeControl,
  encodeCredit,
  encodeData,
  encodeHead,
} from '../../src/relay/frames.ts';
import { RelayLink } from '../../src/relay/relay-link.ts';
import type { RelayStream, StreamListener } from '../../src/relay/relay-stream.ts';
import { type Carrier, MemorySocket } from '../../testkit/memory-socket.ts';
import { SeededRandom } from '../../testkit/random.ts';
import { until } from '../../testkit/until.ts';
import { VirtualProcess } from '../../testkit/virtual-process.ts';

/** Records the events of a stream. It consumes bytes only on request. */
class Recorder implements StreamListener {
  readonly events: string[] = [];
  bytes = 0;
  isComplete = false;

  onResponse(head: string, body: Buffer, isLast: boolean): void {
    this.events.push(`response ${head}`);
    this.onData(body, isLast);
  }

  onUnknown(): void {
    this.events.push('unknown');
  }

  onData(bytes: Buffer, isLast: boolean): void {
    this.bytes += bytes.length;
    this.isComplete = isLast;
  }

  onSent(): void {
    this.events.push('sent');
  }

  onDelivered(): void {
    this.events.push('delivered');
  }

  onAbort(): void {
    this.events.push('abort');
  }
}

interface Pair {
  readonly edge: RelayLink;
  readonly owner: RelayLink;
  readonly edgeSocket: MemorySocket;
  readonly ownerSocket: MemorySocket;
  /** Streams that the owner has received. */
  readonly received: RelayStream[];
  readonly ends: string[];
}

interface ConnectOptions {
  readonly maxStreams?: number;
  /** Carries what the owner sends. */
  readonly toClient?: Carrier;
}

function connect(t: TestContext, { maxStreams, ...carriers }: ConnectOptions = {}): Pair {
  const { client, server } = MemorySocket.pair({ remoteAddress: '127.0.0.1', ...carriers });
  const received: RelayStream[] = [];
  const onRequest = (stream: RelayStream): void => {
    stream.listener = new Recorder();
    received.push(stream);
  };
  const ends: string[] = [];
  const onEnd = (name: string, { message, cause }: Error): void => {
    ends.push(`${name}: ${message}${cause instanceof Error ? `: ${cause.message}` : ''}`);
  };
  const edge = new RelayLink(
    client,
    { onRequest: () => assert.fail(), onEnd: (error) => onEnd('edge', error) },
    maxStreams,
  );
  const owner = new RelayLink(
    server,
    { onRequest, onEnd: (error) => onEnd('owner', error) },
    maxStreams,
  );
  t.after(() => {
    edge.destroy();
    owner.destroy();
  });
  return { edge, owner, edgeSocket: client, ownerSocket: server, received, ends };
}

/** A request with both ends of its stream. */
interface Exchanged {
  readonly near: RelayStream;
  /** Events at the end that sends the request. */
  readonly recorder: Recorder;
  readonly far: RelayStream;
  /** Events at the other end. */
  readonly owner: Recorder;
}

/** Sends a request. */
async function request({ edge, received }: Pair, body = ''): Promise<Exchanged> {
  const recorder = new Recorder();
  const near = edge.open(recorder);
  assert.ok(near !== undefined);
  near.request('head', body);
  await until(() => received.at(-1)?.id === near.id, 'the request');
  const far = received.at(-1);
  assert.ok(far?.listener instanceof Recorder);
  return { recorder, near, far, owner: far.listener };
}

test('a response of one frame arrives after its stream is closed', async (t) => {
  const pair = connect(t);
  const { recorder, near, far } = await request(pair);
  far.respond('200', 'body', true);
  far.close();
  assert.equal(pair.owner.size, 0);
  await until(() => recorder.isComplete, 'the response');
  assert.deepEqual(recorder.events, ['response 200']);
  near.close();
  assert.equal(pair.edge.size, 0);
});

test('frames of one turn are sent together', async (t) => {
  const pair = connect(t);
  const requests = [await request(pair), await request(pair), await request(pair)];
  const { ownerSocket } = pair;
  const { bytesWritten } = ownerSocket;
  for (const { far } of requests) far.respond('200', 'body', true);
  assert.equal(ownerSocket.bytesWritten, bytesWritten);
  await nextTurn();
  assert.ok(ownerSocket.bytesWritten > bytesWritten);
});

test('a stream whose bytes are not consumed sends no more than its window, and blocks no other one', async (t) => {
  const pair = connect(t);
  const slow = await request(pair);
  slow.far.respond('200', [Buffer.alloc(10 * WINDOW_BYTES)], true);
  await until(() => slow.recorder.bytes === WINDOW_BYTES, 'one window');
  const fast = await request(pair);
  fast.far.respond('200', 'x'.repeat(1000), true);
  await until(() => fast.recorder.isComplete, 'the other response');
  assert.equal(slow.recorder.bytes, WINDOW_BYTES);
  assert.equal(slow.far.queuedBytes, 9 * WINDOW_BYTES);
  for (let consumed = 1; consumed < 10; consumed += 1) {
    slow.near.consume(WINDOW_BYTES);
    await until(() => slow.recorder.bytes === (consumed + 1) * WINDOW_BYTES, 'one more window');
  }
  assert.equal(slow.recorder.isComplete, true);
  for (const { near } of [fast, slow]) near.confirm();
  await until(() => slow.owner.events.length === 2, 'the confirmation');
  assert.deepEqual([slow.owner.events, fast.owner.events], [['sent', 'delivered'], ['delivered']]);
  assert.equal(pair.edge.size, 0);
});

test('the body of a request waits for the owner too', async (t) => {
  const pair = connect(t);
  const { near, far, owner } = await request(pair, 'x'.repeat(3 * WINDOW_BYTES));
  await until(() => owner.bytes === WINDOW_BYTES, 'one window');
  assert.equal(near.queuedBytes, 2 * WINDOW_BYTES);
  for (let consumed = 0; consumed < 2; consumed += 1) {
    far.consume(WINDOW_BYTES);
    await until(() => owner.bytes === (consumed + 2) * WINDOW_BYTES, 'one more window');
  }
  assert.equal(owner.isComplete, true);
  assert.equal(pair.edge.size, 1);
});

test('of many large responses to a node that reads nothing, about 1 MiB is unsent', async (t) => {
  const pair = connect(t);
  const streams: RelayStream[] = [];
  for (let count = 0; count < 100; count += 1) streams.push((await request(pair)).far);
  pair.edgeSocket.pause();
  for (const stream of streams) stream.respond('200', 'x'.repeat(WINDOW_BYTES), true);
  await nextTurn();
  const { writableLength } = pair.ownerSocket;
  assert.ok(
    writableLength >= 1024 * 1024 && writableLength < 1.5 * 1024 * 1024,
    `${writableLength}`,
  );
  const queued = streams.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0);
  assert.ok(queued > 80 * WINDOW_BYTES, String(queued));
  pair.edgeSocket.resume();
  await until(() => streams.every(({ queuedBytes }) => queuedBytes === 0), 'all responses');
});

test('a link has a limited number of streams', async (t) => {
  const pair = connect(t, { maxStreams: 2 });
  await request(pair);
  const { near } = await request(pair);
  assert.equal(pair.edge.open(new Recorder()), undefined);
  near.abort();
  await until(() => pair.owner.size === 1, 'the abort');
  await request(pair);
  assert.deepEqual(pair.ends, []);
});

test('requests that are given up do not pile up for a node that reads nothing', async (t) => {
  const pair = connect(t);
  const { edge, edgeSocket, ownerSocket } = pair;
  ownerSocket.pause();
  const head = 'x'.repeat(MAX_HEAD_BYTES);
  let isRefused = false;
  for (let count = 0; count < 400 && !isRefused; count += 1) {
    const stream = edge.open(new Recorder());
    isRefused = stream === undefined;
    stream?.request(head, '');
    stream?.abort();
  }
  assert.ok(isRefused);
  assert.ok(edgeSocket.writableLength < 66 * 1024 * 1024, String(edgeSocket.writableLength));
  ownerSocket.resume();
  await until(() => edgeSocket.writableLength === 0, 'all requests');
  await request(pair);
});

test('an abort of either end reaches the other one', async (t) => {
  const pair = connect(t);
  const first = await request(pair);
  first.near.abort();
  await until(() => first.owner.events.includes('abort'), 'the abort at the owner');
  const second = await request(pair);
  second.far.abort();
  await until(() => second.recorder.events.includes('abort'), 'the abort at the edge');
  assert.deepEqual([pair.edge.size, pair.owner.size], [0, 0]);
});

test('frames for a stream that has ended are ignored', async (t) => {
  const pair = connect(t);
  const { near, far } = await request(pair, 'x'.repeat(2 * WINDOW_BYTES));
  far.respond('200', '', true);
  far.close();
  near.consume(0);
  pair.edge.write(encodeData(near.id, 'late', true));
  pair.edge.write(encodeCredit(near.id, 1));
  pair.edge.write(encodeControl(FRAME_TYPES.abort, near.id));
  pair.edge.write(encodeControl(FRAME_TYPES.unknown, 99));
  await request(pair);
  assert.deepEqual(pair.ends, []);
});

const VIOLATIONS: Readonly<Record<string, { frames: readonly Buffer[]; reason: RegExp }>> = {
  'two requests in one stream': {
    frames: Array.from({ length: 2 }, () => encodeHead(FRAME_TYPES.request, 9, '', '', true)),
    reason: /two requests in one stream/,
  },
  'more streams than allowed': {
    frames: [7, 8, 9, 10].map((id) => encodeHead(FRAME_TYPES.request, id, '', '', true)),
    reason: /too many streams/,
  },
  'more bytes than its credit': {
    frames: [
      encodeHead(FRAME_TYPES.request, 9, '', 'x'.repeat(WINDOW_BYTES), false),
      encodeData(9, 'x', false),
    ],
    reason: /more bytes than its credit/,
  },
  'more credit than bytes': {
    frames: [encodeHead(FRAME_TYPES.request, 9, '', '', true), encodeCredit(9, 1)],
    reason: /more credit than bytes/,
  },
  'an unknown type': {
    frames: [Buffer.concat([Buffer.alloc(8), Buffer.of(99)])],
    reason: /unknown type/,
  },
  'a request without a head': {
    frames: [Buffer.from('000000000000000001', 'hex')],
    reason: /wrong length of its head/,
  },
};

for (const [name, { frames, reason }] of Object.entries(VIOLATIONS))
  test(`${name} end the link, and abort its streams`, async (t) => {
    const pair = connect(t, { maxStreams: 3 });
    const { owner } = await request(pair);
    for (const frame of frames) pair.edgeSocket.write(frame);
    await until(() => pair.ends.length === 2, 'the end of both links');
    assert.match(pair.ends[0] ?? '', /^owner: the other node has sent something unexpected/);
    assert.match(pair.ends[0] ?? '', reason);
    assert.deepEqual(owner.events, ['abort']);
    assert.equal(pair.ownerSocket.destroyed, true);
  });

test('garbage ends the link or is ignored', async (t) => {
  for (let run = 0; run < 200; run += 1) {
    const random = new SeededRandom(`garbage ${run}`);
    const pair = connect(t);
    await request(pair);
    const length = random.integer(1, 200);
    const bytes = Buffer.from(
      Array.from({ length }, () => random.integer(0, random.pick([9, 255]))),
    );
    pair.edgeSocket.write(bytes);
    await nextTurn();
    pair.edge.destroy();
    await until(() => pair.ends.length === 2, 'the end of both links');
  }
});

test('the end of a link aborts all streams', async (t) => {
  const pair = connect(t);
  const { recorder, owner } = await request(pair);
  pair.edgeSocket.destroy();
  await until(() => pair.ends.length === 2, 'the end of both links');
  assert.deepEqual([recorder.events, owner.events], [['abort'], ['abort']]);
  pair.edge.write(encodeControl(FRAME_TYPES.ping, 0));
  assert.equal(await new Promise((resolve) => pair.edge.probe(resolve)), false);
});

test('a link that closes sends its last bytes first', async (t) => {
  const pair = connect(t);
  const { recorder, far } = await request(pair);
  far.respond('200', 'last', true);
  pair.owner.close();
  await until(() => pair.ends.length === 2, 'the end of both links');
  assert.equal(recorder.isComplete, true);
});

test('a link that closes sends its last bytes, also if the other end sends more', async (t) => {
  const pair = connect(t);
  const requests = [await request(pair), await request(pair), await request(pair)];
  pair.edgeSocket.pause();
  for (const { far } of requests) far.respond('200', 'x'.repeat(WINDOW_BYTES), true);
  pair.owner.close();
  pair.edge.probe(() => {});
  await nextTurn();
  await nextTurn();
  pair.edgeSocket.resume();
  await until(() => pair.ends.length === 2, 'the end of both links');
  assert.deepEqual(
    requests.map(({ recorder }) => recorder.isComplete),
    [true, true, true],
  );
});

test('a response is confirmed once, and its stream is then forgotten', async (t) => {
  const pair = connect(t);
  const { near, far } = await request(pair);
  const owner = new Recorder();
  far.listener = owner;
  far.respond('200', 'last', true);
  await nextTurn();
  assert.deepEqual([pair.edge.size, pair.owner.size, owner.events], [1, 1, []]);
  near.confirm();
  near.confirm();
  await until(() => owner.events.length > 0, 'the confirmation');
  assert.deepEqual(owner.events, ['delivered']);
  assert.equal(pair.edge.size, 0);
});

test('a node that responds to pings keeps its links', async (t) => {
  const virtual = new VirtualProcess(t.mock);
  const pair = connect(t);
  await virtual.run(60_000);
  assert.deepEqual(pair.ends, []);
});

test('a link to a node that is silent for 15 s ends', async (t) => {
  const virtual = new VirtualProcess(t.mock);
  const pair = connect(t, { toClient: () => {} });
  const recorder = new Recorder();
  pair.edge.open(recorder)?.request('head', '');
  await virtual.run(14_500);
  assert.deepEqual(pair.ends, []);
  await virtual.run(2000);
  assert.match(pair.ends.join(), /edge: no bytes within 15000 ms/);
  assert.deepEqual(recorder.events, ['abort']);
});

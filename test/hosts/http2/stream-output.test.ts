import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Stream, type ServerHttp2Stream, createServer } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { StreamOutput } from '../../../src/hosts/http2/stream-output.ts';
import { http2Connection, startHttp2Server } from '../../../testkit/http2-client.ts';
import { until } from '../../../testkit/until.ts';

const WINDOW_BYTES = 65_535;
const LONG = Buffer.alloc(1024 * 1024, 'x');

interface Pair {
  readonly output: StreamOutput;
  readonly stream: ServerHttp2Stream;
  readonly client: ClientHttp2Stream;
  drains: number;
}

/** Opens a stream whose client reads nothing yet. */
async function open(t: TestContext): Promise<Pair> {
  const server = createServer();
  const session = await http2Connection(t, `http://127.0.0.1:${await startHttp2Server(t, server)}`);
  const client = session.request({ ':path': '/' });
  client.on('error', () => {});
  const [stream] = (await once(server, 'stream')) as [ServerHttp2Stream];
  stream.on('error', () => {});
  stream.respond({ ':status': 200 });
  const pair: Pair = {
    output: new StreamOutput(stream, () => (pair.drains += 1)),
    stream,
    client,
    drains: 0,
  };
  return pair;
}

async function read(client: ClientHttp2Stream): Promise<string> {
  let text = '';
  client.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  await once(client, 'end');
  return text;
}

test('short writes are passed on at once, and arrive before the end', async (t) => {
  const { output, client } = await open(t);
  for (const text of ['a', 'b', 'c']) assert.equal(output.write(Buffer.from(text)), true);
  output.end();
  assert.equal(output.write(Buffer.from('d')), false);
  assert.equal(await read(client), 'abc');
  assert.deepEqual([output.bytesTaken, output.writableLength], [3, 0]);
});

test('a part of a long write that the client takes is progress', async (t) => {
  const { output } = await open(t);
  assert.equal(output.write(LONG), false);
  assert.equal(output.writableNeedDrain, true);
  // The client reads nothing, so its window fills.
  await until(() => output.bytesTaken > 0, 'progress');
  await delay(20);
  assert.ok(output.bytesTaken <= WINDOW_BYTES, String(output.bytesTaken));
  assert.equal(output.bytesTaken + output.writableLength, LONG.length);
});

test('after the last byte of a long write, drain is reported once', async (t) => {
  const pair = await open(t);
  const { output, client } = pair;
  output.write(LONG);
  output.write(Buffer.from('end'));
  client.resume();
  await until(() => output.writableLength === 0 && pair.drains > 0, 'the drain');
  assert.equal(output.writableNeedDrain, false);
  assert.equal(output.bytesTaken, LONG.length + 3);
  assert.equal(output.write(Buffer.from('x')), true);
  await until(() => output.writableLength === 0, 'the short write');
  assert.equal(pair.drains, 1);
});

test('corked writes of any length arrive in their order', async (t) => {
  const { output, client } = await open(t);
  const pieces = ['a', 'b'.repeat(10_000), 'c'.repeat(40_000), 'd', 'e'.repeat(16 * 1024), 'f'];
  output.cork();
  for (const piece of pieces) output.write(Buffer.from(piece));
  output.uncork();
  output.end();
  assert.equal(await read(client), pieces.join(''));
});

test('a stream whose client disconnects while bytes wait closes without finish', async (t) => {
  const pair = await open(t);
  let finishes = 0;
  pair.stream.on('finish', () => (finishes += 1));
  pair.output.write(LONG);
  pair.output.end();
  const closed = once(pair.stream, 'close');
  pair.client.session?.destroy();
  await closed;
  assert.deepEqual([finishes, pair.drains], [0, 0]);
});

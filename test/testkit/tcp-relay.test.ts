import assert from 'node:assert/strict';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { AsyncQueue } from '../../testkit/async-queue.ts';
import {
  CuttingStage,
  LOSSLESS_FAULTS,
  StallingStage,
  TAMPERING,
  TamperingStage,
} from '../../testkit/network-faults.ts';
import { testEach } from '../../testkit/node-test.ts';
import { SeededRandom } from '../../testkit/random.ts';
import { resetSocket } from '../../testkit/reset-socket.ts';
import { listen } from '../../testkit/server.ts';
import { type RelayOptions, TcpRelay, startRelay } from '../../testkit/tcp-relay.ts';
import { until } from '../../testkit/until.ts';

/** One end of a relayed connection. */
class End {
  readonly socket: Socket;
  readonly chunks: Buffer[] = [];
  hasEnded = false;
  isClosed = false;
  error: string | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.chunks.push(chunk));
    socket.on('end', () => {
      this.hasEnded = true;
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
    socket.on('error', ({ message }) => {
      this.error = message;
    });
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('utf8');
  }
}

async function relayed(
  t: TestContext,
  options?: RelayOptions,
): Promise<{ client: End; server: End }> {
  const accepted = new AsyncQueue<End>('a connection');
  const server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(new End(socket)));
  const port = await startRelay(t, await listen(server), options);
  t.after(() => void server.close());
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => void socket.destroy());
  return { client: new End(socket), server: await accepted.next() };
}

const TEXT = 'Some “text” 🙂 of more than one piece. '.repeat(4);
const FAULTS = Object.entries(LOSSLESS_FAULTS).map(([name, stageOf]) => ({ name, stageOf }));

testEach(
  [{ name: 'unchanged', stageOf: () => undefined }, ...FAULTS],
  'all bytes arrive in order, and the end after them',
  async (t, { stageOf }) => {
    const { client, server } = await relayed(t, {
      toServer: stageOf(new SeededRandom('in')),
      toClient: stageOf(new SeededRandom('out')),
    });
    for (const word of TEXT.split(/(?<= )/)) client.socket.write(word);
    client.socket.end();
    server.socket.end(TEXT);
    await until(() => client.hasEnded && server.hasEnded, 'both ends');
    assert.deepEqual([server.text, client.text], [TEXT, TEXT]);
  },
);

test('byte by byte: one chunk arrives as many', async (t) => {
  const stage = LOSSLESS_FAULTS['byte by byte'](new SeededRandom('1'));
  const { client, server } = await relayed(t, { toServer: stage });
  client.socket.end(TEXT);
  await until(() => server.hasEnded, 'the end');
  assert.ok(server.chunks.length > Buffer.byteLength(TEXT) / 2, `${server.chunks.length} chunks`);
});

test('an end of one side leaves the other side open', async (t) => {
  const { client, server } = await relayed(t);
  client.socket.end('a');
  await until(() => server.hasEnded, 'the end');
  server.socket.end('b');
  await until(() => client.hasEnded, 'the end');
  assert.deepEqual([server.text, client.text], ['a', 'b']);
});

test('a reset stays a reset', async (t) => {
  const { client, server } = await relayed(t);
  client.socket.write('a');
  await until(() => server.text === 'a', 'a byte');
  resetSocket(client.socket);
  await until(() => server.error, 'a reset');
  assert.match(server.error ?? '', /ECONNRESET/);
});

test('a cut strikes before the byte at its offset, once', async (t) => {
  for (const mode of ['FIN', 'RST', 'half'] as const) {
    const cutting = new CuttingStage(mode, 5);
    const { client, server } = await relayed(t, { toServer: cutting.stage });
    client.socket.write('0123456789');
    await until(() => server.hasEnded || server.isClosed, `the cut ${mode}`);
    assert.ok(cutting.hasCut);
    // A reset overtakes bytes.
    if (mode === 'RST') assert.match(server.error ?? '', /ECONNRESET/);
    else assert.equal(server.text, '01234');
    if (mode === 'half') {
      server.socket.end('still open');
      await until(() => client.text === 'still open', 'the other direction');
    } else {
      await until(() => client.hasEnded || client.isClosed, 'the other side');
    }
    if (mode === 'RST') assert.match(client.error ?? '', /ECONNRESET/);
    else assert.deepEqual([client.error, server.error], [undefined, undefined]);
  }
});

test('a stalled relay passes nothing until it resumes', async (t) => {
  const stalling = new StallingStage();
  const { client, server } = await relayed(t, { toServer: stalling.stage });
  stalling.stall();
  client.socket.end('late');
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  assert.equal(server.text, '');
  stalling.resume();
  await until(() => server.hasEnded, 'the end');
  assert.equal(server.text, 'late');
});

test('tampering changes one chunk after it was armed', async (t) => {
  for (const [how, expected] of [
    ['is lost', 'ac'],
    ['comes twice', 'abbc'],
  ] as const) {
    const tampering = new TamperingStage(TAMPERING[how]);
    const { client, server } = await relayed(t, { toServer: tampering.stage });
    client.socket.write('a');
    await until(() => server.text === 'a', 'the first byte');
    tampering.arm();
    client.socket.write('b');
    await until(() => tampering.hasTampered, 'the tampering');
    client.socket.end('c');
    await until(() => server.hasEnded, 'the end');
    assert.equal(server.text, expected);
  }
});

test('an idle connection is cut', async (t) => {
  const { client, server } = await relayed(t, { idleTimeout: 50 });
  await until(() => client.hasEnded && server.hasEnded, 'both ends');
});

test('random numbers repeat with their seed, whichever order the parts run in', () => {
  const numbers = (random: SeededRandom): number[] =>
    Array.from({ length: 20 }, () => random.integer(1, 6));
  const one = new SeededRandom('seed');
  assert.deepEqual(numbers(one), numbers(new SeededRandom('seed')));
  assert.deepEqual(numbers(one.fork('a')), numbers(new SeededRandom('seed').fork('a')));
  assert.notDeepEqual(numbers(one.fork('a')), numbers(one.fork('b')));
  const all = new Set(Array.from({ length: 200 }, () => one.integer(1, 6)));
  assert.deepEqual(all, new Set([1, 2, 3, 4, 5, 6]));
  assert.ok(['x', 'y'].includes(one.pick(['x', 'y'])));
});

test('a cut relay resets open and new connections until it is mended', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  const relay = await TcpRelay.start(await listen(server));
  t.after(async () => {
    await relay.close();
    server.close();
  });
  const open = (): End => {
    const socket = connect({ port: relay.port, host: '127.0.0.1' });
    socket.write('hello');
    t.after(() => void socket.destroy());
    return new End(socket);
  };
  const first = open();
  await until(() => first.text === 'hello', 'the echo');
  relay.cut();
  await until(() => first.isClosed, 'the end of the open connection');
  assert.match(first.error ?? '', /ECONNRESET/);
  const second = open();
  await until(() => second.isClosed, 'the end of the new connection');
  assert.equal(second.text, '');
  relay.mend();
  const third = open();
  await until(() => third.text === 'hello', 'the echo');
});

test('a relay sends new connections to another server', async (t) => {
  const greet = (text: string): Server => createServer((socket) => socket.end(text));
  const [one, two] = [greet('one'), greet('two')];
  const relay = await TcpRelay.start(await listen(one));
  t.after(async () => {
    await relay.close();
    one.close();
    two.close();
  });
  const read = async (): Promise<string> => {
    const end = new End(connect({ port: relay.port, host: '127.0.0.1' }));
    await until(() => end.hasEnded, 'the end');
    return end.text;
  };
  assert.equal(await read(), 'one');
  relay.targetPort = await listen(two);
  assert.equal(await read(), 'two');
});

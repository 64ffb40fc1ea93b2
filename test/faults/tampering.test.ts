/**
 * The relay and its faults without SockJS: what they do to bytes. And the proof that the whole arrangement
 * would notice a fault of a server: where the relay itself loses or doubles a message, it does.
 */
import assert from 'node:assert/strict';
import { type Socket, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Queue, until } from '../support/client.ts';
import { type Stages, relay } from '../support/relay.ts';
import { converse } from './conversation.ts';
import { Dice } from './dice.ts';
import { Cut, InboundGate, LOSSLESS, TAMPERING, Tampering } from './faults.ts';
import { complaints } from './history.ts';

class Line {
  readonly socket: Socket;
  readonly chunks: Buffer[] = [];
  ended = false;
  error: string | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.chunks.push(chunk));
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', ({ message }) => {
      this.error = message;
    });
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('utf8');
  }
}

/** Both ends of a connection through a relay. */
async function lines(t: TestContext, stages: Stages): Promise<{ client: Line; server: Line }> {
  const accepted = new Queue<Line>('a connection');
  const server = createServer({ allowHalfOpen: true }, (socket) => accepted.put(new Line(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const port = await relay(t, address.port, stages);
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => socket.destroy());
  return { client: new Line(socket), server: await accepted.next() };
}

const TEXT = 'Some „text“ 🙂 of more than one piece. '.repeat(4);

for (const [name, stageOf] of Object.entries(LOSSLESS)) {
  test(`${name}: all bytes arrive in order, and the end after them`, async (t) => {
    const stages = { toServer: stageOf(new Dice('in')), toClient: stageOf(new Dice('out')) };
    const { client, server } = await lines(t, stages);
    for (const word of TEXT.split(/(?<= )/)) client.socket.write(word);
    client.socket.end();
    server.socket.end(TEXT);
    await until('both have ended', () => client.ended && server.ended);
    assert.deepEqual([server.text, client.text], [TEXT, TEXT]);
  });
}

test('byte by byte: what was one chunk comes as many', async (t) => {
  const { client, server } = await lines(t, { toServer: LOSSLESS['byte by byte'](new Dice('1')) });
  client.socket.end(TEXT);
  await until('all is there', () => server.ended);
  assert.ok(server.chunks.length > Buffer.byteLength(TEXT) / 2, `${server.chunks.length} chunks`);
});

test('an end of one half leaves the other one open', async (t) => {
  const { client, server } = await lines(t, {});
  client.socket.end('question');
  await until('the question is there', () => server.ended);
  server.socket.end('answer');
  await until('the answer is there', () => client.ended);
  assert.deepEqual([server.text, client.text], ['question', 'answer']);
});

test('a reset is passed on as a reset', async (t) => {
  const { client, server } = await lines(t, {});
  client.socket.write('x');
  await until('the byte is there', () => server.text === 'x');
  client.socket.resetAndDestroy();
  await until('it has been reset', () => server.error !== undefined);
  assert.match(server.error ?? '', /ECONNRESET/);
});

test('a gate holds everything back until it opens', async (t) => {
  const gate = new InboundGate();
  const { client, server } = await lines(t, { toServer: gate.stage });
  gate.shut();
  client.socket.end('held');
  server.socket.write('not held');
  await until('the other direction has passed', () => client.text === 'not held');
  assert.deepEqual([server.text, server.ended], ['', false]);
  gate.open();
  await until('all has passed', () => server.ended);
  assert.equal(server.text, 'held');
});

for (const { way, clientError } of [
  { way: 'FIN', clientError: undefined },
  { way: 'half', clientError: undefined },
  { way: 'RST', clientError: /ECONNRESET/ },
] as const) {
  test(`a cut by ${way} comes before the byte that was named`, async (t) => {
    const cut = new Cut(way, 5);
    const { client, server } = await lines(t, { toServer: cut.stage });
    client.socket.write('012');
    await until('the first bytes are there', () => server.text === '012');
    assert.equal(cut.happened, false);
    client.socket.write('3456789');
    await until('it was cut', () => server.ended || server.error !== undefined);
    assert.equal(cut.happened, true);
    if (clientError === undefined) {
      assert.equal(server.text, '01234');
      assert.equal(server.error, undefined);
    } else {
      await until('the client knows', () => client.error !== undefined);
      assert.match(client.error ?? '', clientError);
    }
    if (way !== 'half') return;
    server.socket.end('still open');
    await until('the other half is open', () => client.text === 'still open');
  });
}

test('dice fall alike for the same seed, and otherwise for another one', () => {
  const throws = (seed: string): number[] => {
    const dice = new Dice(seed).of('part');
    return Array.from({ length: 50 }, () => dice.between(1, 6));
  };
  assert.deepEqual(throws('7'), throws('7'));
  assert.notDeepEqual(throws('7'), throws('8'));
  assert.deepEqual(new Set(throws('7')), new Set([1, 2, 3, 4, 5, 6]));
});

// In each of these one chunk is one message.
for (const [transport, direction] of [
  ['websocket', 'toClient'],
  ['websocket', 'toServer'],
  ['raw websocket', 'toClient'],
  ['raw websocket', 'toServer'],
  ['xhr-streaming', 'toClient'],
  ['eventsource', 'toClient'],
  ['htmlfile', 'toClient'],
] as const) {
  for (const [does, tamper] of Object.entries(TAMPERING)) {
    const where = direction === 'toClient' ? 'to the client' : 'to the server';
    test(`${transport}: it is noticed that a message ${where} ${does}`, async () => {
      const tampering = new Tampering(tamper);
      const stages = { [direction]: tampering.stage };
      const setting = { transport, stages, settings: {}, dice: new Dice('proof'), intact: true };
      const history = await converse(setting, async (conversation) => {
        const say = (): void => {
          if (direction === 'toClient') conversation.serverSays(1);
          else conversation.clientSays(1);
        };
        say();
        await conversation.quiet();
        tampering.arm();
        say();
        await until('it was tampered with', () => tampering.isDone);
        say();
        await conversation.quiet();
        await conversation.attached();
        conversation.closeClient();
        return 'client when all was quiet';
      });
      const [complaint, ...others] = complaints(history);
      const who = direction === 'toClient' ? 'client' : 'server';
      assert.match(complaint ?? '', new RegExp(`^the ${who} received ".* as message [12], and "`));
      assert.deepEqual(others, []);
    });
  }
}

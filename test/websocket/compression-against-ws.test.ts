/**
 * Compares compressed messages in our parser and in that of `ws`, on valid and damaged messages. Ours is stricter: an
 * incomplete message is an error, while `ws` delivers the part that it can read. It inflates each fragment at once, so it
 * may report an error before a ping that precedes the last fragment. Pings are therefore left out. It also refuses a
 * fragment after a final block, so it gets damaged messages in whole frames.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { constants, deflateRawSync } from 'node:zlib';
import * as fc from 'fast-check';
import { WsFrameParser } from '../../src/websocket/frame-parser.ts';
import { COMPRESSED, OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';
import { FrameRecorder, type WsEvent } from './frame-recorder.ts';
import { WsReceiver } from './ws-receiver.ts';

const MAX_MESSAGE_BYTES = 2000;

const { PerMessageDeflate } = createRequire(import.meta.url)('ws') as {
  PerMessageDeflate: new (options: object) => { accept(offers: readonly object[]): object };
};

/** The end of a stream, by which both parsers show that they have read all before it. */
const END = encodeFrame(OPCODE.close, Buffer.from('03e8', 'hex'));

function referenceParser(): WsReceiver {
  const deflate = new PerMessageDeflate({
    isServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
  });
  deflate.accept([{}]);
  return new WsReceiver(true, MAX_MESSAGE_BYTES, { 'permessage-deflate': deflate });
}

function withoutPings(events: readonly WsEvent[]): WsEvent[] {
  return events.filter(([name]) => name !== 'ping');
}

function parseOurs(stream: Buffer, chunkBytes: number): WsEvent[] {
  const recorder = new FrameRecorder();
  const parser = new WsFrameParser(MAX_MESSAGE_BYTES, recorder, true);
  for (let at = 0; at < stream.length; at += chunkBytes) {
    parser.push(Buffer.from(stream.subarray(at, at + chunkBytes)));
    while (parser.isWaiting) parser.resume();
  }
  return withoutPings(recorder.events);
}

async function parseTheirs(stream: Buffer): Promise<WsEvent[]> {
  const parser = referenceParser();
  await parser.write(Buffer.from(stream));
  while (!parser.isOver) await nextTurn();
  return withoutPings(parser.events);
}

const TEXT = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.integer({ min: 0, max: 2100 }).map((length) => 'price '.repeat(400).slice(0, length)),
  fc.constantFrom(1998, 1999, 2000, 2001).map((length) => 'x'.repeat(length)),
);
const OPTIONS = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  windowBits: fc.integer({ min: 9, max: 15 }),
  memLevel: fc.integer({ min: 1, max: 9 }),
  strategy: fc.integer({ min: 0, max: 4 }),
});
/** Compressed data in one or two blocks, as valid endpoints produce it. */
const DATA = fc.tuple(TEXT, TEXT, OPTIONS).map(([first, second, options]) => {
  const sync = { ...options, finishFlush: constants.Z_SYNC_FLUSH };
  const blocks = first === second ? [] : [deflateRawSync(first, sync)];
  return Buffer.concat([...blocks, deflateRawSync(second, sync)]).subarray(0, -4);
});
const DAMAGED = fc
  .tuple(DATA, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.constantFrom('cut', 'change', 'add'))
  .map(([data, position, mask, kind]) => {
    const at = position % Math.max(1, data.length);
    if (kind === 'cut') return data.subarray(0, at);
    if (kind === 'add') return Buffer.concat([data, Buffer.alloc((position % 5) + 1, mask)]);
    const changed = Buffer.from(data);
    changed[at] = (changed[at] ?? 0) ^ mask;
    return changed;
  });

/** One message, in up to three fragments with a ping between them. */
function frames(data: Buffer, opcode: number, cuts: readonly number[]): Buffer {
  const ends = [
    ...cuts.map((cut) => cut % (data.length + 1)).toSorted((a, b) => a - b),
    data.length,
  ];
  return Buffer.concat(
    ends.flatMap((end, index) => {
      const start = ends[index - 1] ?? 0;
      const fin = index === ends.length - 1;
      const options = index === 0 ? { ...COMPRESSED, fin } : { fin };
      const frame = encodeFrame(
        index === 0 ? opcode : OPCODE.continuation,
        data.subarray(start, end),
        options,
      );
      return fin ? [frame] : [frame, encodeFrame(OPCODE.ping, 'p')];
    }),
  );
}

/** The same messages in fragments and in whole frames. */
interface Streams {
  readonly fragmented: Buffer;
  readonly whole: Buffer;
}

function streamsOf(data: fc.Arbitrary<Buffer>): fc.Arbitrary<Streams> {
  const message = fc
    .tuple(data, fc.constantFrom(OPCODE.text, OPCODE.binary), fc.array(fc.nat(), { maxLength: 2 }))
    .map(([bytes, opcode, cuts]) => ({
      fragmented: frames(bytes, opcode, cuts),
      whole: frames(bytes, opcode, []),
    }));
  const text = encodeFrame(OPCODE.text, 'plain');
  const plain = fc.constant({ fragmented: text, whole: text });
  return fc
    .array(fc.oneof({ weight: 4, arbitrary: message }, { weight: 1, arbitrary: plain }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((parts) => ({
      fragmented: Buffer.concat([...parts.map(({ fragmented }) => fragmented), END]),
      whole: Buffer.concat([...parts.map(({ whole }) => whole), END]),
    }));
}

const SIZE = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(100_000));

test('our parser and that of ws report the same for valid compressed messages', async () => {
  const reported = new Set<unknown>();
  await fc.assert(
    fc.asyncProperty(streamsOf(DATA), SIZE, async ({ fragmented }, size) => {
      const events = parseOurs(fragmented, size);
      assert.deepEqual(events, await parseTheirs(fragmented));
      for (const [name, code] of events) reported.add(name === 'error' ? code : name);
    }),
    { numRuns: 500, interruptAfterTimeLimit: 5000 },
  );
  for (const event of ['text', 'binary', 'close', 1009]) {
    assert.ok(reported.has(event), `no stream had ${event}`);
  }
});

/** Returns whether an event is that of `ws`, which ignores the data after a final block. */
function agrees(ours: WsEvent, theirs: WsEvent | undefined): boolean {
  if (theirs === undefined || ours[0] !== theirs[0]) return false;
  if (ours[0] === 'error') return true; // An end that is both too long and invalid has two codes.
  return ours[0] === 'close' || String(ours[1]).startsWith(String(theirs[1]));
}

test('for damaged messages both report the same, or ours reports an error', async () => {
  let same = 0;
  let stricter = 0;
  await fc.assert(
    fc.asyncProperty(streamsOf(fc.oneof(DATA, DAMAGED)), SIZE, async (streams, size) => {
      const ours = parseOurs(streams.whole, size);
      const theirs = await parseTheirs(streams.whole);
      assert.deepEqual(parseOurs(streams.fragmented, size), ours);
      const at = ours.findIndex((event, index) => !agrees(event, theirs[index]));
      if (at < 0) {
        assert.equal(ours.length, theirs.length);
        same += 1;
      } else {
        assert.equal(ours[at]?.[0], 'error', `${at}: ${JSON.stringify([ours, theirs])}`);
        stricter += 1;
      }
    }),
    { numRuns: 500, interruptAfterTimeLimit: 5000 },
  );
  assert.ok(same > 0 && stricter > 0, `${same} the same, ${stricter} stricter`);
});

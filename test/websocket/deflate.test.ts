/** RFC 7692, section 7.2: compressing and decompressing messages. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, deflateRawSync } from 'node:zlib';
import { deflateMessage, inflateMessage } from '../../src/websocket/deflate.ts';
import { deflate, inflate } from '../../testkit/websocket-frames.ts';

const LIMIT = 100_000;

function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(' ', ''), 'hex');
}

/** The text of a message, or its fault. */
function textOf(message: Buffer, limit = LIMIT): string {
  const result = inflateMessage(message, limit);
  return typeof result === 'string' ? `fault: ${result}` : result.toString();
}

const INVALID = 'fault: invalidCompression';
const TOO_LARGE = 'fault: messageTooLarge';

for (const [section, example, message, expected] of [
  ['7.2.3.1', 'one block', 'f2 48 cd c9 c9 07 00', 'Hello'],
  ['7.2.3.2', 'a message that needs the window of the one before', 'f2 00 11 00 00', INVALID],
  ['7.2.3.3', 'a block without compression', '00 05 00 fa ff 48 65 6c 6c 6f 00', 'Hello'],
  ['7.2.3.4', 'a final block', 'f3 48 cd c9 c9 07 00 00', 'Hello'],
  ['7.2.3.5', 'two blocks', 'f2 48 05 00 00 00 ff ff ca c9 c9 07 00', 'Hello'],
  ['7.2.3.6', 'an empty message', '00', ''],
  ['7.2.1', 'two final blocks', 'f3 48 cd c9 c9 07 00 f3 48 cd c9 c9 07 00 00', 'HelloHello'],
  [
    '7.2.1',
    'a final block and another one',
    'f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00',
    'HelloHello',
  ],
  ['7.2.1', 'a final block without a block after it', 'f3 48 cd c9 c9 07 00', INVALID],
  ['7.2.2', 'no bytes', '', INVALID],
  ['7.2.2', 'bytes after the message', 'f2 48 cd c9 c9 07 00 07', INVALID],
  ['7.2.2', 'the empty block, which is not sent', 'f2 48 cd c9 c9 07 00 00 00 ff ff', INVALID],
  ['7.2.2', 'an invalid block type', '06', INVALID],
  ['7.2.2', 'a wrong length', '00 05 00 fa fe 48 65 6c 6c 6f 00', INVALID],
  ['7.2.2', 'a distance beyond the beginning', '4b 04 13 00', INVALID],
  ['7.2.2', 'text', '48 65 6c 6c 6f', INVALID],
] as const) {
  test(`${section}: ${example}: ${JSON.stringify(expected)}`, () => {
    assert.equal(textOf(hex(message)), expected);
  });
}

const TEXT = JSON.stringify(
  Array.from({ length: 60 }, (_, index) => `Price ${(index * 37) % 101}`),
);

test('a message that is cut anywhere in its block is invalid', () => {
  for (const level of [1, 6, 9]) {
    const options = { level, finishFlush: constants.Z_SYNC_FLUSH };
    const message = deflateRawSync(TEXT, options).subarray(0, -4);
    assert.equal(textOf(message), TEXT);
    for (let length = 0; length < message.length; length += 1) {
      assert.equal(
        textOf(message.subarray(0, length)),
        INVALID,
        `${length} bytes at level ${level}`,
      );
    }
  }
});

test('a message with a changed byte is invalid or another text, and never throws', () => {
  const message = deflate(TEXT);
  let invalid = 0;
  for (let at = 0; at < message.length; at += 1) {
    for (const bit of [1, 16, 128]) {
      const changed = Buffer.from(message);
      changed[at] = (changed[at] ?? 0) ^ bit;
      const text = textOf(changed);
      assert.notEqual(text, TEXT);
      if (text === INVALID) invalid += 1;
    }
  }
  assert.ok(invalid > message.length / 2);
});

test('the limit holds for the decompressed length, over all blocks', () => {
  for (const message of [
    deflate('x'.repeat(1000)),
    Buffer.concat([deflateRawSync('x'.repeat(600)), deflate('x'.repeat(400))]),
    Buffer.concat([deflateRawSync('x'.repeat(1000)), hex('00')]),
  ]) {
    assert.equal(textOf(message, 1000), 'x'.repeat(1000));
    assert.equal(textOf(message, 999), TOO_LARGE);
    assert.equal(textOf(message, 1), TOO_LARGE);
  }
  for (const length of [65_535, 65_536, 65_537]) {
    assert.equal(textOf(deflate('y'.repeat(length)), length), 'y'.repeat(length));
    assert.equal(textOf(deflate('y'.repeat(length)), length - 1), TOO_LARGE);
  }
});

test('a bomb is too large after the limit, not after its whole length', () => {
  const bomb = deflate(Buffer.alloc(256 * 1024 * 1024));
  const before = process.memoryUsage().external;
  assert.equal(textOf(bomb), TOO_LARGE);
  assert.ok(process.memoryUsage().external - before < 16 * 1024 * 1024);
});

test('each final block takes time, so a message may have 100', () => {
  const final = hex('03 00');
  const blocks = (count: number): Buffer =>
    Buffer.concat([...Array.from({ length: count }, () => final), hex('00')]);
  assert.equal(textOf(blocks(99)), '');
  assert.equal(textOf(blocks(100)), INVALID);
  assert.equal(textOf(blocks(50_000)), INVALID);
});

test('messages of every length are compressed so that zlib and this library restore them', () => {
  const random = randomBytes(300_000);
  const text = Buffer.alloc(300_000, TEXT);
  const step = (length: number): number => (length < 1100 ? length + 1 : Math.ceil(length * 1.07));
  for (let length = 0; length < 300_000; length = step(length)) {
    for (const data of [random.subarray(0, length), text.subarray(0, length)]) {
      const message = deflateMessage(data, length);
      assert.ok(inflate(message).equals(data), `${length} bytes`);
      const restored = inflateMessage(message, length);
      assert.ok(typeof restored !== 'string' && restored.equals(data), `${length} bytes`);
    }
  }
});

test('text is compressed as UTF-8', () => {
  const text = 'Größe: 日本語 🎉 '.repeat(20);
  assert.equal(inflate(deflateMessage(text, Buffer.byteLength(text))).toString(), text);
});

test('an empty message is one byte, as in section 7.2.3.6', () => {
  assert.deepEqual(deflateMessage('', 0), hex('00'));
});

test('the smaller window for short messages costs no compression', () => {
  for (let length = 64; length <= 65_536; length *= 2) {
    const data = Buffer.alloc(length, TEXT);
    const whole = deflateRawSync(data, { level: 3, finishFlush: constants.Z_SYNC_FLUSH });
    assert.ok(deflateMessage(data, length).length <= whole.length, `${length} bytes`);
  }
});

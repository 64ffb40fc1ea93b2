import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COMPRESSED,
  deflate,
  inflate,
  OPCODE,
  decodeClose,
  decodeText,
  encodeClose,
  encodeFrame,
  readServerFrame,
} from '../../testkit/websocket-frames.ts';

const UNMASKED = { mask: false } as const;

/** Gives bytes as long as there are any. */
function sourceOf(bytes: Buffer): { readBytes(length: number): Promise<Buffer> } {
  let at = 0;
  return {
    async readBytes(length) {
      assert.ok(at + length <= bytes.length, 'the frame is longer than its bytes');
      at += length;
      return bytes.subarray(at - length, at);
    },
  };
}

test('frames are those of the examples in RFC 6455, 5.7', () => {
  const hex = (frame: Buffer): string => frame.toString('hex');
  assert.equal(hex(encodeFrame(OPCODE.text, 'Hello', UNMASKED)), '810548656c6c6f');
  assert.equal(hex(encodeFrame(OPCODE.text, 'Hello')), '818537fa213d7f9f4d5158');
  assert.equal(hex(encodeFrame(OPCODE.text, 'Hel', { ...UNMASKED, fin: false })), '010348656c');
  assert.equal(hex(encodeFrame(OPCODE.continuation, 'lo', UNMASKED)), '80026c6f');
  assert.equal(hex(encodeFrame(OPCODE.ping, 'Hello', UNMASKED)), '890548656c6c6f');
  const medium = encodeFrame(OPCODE.binary, Buffer.alloc(256), UNMASKED);
  assert.equal(hex(medium.subarray(0, 4)), '827e0100');
  const long = encodeFrame(OPCODE.binary, Buffer.alloc(65_536), UNMASKED);
  assert.equal(hex(long.subarray(0, 10)), '827f0000000000010000');
});

test('an invalid frame can be asked for', () => {
  const options = { ...UNMASKED, rsv: 4, lengthForm: '16 bit', declaredLength: 9 } as const;
  assert.equal(encodeFrame(OPCODE.text, 'x', options).toString('hex'), 'c17e000978');
  const huge = encodeFrame(OPCODE.text, '', { declaredLength: 2n ** 63n, ...UNMASKED });
  assert.equal(huge.toString('hex'), '817f8000000000000000');
});

test('encodeFrame leaves its payload as it is', () => {
  const payload = Buffer.from('Hello');
  encodeFrame(OPCODE.text, payload);
  assert.equal(payload.toString(), 'Hello');
});

for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
  test(`a frame of ${length} bytes is read back`, async () => {
    const payload = Buffer.alloc(length, 'x');
    const frame = encodeFrame(OPCODE.binary, payload, { ...UNMASKED, fin: false });
    const read = await readServerFrame(sourceOf(frame));
    assert.deepEqual(read, { fin: false, isCompressed: false, opcode: OPCODE.binary, payload });
  });
}

test('a compressed frame is read back if compression was negotiated', async () => {
  const payload = deflate('Hello');
  const read = await readServerFrame(
    sourceOf(encodeFrame(OPCODE.text, payload, { ...UNMASKED, ...COMPRESSED })),
    true,
  );
  assert.deepEqual(read, { fin: true, isCompressed: true, opcode: OPCODE.text, payload });
  assert.equal(inflate(read.payload).toString(), 'Hello');
});

const FORBIDDEN: Readonly<Record<string, Buffer>> = {
  masked: encodeFrame(OPCODE.text, 'x'),
  'a reserved bit': encodeFrame(OPCODE.text, 'x', { ...UNMASKED, rsv: 1 }),
  'opcode 3 is reserved': encodeFrame(3, 'x', UNMASKED),
  'a control frame is fragmented': encodeFrame(OPCODE.ping, 'x', { ...UNMASKED, fin: false }),
  'longer than 125 bytes': encodeFrame(OPCODE.ping, 'x'.repeat(126), UNMASKED),
  'shortest form': encodeFrame(OPCODE.text, 'x', { ...UNMASKED, lengthForm: '16 bit' }),
};

for (const [rule, frame] of Object.entries(FORBIDDEN)) {
  test(`a frame of a server that breaks a rule is an error: ${rule}`, async () => {
    await assert.rejects(readServerFrame(sourceOf(frame)), new RegExp(rule));
  });
}

for (const [name, opcode, rsv] of [
  ['a compressed control frame', OPCODE.ping, 4],
  ['a compressed continuation', OPCODE.continuation, 4],
  ['a frame with two reserved bits', OPCODE.text, 6],
  ['a frame with another reserved bit', OPCODE.text, 2],
] as const) {
  test(`${name} is an error even if compression was negotiated`, async () => {
    const frame = encodeFrame(opcode, 'x', { ...UNMASKED, rsv });
    await assert.rejects(readServerFrame(sourceOf(frame), true), /a reserved bit/);
  });
}

test('a compressed frame is an error unless compression was negotiated', async () => {
  const frame = encodeFrame(OPCODE.text, deflate('x'), { ...UNMASKED, ...COMPRESSED });
  await assert.rejects(readServerFrame(sourceOf(frame)), /a reserved bit/);
});

test('a close payload is read back', () => {
  assert.deepEqual(decodeClose(encodeClose(3000, 'Go away! €')), {
    code: 3000,
    reason: 'Go away! €',
  });
  assert.deepEqual(decodeClose(Buffer.alloc(0)), { code: 1005, reason: '' });
  assert.throws(() => decodeClose(Buffer.alloc(1)), /one byte/);
});

test('text that is not UTF-8 is an error', () => {
  assert.throws(() => decodeText(Buffer.from([0xff])), TypeError);
  assert.equal(decodeText(Buffer.from('\ufeffx')), '\ufeffx');
});

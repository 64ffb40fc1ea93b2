/** RFC 6455, 5.3: masking, compared with the encoder of the test kit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MASK_BYTES, readMask, rotateMask, unmask } from '../../src/websocket/mask.ts';
import { DEFAULT_MASK, OPCODE, encodeFrame } from '../../testkit/websocket-frames.ts';

const MASK = new Uint8Array([0x01, 0x80, 0xff, 0x37]);

/** Below, at and above the length from which whole words are unmasked, and every remainder. */
const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 127, 128, 300];

function bytesOf(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => index * 31));
}

/** The masked payload of a frame. */
function maskedPayload(data: Buffer, mask: Uint8Array): Buffer {
  const frame = encodeFrame(OPCODE.binary, data, { mask });
  return frame.subarray(frame.length - data.length);
}

for (const mask of [MASK, DEFAULT_MASK, new Uint8Array(4), new Uint8Array(4).fill(0xff)]) {
  test(`the mask ${[...mask].join(' ')} is removed at every alignment and length`, () => {
    for (let alignment = 0; alignment < 8; alignment += 1) {
      for (const length of LENGTHS) {
        const data = bytesOf(length);
        const memory = new Uint8Array(alignment + length + 8).fill(0xee);
        memory.set(maskedPayload(data, mask), alignment);
        unmask(memory, alignment, alignment + length, mask);
        const expected = new Uint8Array(memory.length).fill(0xee);
        expected.set(data, alignment);
        assert.deepEqual(memory, expected, `alignment ${alignment}, length ${length}`);
      }
    }
  });
}

test('a view that begins within its memory is unmasked at every alignment', () => {
  for (let byteOffset = 0; byteOffset < 8; byteOffset += 1) {
    for (let start = 0; start < 4; start += 1) {
      const data = bytesOf(100);
      const view = new Uint8Array(new ArrayBuffer(200), byteOffset, 150);
      view.set(maskedPayload(data, MASK), start);
      unmask(view, start, start + data.length, MASK);
      assert.deepEqual(Buffer.from(view.subarray(start, start + data.length)), data);
      assert.ok(view.subarray(start + data.length).every((byte) => byte === 0));
    }
  }
});

test('an empty range changes nothing', () => {
  const bytes = new Uint8Array([1, 2, 3]);
  unmask(bytes, 1, 1, MASK);
  assert.deepEqual([...bytes], [1, 2, 3]);
});

test('a payload that is unmasked in two parts continues with a rotated mask', () => {
  for (const length of [5, 66, 200]) {
    for (let cut = 0; cut <= length; cut += 1) {
      const data = bytesOf(length);
      const bytes = maskedPayload(data, MASK);
      const mask = new Uint8Array(MASK);
      unmask(bytes, 0, cut, mask);
      rotateMask(mask, cut % MASK_BYTES);
      unmask(bytes, cut, length, mask);
      assert.deepEqual(bytes, data, `length ${length}, cut at ${cut}`);
    }
  }
});

for (const [offset, rotated] of [
  [0, [1, 2, 3, 4]],
  [1, [2, 3, 4, 1]],
  [2, [3, 4, 1, 2]],
  [3, [4, 1, 2, 3]],
  [5, [2, 3, 4, 1]],
] as const) {
  test(`a mask rotated by ${offset} begins at that byte`, () => {
    const mask = new Uint8Array([1, 2, 3, 4]);
    rotateMask(mask, offset);
    assert.deepEqual([...mask], rotated);
  });
}

test('a mask is read from any index, and missing bytes are 0', () => {
  const bytes = Buffer.from([9, ...MASK, 9]);
  assert.deepEqual([...readMask(bytes, 1)], [...MASK]);
  assert.deepEqual([...readMask(bytes, 4)], [0x37, 9, 0, 0]);
});

/** Masking: RFC 6455, section 5.3. */

export const MASK_BYTES = 4;

const MASK = new Uint8Array(MASK_BYTES);

/** Returns the mask at an index, in one array for all frames. A view for each would double the time for small ones. */
export function readMask(bytes: Buffer, start: number): Uint8Array {
  for (let index = 0; index < MASK_BYTES; index += 1) MASK[index] = bytes[start + index] ?? 0;
  return MASK;
}

// Below this length, a view of 32-bit words costs more than it saves.
const MIN_BYTES_FOR_WORDS = 64;

const WORD = new Int32Array(1);
const WORD_BYTES = new Uint8Array(WORD.buffer);

/** Returns the mask, starting at its byte `offset`, as a 32-bit word in the byte order of the machine. */
function maskWord(mask: Uint8Array, offset: number): number {
  for (let index = 0; index < MASK_BYTES; index += 1) {
    WORD_BYTES[index] = mask[(offset + index) & 3] ?? 0;
  }
  return WORD[0] ?? 0;
}

/** Rotates a mask in place, so that it starts at its byte `offset`. */
export function rotateMask(mask: Uint8Array, offset: number): void {
  WORD[0] = maskWord(mask, offset);
  mask.set(WORD_BYTES);
}

/** XORs `bytes` from `start` to `end` with a mask whose first byte belongs to `start`. */
export function unmask(bytes: Uint8Array, start: number, end: number, mask: Uint8Array): void {
  let at = start;
  if (end - start >= MIN_BYTES_FOR_WORDS) {
    while (((bytes.byteOffset + at) & 3) !== 0) {
      bytes[at] = (bytes[at] ?? 0) ^ (mask[(at - start) & 3] ?? 0);
      at += 1;
    }
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >> 2);
    const word = maskWord(mask, at - start);
    for (let index = 0; index < words.length; index += 1) words[index] = (words[index] ?? 0) ^ word;
    at += words.length * 4;
  }
  for (; at < end; at += 1) bytes[at] = (bytes[at] ?? 0) ^ (mask[(at - start) & 3] ?? 0);
}

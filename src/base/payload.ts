/**
 * Data to send: text, or its bytes in UTF-8 in pieces. Long text is passed as bytes, which all receivers of a broadcast
 * share, so that it is encoded once and is in memory once. The bytes never change.
 */
export type Payload = string | readonly Buffer[];

/** Returns the length of a payload in bytes. */
export function payloadLength(payload: Payload): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload);
  let length = 0;
  for (const piece of payload) length += piece.length;
  return length;
}

/** Returns the bytes of all pieces. A single piece is not copied. */
export function joinPieces(pieces: readonly Buffer[]): Buffer {
  const [first] = pieces;
  return first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces);
}

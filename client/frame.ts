/** Decodes the values of frames. PROTOCOL.md, "Frames from the server". */

/** Returns the messages of a frame. @throws an error if it is malformed */
export function parseMessages(frame: string): readonly string[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a value without the method throws
  const values = JSON.parse(frame.slice(1)) as readonly unknown[];
  if (values.every((value) => typeof value === 'string')) return values;
  throw new SyntaxError();
}

/** Returns the code and reason of a close frame, and ignores further values. @throws an error if it is malformed */
export function parseClose(frame: string): { readonly code: number; readonly reason: string } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a value that is not iterable throws
  const [code, reason] = JSON.parse(frame.slice(1)) as readonly unknown[];
  if (typeof code === 'number') return { code, reason: String(reason) };
  throw new SyntaxError();
}

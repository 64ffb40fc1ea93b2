/** Size above which a message or a frame is long. */
export const LONG_BYTES = 64 * 1024;

/** Memoizes the last result of `create`, so that a broadcast is encoded once. For short data, since the result stays. */
export function memoizeLast<Input, Output>(
  create: (input: Input) => Output,
): (input: Input) => Output {
  let last: { readonly input: Input; readonly output: Output } | undefined;
  return (input) => {
    if (last !== undefined && last.input === input) return last.output;
    const output = create(input);
    last = { input, output };
    return output;
  };
}

interface Source {
  /** True if the result is so long that it should be freed together with its source. */
  readonly isLong: boolean;
}

/**
 * Memoizes the encoding of a message or a frame, so that a broadcast is encoded once. The result for a long source is
 * kept while the source is queued for any client. For short sources only the last result is kept, which costs less.
 */
export function memoizeEncoding<Input extends Source, Output>(
  encode: (source: Input) => Output,
): (source: Input) => Output {
  const encodeShort = memoizeLast(encode);
  const encodings = new WeakMap<Input, Output>();
  return (source) => {
    if (!source.isLong) return encodeShort(source);
    const known = encodings.get(source);
    if (known !== undefined) return known;
    const encoding = encode(source);
    encodings.set(source, encoding);
    return encoding;
  };
}

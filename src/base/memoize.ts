/**
 * Limit for memoized results: 64 KiB, since they stay in memory. Longer frames are rare, and encoding them again costs
 * little compared to sending them.
 */
export const MAX_MEMOIZED_BYTES = 64 * 1024;

interface Sized {
  readonly length: number;
}

/**
 * Memoizes the last result of `create`, so that a broadcast is encoded once.
 * @param maxLength limit for the length of a memoized result; a longer one is created again for each call
 */
export function memoizeLast<Input, Output extends Sized>(
  create: (input: Input) => Output,
  maxLength: number,
): (input: Input) => Output {
  let last: { readonly input: Input; readonly output: Output } | undefined;
  return (input) => {
    if (last !== undefined && last.input === input) return last.output;
    const output = create(input);
    if (output.length <= maxLength) last = { input, output };
    return output;
  };
}

/** What was made last, for those who ask for it again: in a broadcast the same is wanted for many clients in a row. */

/** Longer frames are rare, and cheap beside what they carry; what is kept stays in memory. */
export const MAX_MEMOIZED_BYTES = 64 * 1024;

interface Sized {
  readonly length: number;
}

/** @param longest what is longer than this is not kept, so that it can be freed */
export function memoizeLast<In, Out extends Sized>(
  make: (input: In) => Out,
  longest: number,
): (input: In) => Out {
  let last: { readonly input: In; readonly made: Out } | undefined;
  return (input) => {
    if (last !== undefined && last.input === input) return last.made;
    const made = make(input);
    if (made.length <= longest) last = { input, made };
    return made;
  };
}

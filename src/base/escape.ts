/** Character codes that are converted to text at once. Their number is limited by the stack. */
const PIECE_LENGTH = 4096;
const MAX_ESCAPE_LENGTH = 8;
/** Shared by all calls, which are synchronous. */
const PIECE = new Uint16Array(PIECE_LENGTH + MAX_ESCAPE_LENGTH);

/**
 * Creates a function that replaces characters of a text. It takes linear time even if every character is replaced,
 * where a regular expression with a function takes 0.1 s for 1 MiB.
 * @param pattern matches a text with any of the characters
 * @param escapes replacement of each character, at most 8 characters long
 */
export function createEscaper(
  pattern: RegExp,
  escapes: ReadonlyMap<string, string>,
): (text: string) => string {
  const byCode = new Map(
    [...escapes].map(([character, escape]) => [character.charCodeAt(0), escape]),
  );
  const isEscaped = new Uint8Array(Math.max(...byCode.keys()) + 1);
  for (const code of byCode.keys()) isEscaped[code] = 1;
  return (text) => {
    if (!pattern.test(text)) return text;
    let result = '';
    let length = 0;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (isEscaped[code] === 1) {
        const escape = byCode.get(code) ?? '';
        for (let index = 0; index < escape.length; index += 1) {
          PIECE[length + index] = escape.charCodeAt(index);
        }
        length += escape.length;
      } else {
        PIECE[length] = code;
        length += 1;
      }
      if (length < PIECE_LENGTH) continue;
      result += toText(length);
      length = 0;
    }
    return result + toText(length);
  };
}

function toText(length: number): string {
  return String(Reflect.apply(String.fromCharCode, undefined, PIECE.subarray(0, length)));
}

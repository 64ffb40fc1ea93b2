/**
 * Parses percent-encoded text and `application/x-www-form-urlencoded` text: queries and form bodies. Each function takes
 * linear time. `URLSearchParams` takes quadratic time for some texts that clients can send.
 */
import { isUtf8 } from 'node:buffer';

const AMPERSAND = 38;
const EQUALS = 61;
const PERCENT = 37;
const PLUS = 43;
const SPACE = 32;

/**
 * Calls back for each field of a form, with the indices of its name, of the end of its name, and of its own end.
 * @param visit returns true to stop
 */
function visitFields(
  form: string,
  visit: (start: number, nameEnd: number, end: number) => boolean,
): void {
  let start = 0;
  let equals = -1;
  for (let at = 0; at <= form.length; at += 1) {
    const code = at < form.length ? form.charCodeAt(at) : AMPERSAND;
    if (code === EQUALS && equals < 0) {
      equals = at;
    } else if (code === AMPERSAND) {
      if (at > start && visit(start, equals < 0 ? at : equals, at)) return;
      start = at + 1;
      equals = -1;
    }
  }
}

/** Returns the value of a hexadecimal digit, or NaN. */
function hexDigit(code: number | undefined = 0): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : NaN;
}

/** Returns the byte that two hexadecimal digits after a percent sign stand for, or NaN. */
function hexByte(high: number | undefined, low: number | undefined): number {
  return hexDigit(high) * 16 + hexDigit(low);
}

/**
 * Decodes bytes in place: `+` is a space, and `%XX` a byte. Other percent signs stay.
 * @returns the decoded bytes, a part of `bytes`
 */
function decodeInPlace(bytes: Buffer): Buffer {
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    let byte = bytes[at] ?? 0;
    if (byte === PLUS) {
      byte = SPACE;
    } else if (byte === PERCENT) {
      const decoded = hexByte(bytes[at + 1], bytes[at + 2]);
      if (decoded >= 0) {
        byte = decoded;
        at += 2;
      }
    }
    bytes[length] = byte;
    length += 1;
  }
  return bytes.subarray(0, length);
}

const MALFORMED = /%(?![\da-f]{2})/i;

/**
 * Returns the same as `decodeURIComponent`, or the text itself if it is malformed. `decodeURIComponent` throws then,
 * which takes ten times as long as decoding.
 */
export function decodePercent(text: string): string {
  if (!text.includes('%') || MALFORMED.test(text)) return text;
  const bytes = decodeInPlace(Buffer.from(text.replaceAll('+', '%2B'), 'utf8'));
  return isUtf8(bytes) ? bytes.toString('utf8') : text;
}

function decodeText(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  return decodeInPlace(Buffer.from(text, 'utf8')).toString('utf8');
}

/** Returns whether an encoded name stands for `name`. Decoding each name into a new text would take ten times as long. */
function matchesName(form: string, start: number, end: number, name: string): boolean {
  let length = 0;
  for (let at = start; at < end; at += 1) {
    let code = form.charCodeAt(at);
    if (code === PERCENT && at + 2 < end) {
      const decoded = hexByte(form.charCodeAt(at + 1), form.charCodeAt(at + 2));
      if (decoded >= 0) {
        code = decoded;
        at += 2;
      }
    }
    if (code !== name.charCodeAt(length)) return false;
    length += 1;
  }
  return length === name.length;
}

/** Returns the value of the first field with this name, undecoded, or undefined. */
function findUndecoded(form: string, name: string): string | undefined {
  let value: string | undefined;
  visitFields(form, (start, nameEnd, end) => {
    if (!matchesName(form, start, nameEnd, name)) return false;
    value = form.slice(nameEnd + 1, end);
    return true;
  });
  return value;
}

/**
 * Returns the value of the first field with this name, decoded, or undefined. A field without `=` has the value ''.
 * @param name letters and digits
 */
export function findField(form: string, name: string): string | undefined {
  const value = findUndecoded(form, name);
  return value === undefined ? undefined : decodeText(value);
}

/** Returns the same as `findField` as bytes, which are UTF-8 only if the client has sent UTF-8. */
export function findFieldBytes(form: Buffer, name: string): Buffer | undefined {
  // `latin1` keeps each byte as one character.
  const value = findUndecoded(form.toString('latin1'), name);
  return value === undefined ? undefined : decodeInPlace(Buffer.from(value, 'latin1'));
}

/** Returns all fields, decoded, as `new URLSearchParams(form)` does. */
export function parseFields(form: string): URLSearchParams {
  const fields = new URLSearchParams();
  visitFields(form, (start, nameEnd, end) => {
    fields.append(decodeText(form.slice(start, nameEnd)), decodeText(form.slice(nameEnd + 1, end)));
    return false;
  });
  return fields;
}

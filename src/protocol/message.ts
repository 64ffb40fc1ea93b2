/**
 * Messages of the application and their JSON form. A broadcast queues the same `Message` in every session, so that its
 * JSON is encoded once.
 */
import { SockJSError } from '../base/errors.ts';
import { Escaper } from '../base/escape.ts';
import { LONG_BYTES } from '../base/memoize.ts';

// Characters that JSON.stringify does not escape and some browsers change in transit. PROTOCOL.md, "Frames from the
// server".
const ESCAPABLE = /[\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff]/;

function unicodeEscapes(): Map<string, string> {
  const escapes = new Map<string, string>();
  for (let code = 0; code <= 0xffff; code += 1) {
    const character = String.fromCharCode(code);
    if (ESCAPABLE.test(character)) escapes.set(character, `\\u${code.toString(16)}`);
  }
  return escapes;
}

const ESCAPER = new Escaper(ESCAPABLE, unicodeEscapes());

/** Returns `text` as a JSON string, with every character escaped that some browser changes in transit. */
export function quote(text: string): string {
  return ESCAPER.escapeText(JSON.stringify(text));
}

/** Approximate memory of a queued message in addition to its data. It counts against limits. */
export const MESSAGE_OVERHEAD_BYTES = 100;

export class Message {
  /** Text, or bytes for a raw WebSocket. SockJS frames carry only text. */
  readonly data: string | Uint8Array;
  /** Bytes that count against limits: the data, text as UTF-8, and `MESSAGE_OVERHEAD_BYTES`. */
  readonly size: number;
  /** True for a broadcast. All sessions share its message, so it takes memory once. */
  readonly isShared: boolean;
  #quoted: string | undefined;

  /** @param byteLength length of the data in bytes, with text as UTF-8 */
  constructor(data: string | Uint8Array, byteLength: number, isShared: boolean) {
    this.data = data;
    this.isShared = isShared;
    this.size = MESSAGE_OVERHEAD_BYTES + byteLength;
  }

  /** True if encodings of the message should be freed together with it. */
  get isLong(): boolean {
    return this.size > LONG_BYTES;
  }

  /**
   * The text as a JSON string.
   * @throws SockJSError `ERR_MESSAGE_TYPE` for bytes
   */
  get quoted(): string {
    return (this.#quoted ??= this.#quote());
  }

  #quote(): string {
    const { data } = this;
    if (typeof data !== 'string') {
      throw new SockJSError(
        'ERR_MESSAGE_TYPE',
        'SockJS frames carry only strings. Bytes need the transport rawwebsocket.',
      );
    }
    // A text with as many bytes as characters is ASCII, for which JSON.stringify escapes enough.
    return this.size - MESSAGE_OVERHEAD_BYTES === data.length ? JSON.stringify(data) : quote(data);
  }
}

function isArrayOfStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

const QUOTE = 34;
const COMMA = 44;
const OPENING_BRACKET = 91;
const BACKSLASH = 92;
const CLOSING_BRACKET = 93;

/** Length from which a text is checked before it is parsed. The check would slow down short messages. */
const MIN_CHECKED_LENGTH = 16_384;

/** Returns the index after the JSON string that begins at `start`, or the length of the text. */
function endOfString(json: string, start: number): number {
  let end = start;
  let backslashes = 0;
  do {
    end = json.indexOf('"', end + 1);
    if (end < 0) return json.length;
    backslashes = 0;
    while (json.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
  } while (backslashes % 2 === 1);
  return end + 1;
}

/**
 * Returns whether a text has values other than strings and one array. JSON.parse builds them before it is known that
 * they are refused: 2 MiB of nested arrays or of objects take up to 600 ms and 100 MiB.
 */
function hasOtherValues(json: string): boolean {
  let arrays = 0;
  let at = 0;
  while (at < json.length) {
    const code = json.charCodeAt(at);
    if (code === OPENING_BRACKET) arrays += 1;
    else if (code > COMMA && code !== CLOSING_BRACKET) return true;
    if (arrays > 1) return true;
    at = code === QUOTE ? endOfString(json, at) : at + 1;
  }
  return false;
}

function parse(json: string): unknown {
  if (json.length >= MIN_CHECKED_LENGTH && hasOtherValues(json)) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Decoded body of an `xhr_send` or `jsonp_send` request. */
export interface DecodedBody {
  readonly messages: readonly string[];
}

/**
 * Decodes the body of a sending request: a JSON array of strings.
 * @returns undefined for anything else
 */
export function decodeBody(json: string): DecodedBody | undefined {
  const messages = parse(json);
  return isArrayOfStrings(messages) ? { messages } : undefined;
}

/**
 * Decodes the text of a WebSocket message: a JSON array of strings, one JSON string, or an empty text.
 * @returns undefined for anything else
 */
export function decodeWebSocketMessage(json: string): string[] | undefined {
  if (json === '') return [];
  const value = parse(json);
  if (typeof value === 'string') return [value];
  return isArrayOfStrings(value) ? value : undefined;
}

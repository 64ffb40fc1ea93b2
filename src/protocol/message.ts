/**
 * One application message and its JSON form. A broadcast hands the same `Message` to every session, so
 * the JSON is made at most once however many receivers there are.
 */
import { SockJSError } from '../base/errors.ts';

// PROTOCOL "Frames from the server": what has to be escaped beyond what JSON.stringify does (it escapes U+0000–001F
// and lone surrogates).
const ESCAPABLE = /[\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff]/;
const ALL_ESCAPABLE = new RegExp(ESCAPABLE, 'g');

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16)}`;
}

/** The JSON string for `text`, with every character escaped that some browser mangles. */
export function quote(text: string): string {
  const json = JSON.stringify(text);
  return ESCAPABLE.test(json) ? json.replace(ALL_ESCAPABLE, unicodeEscape) : json;
}

/** About what a waiting message takes in memory besides its data; empty ones must not be free. */
export const MESSAGE_OVERHEAD_BYTES = 100;

export class Message {
  /** Bytes travel on raw WebSockets only; SockJS frames are made of text. */
  readonly data: string | Uint8Array;
  /** What it counts for in every limit: the bytes of the data itself, as UTF-8, and its own upkeep. */
  readonly size: number;
  #quoted: string | undefined;

  /** @param byteLength length of the data in bytes, of text as UTF-8 */
  constructor(data: string | Uint8Array, byteLength: number) {
    this.data = data;
    this.size = MESSAGE_OVERHEAD_BYTES + byteLength;
  }

  /** The text as a JSON string. */
  get quoted(): string {
    return (this.#quoted ??= this.#quote());
  }

  #quote(): string {
    const { data } = this;
    if (typeof data !== 'string') {
      throw new SockJSError(
        'ERR_MESSAGE_TYPE',
        'SockJS frames carry strings; bytes need rawwebsocket.',
      );
    }
    // As many bytes as characters: plain ASCII, of which there is nothing to escape beyond JSON.
    return this.size - MESSAGE_OVERHEAD_BYTES === data.length ? JSON.stringify(data) : quote(data);
  }
}

function isArrayOfStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/**
 * The messages in the body of an `xhr_send` or `jsonp_send`: a JSON array of strings.
 * @returns undefined for anything else
 */
export function decodeBody(json: string): string[] | undefined {
  const value = parse(json);
  return isArrayOfStrings(value) ? value : undefined;
}

/**
 * The messages in a WebSocket message: a JSON array of strings or one JSON string. An empty message
 * holds none.
 * @returns undefined for anything else
 */
export function decodeWebSocketMessage(json: string): string[] | undefined {
  if (json === '') return [];
  const value = parse(json);
  if (typeof value === 'string') return [value];
  return isArrayOfStrings(value) ? value : undefined;
}

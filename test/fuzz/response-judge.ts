/**
 * Reads all that a server wrote on one connection, as strictly as it can be read: every answer has to be HTTP
 * with a status that we document, and every frame in it one of SockJS or of WebSockets. What breaks off in the
 * middle is no fault: the client has left.
 */
import { REFUSALS } from '../../src/base/refusal.ts';

const REFUSED = Object.values(REFUSALS);
/** Of what is no refusal, and of what Node's parser and server answer by themselves. */
const OTHERS = [101, 200, 204, 304, 426, 100, 400, 408, 413, 417, 431];
const STATUSES = new Set([...OTHERS, ...REFUSED.map(({ status }) => status)]);
/** What a faulty request for a WebSocket is told: docs/errors.md. */
const HANDSHAKE_TEXTS = [
  '"Connection" must be "Upgrade".',
  'A WebSocket needs HTTP/1.1.',
  '"Sec-WebSocket-Key" is missing or invalid.',
  'Version 13 of WebSocket is served.',
];
const TEXTS = new Set([...HANDSHAKE_TEXTS, ...REFUSED.map(({ text }) => text)]);

const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) [ -~]*$/;
const HEADER_LINE = /^[\w!#$%&'*+.^`|~-]+: ?[\t -~\x80-\xff]*$/;
const ANSWER = 'HTTP/1.1 ';
const END_OF_HEAD = '\r\n\r\n';

export interface Reading {
  readonly statuses: readonly number[];
  /** What is wrong, if anything. */
  readonly fault: string | undefined;
}

class Fault extends Error {}

function check(holds: boolean, what: string, where: string): asserts holds {
  if (!holds) throw new Fault(`${what}: ${JSON.stringify(where.slice(0, 200))}`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));
    return true;
  } catch {
    return false;
  }
}

function isFrame(text: string): boolean {
  if (text === 'o' || text === 'h' || /^h{2048}$/.test(text)) return true;
  return /^(a\[".*"\]|c\[\d{4},".*"\])$/.test(text) && isJson(text.slice(1));
}

const JSONP = /^\/\*\*\/[\w.-]{1,32}\((".*")\);\r\n$/;
const EVENT = /^data: ([^\r\n\0]*)$/;

/** A body that ends with its last frame, or in the middle of one. */
function checkFrames(type: string, body: string): void {
  if (type === 'text/event-stream') {
    for (const event of body.split('\r\n\r\n').slice(0, -1)) {
      const data = EVENT.exec(event.replace(/^\r\n/, ''))?.[1];
      check(data !== undefined && isFrame(decodeURI(data)), 'no event', event);
    }
  } else if (type.startsWith('application/javascript') && body.startsWith('/**/')) {
    const quoted = JSONP.exec(body)?.[1];
    check(quoted !== undefined && isFrame(String(JSON.parse(quoted))), 'no call', body);
  } else if (type.startsWith('application/javascript') && /^[ohac]/.test(body)) {
    for (const line of body.split('\n').slice(0, -1)) check(isFrame(line), 'no frame', line);
  }
}

const SENDABLE = (code: number): boolean =>
  code >= 1000 && code <= 4999 && ![1004, 1005, 1006].includes(code);

function checkWebSocket(data: Buffer): void {
  let at = 0;
  while (at + 2 <= data.length) {
    const [first = 0, second = 0] = data.subarray(at, at + 2);
    check([0x81, 0x82, 0x88, 0x89, 0x8a].includes(first), 'no frame', data.toString('latin1', at));
    check(second < 128, 'a masked frame', data.toString('latin1', at));
    const head = second < 126 ? 2 : second === 126 ? 4 : 10;
    if (at + head > data.length) return;
    const length =
      head === 2
        ? second
        : head === 4
          ? data.readUInt16BE(at + 2)
          : Number(data.readBigUInt64BE(at + 2));
    const payload = data.subarray(at + head, at + head + length);
    if (payload.length < length) return;
    if (first === 0x88 && length > 0) {
      check(
        length > 1 && SENDABLE(payload.readUInt16BE(0)),
        'no close code',
        payload.toString('latin1'),
      );
    }
    if (first === 0x81) new TextDecoder('utf-8', { fatal: true }).decode(payload);
    at += head + length;
  }
}

class Reader {
  readonly statuses: number[] = [];
  readonly #bytes: string;
  readonly #mayBeHead: boolean;
  #at = 0;

  constructor(bytes: string, mayBeHead: boolean) {
    this.#bytes = bytes;
    this.#mayBeHead = mayBeHead;
  }

  read(): void {
    while (this.#at < this.#bytes.length && this.#answer());
  }

  /** @returns false if nothing can follow */
  #answer(): boolean {
    const rest = this.#bytes.slice(this.#at);
    check(rest.startsWith(ANSWER) || ANSWER.startsWith(rest), 'not an answer', rest);
    const end = this.#bytes.indexOf(END_OF_HEAD, this.#at);
    if (end < 0) return false;
    const [statusLine = '', ...lines] = this.#bytes.slice(this.#at, end).split('\r\n');
    const status = Number(STATUS_LINE.exec(statusLine)?.[1]);
    check(STATUSES.has(status), 'not a documented status', statusLine);
    this.statuses.push(status);
    for (const line of lines) check(HEADER_LINE.test(line), 'not a header', line);
    this.#at = end + END_OF_HEAD.length;
    return this.#body(status, headersOf(lines));
  }

  #body(status: number, headers: ReadonlyMap<string, string>): boolean {
    if (status === 101) {
      checkWebSocket(Buffer.from(this.#bytes.slice(this.#at), 'latin1'));
      return false;
    }
    if (status === 100 || status === 204 || status === 304) return true;
    const length = headers.get('content-length');
    const isChunked = headers.get('transfer-encoding') === 'chunked';
    check(length === undefined || !isChunked, 'two lengths', String(length));
    // The answer to a HEAD announces a body, and has none.
    if (this.#mayBeHead && this.#bytes.startsWith(ANSWER, this.#at)) return true;
    const [body, isWhole] = isChunked ? this.#chunks() : this.#plain(Number(length ?? Infinity));
    const type = headers.get('content-type') ?? '';
    if (isWhole && status >= 400 && type.startsWith('text/plain')) {
      check(TEXTS.has(body), 'no text of ours', body);
    }
    if (isWhole && status === 200) checkFrames(type, body);
    return isWhole;
  }

  #plain(length: number): [body: string, isWhole: boolean] {
    const body = this.#bytes.slice(this.#at, this.#at + length);
    this.#at += body.length;
    return [body, body.length === length];
  }

  #chunks(): [body: string, isWhole: boolean] {
    let body = '';
    for (;;) {
      const line = this.#bytes.indexOf('\r\n', this.#at);
      if (line < 0) return [body, false];
      const size = this.#bytes.slice(this.#at, line);
      check(/^[0-9a-f]+$/i.test(size), 'not the size of a chunk', size);
      const begin = line + 2;
      const end = begin + Number.parseInt(size, 16);
      if (end + 2 > this.#bytes.length) return [body, false];
      check(
        this.#bytes.startsWith('\r\n', end),
        'a chunk without its end',
        this.#bytes.slice(begin),
      );
      this.#at = end + 2;
      if (end === begin) return [body, true];
      body += this.#bytes.slice(begin, end);
    }
  }
}

function headersOf(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    check(name === 'vary' || !headers.has(name), 'a header twice', line);
    headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}

/** @param mayBeHead whether any of the requests may have been a HEAD, whose answer has no body */
export function readAnswers(bytes: string, mayBeHead: boolean): Reading {
  const reader = new Reader(bytes, mayBeHead);
  let fault: string | undefined;
  try {
    reader.read();
  } catch (error) {
    fault = error instanceof Error ? error.message : String(error);
  }
  return { statuses: reader.statuses, fault };
}

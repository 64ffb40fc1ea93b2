/**
 * Parses all bytes that a server has written on one connection, strictly. Each response has to be HTTP with a
 * documented status, and each frame in it a valid one of SockJS or WebSocket. An incomplete end is no fault,
 * because the client has left.
 */
import { REFUSALS } from '../../src/base/refusal.ts';

const ALL_REFUSALS = Object.values(REFUSALS);
/** Statuses of other responses, including those of Node's own parser and server. */
const OTHER_STATUSES = [101, 200, 204, 304, 426, 100, 400, 408, 413, 417, 431];
const STATUSES = new Set([...OTHER_STATUSES, ...ALL_REFUSALS.map(({ status }) => status)]);
/** Bodies for an invalid WebSocket handshake: docs/errors.md. */
const HANDSHAKE_TEXTS = [
  '"Connection" must be "Upgrade".',
  'A WebSocket needs HTTP/1.1.',
  '"Sec-WebSocket-Key" is missing or invalid.',
  'Version 13 of WebSocket is served.',
];
const TEXTS = new Set([...HANDSHAKE_TEXTS, ...ALL_REFUSALS.map(({ text }) => text)]);

const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) [ -~]*$/;
const HEADER_LINE = /^[\w!#$%&'*+.^`|~-]+: ?[\t -~\x80-\xff]*$/;
const RESPONSE_START = 'HTTP/1.1 ';
const END_OF_HEAD = '\r\n\r\n';

export interface Judgement {
  readonly statuses: readonly number[];
  /** The first violation, if there is one. */
  readonly fault: string | undefined;
}

function check(isValid: boolean, fault: string, text: string): asserts isValid {
  if (!isValid) throw new Error(`${fault}: ${JSON.stringify(text.slice(0, 200))}`);
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

/** Checks a body that ends after a frame or within one. */
function checkFrames(type: string, body: string): void {
  if (type === 'text/event-stream') {
    for (const event of body.split('\r\n\r\n').slice(0, -1)) {
      const data = EVENT.exec(event.replace(/^\r\n/, ''))?.[1];
      check(data !== undefined && isFrame(decodeURI(data)), 'not an event', event);
    }
  } else if (type.startsWith('application/javascript') && body.startsWith('/**/')) {
    const quoted = JSONP.exec(body)?.[1];
    check(quoted !== undefined && isFrame(String(JSON.parse(quoted))), 'not a JSONP call', body);
  } else if (type.startsWith('application/javascript') && /^[ohac]/.test(body)) {
    for (const line of body.split('\n').slice(0, -1))
      check(isFrame(line), 'not a SockJS frame', line);
  }
}

const isSendable = (code: number): boolean =>
  code >= 1000 && code <= 4999 && ![1004, 1005, 1006].includes(code);

function checkWebSocket(data: Buffer): void {
  let at = 0;
  while (at + 2 <= data.length) {
    const [first = 0, second = 0] = data.subarray(at, at + 2);
    check(
      [0x81, 0x82, 0x88, 0x89, 0x8a].includes(first),
      'not a WebSocket frame',
      data.toString('latin1', at),
    );
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
        length > 1 && isSendable(payload.readUInt16BE(0)),
        'not a valid close code',
        payload.toString('latin1'),
      );
    }
    if (first === 0x81) new TextDecoder('utf-8', { fatal: true }).decode(payload);
    at += head + length;
  }
}

class ResponseReader {
  readonly statuses: number[] = [];
  readonly #bytes: string;
  readonly #mayBeHead: boolean;
  #at = 0;

  constructor(bytes: string, mayBeHead: boolean) {
    this.#bytes = bytes;
    this.#mayBeHead = mayBeHead;
  }

  read(): void {
    while (this.#at < this.#bytes.length && this.#response());
  }

  /** @returns false if no response can follow */
  #response(): boolean {
    const rest = this.#bytes.slice(this.#at);
    check(
      rest.startsWith(RESPONSE_START) || RESPONSE_START.startsWith(rest),
      'not a response',
      rest,
    );
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
    // A response to HEAD has a length, and no body.
    if (this.#mayBeHead && this.#bytes.startsWith(RESPONSE_START, this.#at)) return true;
    const [body, isWhole] = isChunked ? this.#chunks() : this.#plain(Number(length ?? Infinity));
    const type = headers.get('content-type') ?? '';
    if (isWhole && status >= 400 && type.startsWith('text/plain')) {
      check(TEXTS.has(body), 'not a documented body', body);
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
      check(/^[0-9a-f]+$/i.test(size), 'not a chunk size', size);
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

/** @param mayBeHead any of the requests may have been a HEAD, whose response has no body */
export function judgeResponses(bytes: string, mayBeHead: boolean): Judgement {
  const reader = new ResponseReader(bytes, mayBeHead);
  let fault: string | undefined;
  try {
    reader.read();
  } catch (error) {
    fault = error instanceof Error ? error.message : String(error);
  }
  return { statuses: reader.statuses, fault };
}

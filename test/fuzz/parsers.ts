/** Every parser of client bytes, and every encoder of messages, each with the shapes of input that take it longest. */
import { isUtf8 } from 'node:buffer';
import { resolveSettings } from '../../src/api/settings.ts';
import { ConnectionInfo } from '../../src/base/connection-info.ts';
import { quoteForLog } from '../../src/base/logging.ts';
import { findField, findFieldBytes } from '../../src/base/url-encoded.ts';
import { multiplex } from '../../src/extras/multiplex.ts';
import { ClientAddressReader } from '../../src/http/client-address.ts';
import { addCors, addSessionCookie } from '../../src/http/headers.ts';
import { OriginGuard } from '../../src/http/origin-guard.ts';
import { PrefixTable, splitTarget } from '../../src/http/prefix.ts';
import type { RequestContext } from '../../src/http/request-context.ts';
import { SockJSConnection } from '../../src/index.ts';
import { messagesFrame } from '../../src/protocol/frame.ts';
import { Message, decodeBody, decodeWebSocketMessage } from '../../src/protocol/message.ts';
import { iframePage } from '../../src/routes/iframe-page.ts';
import { RouteTable } from '../../src/routes/route-table.ts';
import { EVENTSOURCE } from '../../src/transports/eventsource.ts';
import { HTMLFILE } from '../../src/transports/htmlfile.ts';
import { JSONP } from '../../src/transports/jsonp.ts';
import type { HttpTransport } from '../../src/transports/transport.ts';
import { XHR } from '../../src/transports/xhr.ts';
import { inflateMessage } from '../../src/websocket/deflate.ts';
import { readExtensionOffers } from '../../src/websocket/extension-offers.ts';
import { encodeText } from '../../src/websocket/frame-encoder.ts';
import { WsFrameParser } from '../../src/websocket/frame-parser.ts';
import { acceptHandshake, checkHandshake } from '../../src/websocket/handshake.ts';
import type { Shape } from './shapes.ts';

/** Longest input, and the time that it may take. */
export interface Limit {
  readonly bytes: number;
  readonly ms: number;
}

export interface Parser {
  readonly name: string;
  readonly limit: Limit;
  readonly shapes: readonly Shape[];
  /** Parses bytes, as one character each. */
  readonly parse: (input: string) => unknown;
}

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
/** The default of `maxMessageBytes`. */
const MESSAGE: Limit = { bytes: 2 * MEBIBYTE, ms: 200 };
/** Node's limit for the head of a request. */
const HEAD: Limit = { bytes: 16 * KIBIBYTE, ms: 20 };
/** Blocks of 11 bytes with tables and without content take about 130 ns for each byte. */
const COMPRESSED_MESSAGE: Limit = { bytes: 2 * MEBIBYTE, ms: 500 };
/** Chunks of one byte are separate events, so that a message of them does not block others. */
const BYTEWISE: Limit = { bytes: 64 * KIBIBYTE, ms: 200 };
/** A message is encoded once for each transport. */
const OUTPUT: Limit = { bytes: 2 * MEBIBYTE, ms: 1000 };

function shape(unit: string, start = '', end = ''): Shape {
  return { start, unit, end };
}

function shapes(...units: readonly string[]): Shape[] {
  return units.map((unit) => shape(unit));
}

const CHARACTERS = shapes('a', ' ', '"', '\\', '%', '+', '&', '=', ';', ',', ':', '/', '[', '\xff');

const JSON_SHAPES: readonly Shape[] = [
  ...shapes('[', '[]', '{"a":', ' ', '"'),
  ...['[', '[],', '{},', '{"k{n}":0},', '{"{n}":0},', '1,', '1e-999,', '0.12345678901234567,'].map(
    (unit) => shape(unit, '["",', '1]'),
  ),
  ...['"",', '"{n}",', '"\xe2\x80\xa8",', ' ', ','].map((unit) => shape(unit, '[', '""]')),
  ...['a', String.raw`\"`, String.raw`\\`, String.raw`\u0000`, '\xe2\x80\xa8', '\xef\xbf\xbd'].map(
    (unit) => shape(unit, '["', '"]'),
  ),
  shape('a', '["', ''),
  shape('\\', '["', '"]'),
  shape('[', '['.repeat(50), ']'),
];

const UTF8_SHAPES: readonly Shape[] = [
  shape('a', '["', '\xff"]'),
  shape('\xef\xbf\xbd', '["', '\xff"]'),
  shape('\xf0\x9f\x98', '["', '"]'),
  shape('\xc3', '["', '"]'),
];

function bytesOf(input: string): Buffer {
  return Buffer.from(input, 'latin1');
}

const IGNORE_FRAMES = { onText() {}, onBinary() {}, onPing() {}, onCloseFrame() {}, onError() {} };

/** @param size bytes of each chunk */
function parseFrames(bytes: Buffer, size = bytes.length): void {
  const parser = new WsFrameParser(MESSAGE.bytes, IGNORE_FRAMES);
  for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size));
}

/** A masked text frame. Its mask is zero. */
function textFrame(payload: string): Buffer {
  const frame = Buffer.alloc(14 + payload.length);
  frame.set([0x81, 0xff]);
  frame.writeBigUInt64BE(BigInt(payload.length), 2);
  frame.write(payload, 14, 'latin1');
  return frame;
}

const FRAME_SHAPES: readonly Shape[] = [
  shape('\x00\x81\0\0\0\0a', '\x01\x81\0\0\0\0a'),
  shape('\x00\x80\0\0\0\0', '\x01\x80\0\0\0\0'),
  shape('\x00\x81\0\0\0\0a\x89\x81\0\0\0\0a', '\x01\x81\0\0\0\0a'),
  ...shapes(
    '\x81\x80\0\0\0\0',
    '\x81\x81\0\0\0\0a',
    '\x81\x83\0\0\0\0\xef\xbf\xbd',
    '\x82\x81\0\0\0\0a',
    '\x89\x80\0\0\0\0',
    '\x89\x81\0\0\0\0a',
    '\x8a\x81\0\0\0\0a',
    `\x89\xfd\0\0\0\0${'a'.repeat(125)}`,
  ),
];

/** Four blocks of deflate, each with tables and without content: the most time for a byte. */
const EMPTY_DYNAMIC_BLOCKS = Buffer.from(
  'BMCBAAAAAACQ/2sQAAcCAAAAAED+r0EAHAgAAAAAAPm/BgFwIAAAAAAA5P8a',
  'base64',
).toString('latin1');

const COMPRESSED_SHAPES: readonly Shape[] = [
  ...shapes('\0\0\0\xff\xff', '\x03\0', 'a'),
  shape(EMPTY_DYNAMIC_BLOCKS, '', '\0'),
  shape('\0\0\0\xff\xff', '', '\0'),
];

function infoOf(query: string, rawHeaders: readonly string[]): ConnectionInfo {
  return new ConnectionInfo({ address: '', path: '', query, rawHeaders, secure: false });
}

function headers(all: Readonly<Record<string, string>>) {
  return { header: (name: string): string | undefined => all[name] };
}

const QUERY_SHAPES = [
  ...CHARACTERS,
  ...shapes('a&', 'a=%C3&', '%&', '+&', '%41&', '%C3%BC=+&', '{n}=1&', 'c', 'callback'),
];

const COOKIE_SHAPES = [
  ...CHARACTERS,
  ...shapes('=;', 'a=%;', '{n}=1;', '{n}=%;', '{n}=%C3;', '{n}=%41;', '; ', ' ;=', ';=;'),
  ...shapes('JSESSIONID=', ';JSESSIONID=a ', '; JSESSIONID="a', 'JSESSIONID=a;x'),
  shape(' ', ';', 'JSESSIONID=<'),
];

const FORWARDED_SHAPES = [
  ...CHARACTERS,
  ...shapes('127.0.0.1,', 'for=127.0.0.1,', 'for="127.0.0.1",', 'for="', '\\"', 'a=b;', ';;', ', '),
  ...shapes('[::1]:80,', '::', '1.', '1.2.3.4:'),
  shape('\\', 'for="', '"'),
];

const ORIGIN_SHAPES = [
  ...CHARACTERS,
  ...['a', 'a.', ':', ':1', '1', '[', '[:', '@', '/', '*.', '-'].map((unit) =>
    shape(unit, 'http://', '.example.com'),
  ),
  shape('1', 'http://a:', 'x'),
  shape('a+.-', '', '://a'),
];

const PATH_SHAPES = [
  ...CHARACTERS,
  ...['/', 'a/', 'a', '%2f', '.', '-', '?', '/0', '_.', '.html', '-.htm'].map((unit) =>
    shape(unit, '/echo/iframe', '/xhr'),
  ),
  shape('a', 'http:', '://'),
  shape('a', '/echo/0/', '/xhr'),
];

const LIST_SHAPES = [...CHARACTERS, ...shapes('a,', ', ', '"a",', 'W/"a",', 'W/', '*,', 'a ')];

const PROXIES = new ClientAddressReader(['loopback']);
const FORWARDED_PROXIES = new ClientAddressReader(['loopback'], 'forwarded');
const PEER = { remoteAddress: '127.0.0.1', encrypted: false };
const GUARD = new OriginGuard(['https://*.example.com', 'https://a.com:8443', 'null']);
const ROUTES = new RouteTable(resolveSettings({}));
const PREFIXES = new PrefixTable<{ readonly prefix: string }>();
for (const prefix of ['', '/echo', '/echo/deep']) PREFIXES.add({ prefix });

const servePage = iframePage('/echo/sockjs.js');

/** The part of a request that the iframe page reads. */
function pageContext(all: Readonly<Record<string, string>>): RequestContext {
  const context = {
    exchange: { ...headers(all), respond() {} },
    headers: [],
    state: { settings: { allowedOrigins: () => true } },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the page reads nothing else
  return context as unknown as RequestContext;
}

class Channels extends multiplex({ 'a channel that no input opens': SockJSConnection }) {
  override send(): boolean {
    return true;
  }
}

function handshake(all: Readonly<Record<string, string>>): void {
  const request = { method: 'GET', httpVersion: '1.1', headers: all };
  if (checkHandshake(request) === undefined) acceptHandshake(request, () => '');
}

const KEY = { 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', 'sec-websocket-version': '13' };

/** One parser for each of these headers. */
function forEachHeader(
  names: readonly string[],
  parserShapes: readonly Shape[],
  parse: (all: Readonly<Record<string, string>>) => unknown,
  reader = '',
): Parser[] {
  return names.map((name) => ({
    name: name + reader,
    limit: HEAD,
    shapes: parserShapes,
    parse: (input) => parse({ [name]: input }),
  }));
}

const BODIES: readonly Parser[] = [
  {
    name: 'xhr_send body',
    limit: MESSAGE,
    shapes: [...JSON_SHAPES, ...UTF8_SHAPES],
    parse(input) {
      const body = bytesOf(input);
      if (isUtf8(body)) decodeBody(body.toString('utf8'));
    },
  },
  {
    name: 'jsonp_send body',
    limit: MESSAGE,
    shapes: [
      ...QUERY_SHAPES,
      ...['%', '+', '%22', '%5B', '%C3', '%zz', 'a', '%'].map((unit) => shape(unit, 'd=["', '"]')),
      shape('%64', 'x&'),
      shape('&', 'x', 'd=["a"]'),
    ],
    parse(input) {
      const field = findFieldBytes(bytesOf(input), 'd');
      if (field !== undefined && isUtf8(field)) decodeBody(field.toString('utf8'));
    },
  },
  {
    name: 'WebSocket message',
    limit: MESSAGE,
    shapes: [...JSON_SHAPES, ...UTF8_SHAPES],
    parse(input) {
      const parser = new WsFrameParser(MESSAGE.bytes, {
        ...IGNORE_FRAMES,
        onText: (text) => decodeWebSocketMessage(text),
      });
      parser.push(textFrame(input));
    },
  },
  {
    name: 'WebSocket frames',
    limit: MESSAGE,
    shapes: FRAME_SHAPES,
    parse: (input) => parseFrames(bytesOf(input)),
  },
  {
    name: 'compressed WebSocket message',
    limit: COMPRESSED_MESSAGE,
    shapes: COMPRESSED_SHAPES,
    parse: (input) => inflateMessage(bytesOf(input), MESSAGE.bytes),
  },
  {
    name: 'WebSocket frames, byte by byte',
    limit: BYTEWISE,
    shapes: FRAME_SHAPES,
    parse: (input) => parseFrames(bytesOf(input), 1),
  },
  {
    name: 'WebSocket message, byte by byte',
    limit: BYTEWISE,
    shapes: UTF8_SHAPES,
    parse: (input) => parseFrames(textFrame(input), 1),
  },
  {
    name: 'multiplex message',
    limit: MESSAGE,
    shapes: [
      ...CHARACTERS,
      ...shapes('sub,', 'msg,a,', 'uns,%'),
      ...['a', ',', '%', '%u0'].flatMap((unit) => [shape(unit, 'sub,'), shape(unit, 'msg,a,')]),
    ],
    parse: (input) => new Channels().onMessage(input),
  },
];

const HEADS: readonly Parser[] = [
  {
    name: 'callback',
    limit: HEAD,
    shapes: QUERY_SHAPES,
    parse(input) {
      findField(input, 'c');
      findField(input, 'callback');
    },
  },
  {
    name: 'query',
    limit: HEAD,
    shapes: QUERY_SHAPES,
    parse: (input) => infoOf(input, []).getArgument('d'),
  },
  {
    name: 'headers',
    limit: HEAD,
    shapes: shapes('a\n', 'a{n}\nb\n', 'Cookie\na=1\n', 'a', '\n'),
    parse: (input) => infoOf('', input.split('\n')).getHeader('host'),
  },
  {
    name: 'cookies',
    limit: HEAD,
    shapes: COOKIE_SHAPES,
    parse: (input) => infoOf('', ['Cookie', input]).getCookie('a'),
  },
  {
    name: 'session cookie',
    limit: HEAD,
    shapes: COOKIE_SHAPES,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only the header is read
    parse: (cookie) => addSessionCookie([], headers({ cookie }) as never, true),
  },
  {
    name: 'path',
    limit: HEAD,
    shapes: PATH_SHAPES,
    parse(input) {
      const found = PREFIXES.find(splitTarget(input));
      ROUTES.match(found?.target.path ?? input);
    },
  },
  {
    name: 'log line',
    limit: HEAD,
    shapes: [...CHARACTERS, ...shapes('\0', '\n', '\x7f')],
    parse: (input) => quoteForLog(input),
  },
  {
    name: 'requested headers',
    limit: HEAD,
    shapes: LIST_SHAPES,
    parse(input) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only the header is read
      addCors([], headers({ 'access-control-request-headers': input }) as never);
    },
  },
  ...forEachHeader(
    ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'],
    FORWARDED_SHAPES,
    (all) => PROXIES.read({ ...PEER, ...headers(all) }),
  ),
  ...forEachHeader(['forwarded'], FORWARDED_SHAPES, (all) =>
    FORWARDED_PROXIES.read({ ...PEER, ...headers(all) }),
  ),
  ...forEachHeader(['origin', 'referer', 'sec-fetch-site'], ORIGIN_SHAPES, (all) =>
    GUARD.judge(headers(all), 'example.com:443'),
  ),
  ...forEachHeader(['host'], ORIGIN_SHAPES, ({ host }) =>
    GUARD.judge(headers({ origin: 'http://a.com' }), host),
  ),
  ...forEachHeader(['if-none-match'], LIST_SHAPES, (all) => servePage(pageContext(all))),
  ...forEachHeader(['sec-websocket-protocol'], LIST_SHAPES, (all) => handshake({ ...KEY, ...all })),
  ...forEachHeader(['sec-websocket-extensions'], LIST_SHAPES, (all) =>
    readExtensionOffers(all['sec-websocket-extensions'] ?? ''),
  ),
  ...forEachHeader(['sec-websocket-key'], LIST_SHAPES, (all) => handshake({ ...KEY, ...all })),
  ...forEachHeader(
    ['origin', 'referer'],
    ORIGIN_SHAPES,
    (all) => servePage(pageContext(all)),
    ' of the iframe page',
  ),
];

const OUTPUT_SHAPES: readonly Shape[] = [
  ...shapes(
    'a',
    '%',
    '<',
    '"',
    '\\',
    '\0',
    '\n',
    '\xe2\x80\xa8',
    '\xef\xbf\xb0',
    '\xf0\x9f\x98\x80',
  ),
];

/** A message that shares no encoding with an equal one. */
function messageOf(input: string): Message {
  const bytes = bytesOf(input);
  return new Message(bytes.toString('utf8'), bytes.length, false);
}

function encoder(name: string, encode: (input: string) => unknown): Parser {
  return { name, limit: OUTPUT, shapes: OUTPUT_SHAPES, parse: encode };
}

function transportEncoder(transport: HttpTransport): Parser {
  return encoder(`message over ${transport.name}`, (input) => {
    transport.encode(messagesFrame([messageOf(input)]), 'callback');
  });
}

const ENCODERS: readonly Parser[] = [
  ...[XHR, EVENTSOURCE, HTMLFILE, JSONP].map(transportEncoder),
  encoder('message over websocket', (input) => {
    encodeText(messagesFrame([messageOf(input)]).text);
  }),
];

export const PARSERS: readonly Parser[] = [...BODIES, ...HEADS, ...ENCODERS];

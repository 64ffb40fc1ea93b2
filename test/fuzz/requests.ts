/** Requests as clients send them, many with one or two defects. */
import type { SeededRandom } from '../../testkit/random.ts';
import { form, noise, payload } from './payloads.ts';

export type Header = readonly [name: string, value: string];

export interface Request {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly Header[];
  readonly body?: string;
}

/** Transports with their methods. */
const RECEIVERS: readonly [readonly [string, string], ...(readonly [string, string])[]] = [
  ['POST', 'xhr'],
  ['POST', 'xhr_streaming'],
  ['GET', 'eventsource'],
  ['GET', 'htmlfile?c=cb'],
  ['GET', 'jsonp?c=cb'],
];
const SENDERS = ['xhr_send', 'jsonp_send'] as const;
const PAGES = [
  '',
  '/',
  '/info',
  '/iframe.html',
  '/iframe-1.html?t=2',
  '/sockjs.js',
  '/websocket',
] as const;
const METHODS = ['GET', 'POST', 'OPTIONS', 'HEAD', 'PUT', 'DELETE', 'CONNECT', 'get'] as const;
const INVALID_METHODS = ['', 'G\0T', 'PRI', 'QWERTY', 'GET GET', '\xff'] as const;
const PREFIXES = ['/echo', '/echo', '/echo', '/all', '/ws'] as const;
const TARGETS = [
  '//',
  '//\\evil',
  '/\\evil',
  'http://[::1',
  'http://[::1/echo/info',
  'http://127.0.0.1/echo/info',
  'http://',
  '://',
  '*',
  '',
  ' ',
  '/echo/%00/%00/xhr',
  '/echo/%/%zz/xhr',
  '/%65cho/info',
  '/echo/../echo/info',
  '/echo//SESSION0/xhr',
  '/echo/0//xhr',
  '/echo/a.b/SESSION0/xhr',
  '/echo/0/SESSION0/__proto__',
  '/echo/constructor',
  '/echo/info?c=%ff&&=&c',
  '/echo/0/SESSION0/jsonp?c=%3Cscript%3E',
  `/echo/0/SESSION0/jsonp?c=${'a'.repeat(33)}`,
  '/echo/0/SESSION0/htmlfile?callback=',
  `/echo/${'a/'.repeat(1000)}`,
  `/echo/0/${'s'.repeat(9000)}/xhr`,
  '/echo/iframe\u00e9.html',
  '/echo?#',
  '/other',
] as const;

export const WEBSOCKET_HEADERS: readonly Header[] = [
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
];

/** Each of them makes a decoder throw. */
const MALFORMED_COOKIES = Array.from({ length: 900 }, (_, index) => `${index}=%`).join(';');

const VALUES: Readonly<Record<string, readonly [string, ...string[]]>> = {
  Upgrade: ['websocket', 'WebSocket', 'h2c', 'websocket, h2c', '', 'x'.repeat(300)],
  Connection: ['Upgrade', 'keep-alive, Upgrade', 'close', 'close, Upgrade', 'keep-alive', ''],
  'Sec-WebSocket-Key': ['AAAAAAAAAAAAAAAAAAAAAA==', 'AAA', '', '?', 'A'.repeat(5000)],
  'Sec-WebSocket-Version': ['13', '8', '7', '0', '-1', '13, 8', '', '9'.repeat(30)],
  'Sec-WebSocket-Extensions': [
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits=99',
    'a;b="',
    ',,',
    'permessage-deflate; x; x; x',
  ],
  'Sec-WebSocket-Protocol': ['a', 'a, a', 'a b', '', ',', 'v10.stomp, v11.stomp'],
  Origin: [
    'null',
    'http://',
    'http://a, http://b',
    'http://[::1]:80',
    'app://127.0.0.1',
    'http://127.0.0.1',
    'http://evil.example',
    'http://[::1',
    '',
    '//',
    'a',
  ],
  Referer: ['http://evil.example/page', 'http://[', '', 'about:blank', '/'],
  'Sec-Fetch-Site': ['cross-site', 'same-origin', 'same-site', 'none', 'x'],
  Host: ['127.0.0.1', 'ull', '', '[::1', 'a:99999', 'evil.example', 'a b', 'x'.repeat(400)],
  'Content-Length': ['0', '1', '5', '-1', '1e3', '0x10', '99999999999', '9'.repeat(30), 'a', '+5'],
  'Transfer-Encoding': ['chunked', 'gzip, chunked', 'identity', 'chunked, chunked', 'xchunked'],
  'Content-Type': ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', '/'],
  'Content-Encoding': ['gzip', 'identity', 'IDENTITY', 'br, gzip', ''],
  Cookie: [
    MALFORMED_COOKIES,
    'JSESSIONID=<script>',
    'JSESSIONID=abc',
    'JSESSIONID=a\tb',
    'JSESSIONID="',
    '=;=;',
    `a=${'b'.repeat(4000)}`,
  ],
  'Access-Control-Request-Headers': ['a, b', '', '\xff', 'x'.repeat(500)],
  'Access-Control-Request-Method': ['POST', '', 'X'],
  'X-Forwarded-For': [
    ','.repeat(9000),
    '127.0.0.1,'.repeat(900),
    '1.2.3.4',
    '1.2.3.4, ::1',
    '[::1]:80',
    'unknown',
    ',',
    '::ffff:1.2.3.4',
  ],
  'X-Forwarded-Proto': ['wss', 'https', '', 'x,y'],
  'X-Forwarded-Host': ['evil.example', '', '[', 'a,b'],
  Forwarded: [
    ','.repeat(9000),
    'for=127.0.0.1,'.repeat(600),
    'for="'.repeat(900),
    `for=1.2.3.4;x="${String.raw`\"`.repeat(900)}"`,
    'for=1.2.3.4;host=a;proto=https',
    'for="[::1]:80"',
    ';;,=',
    'for=',
    '"',
  ],
  'If-None-Match': ['*', '"x"', 'W/"x", "y"', ''],
  Expect: ['100-continue', 'x'],
  'HTTP2-Settings': ['AAMAAABkAAQAoAAAAAIAAAAA'],
};
const NAMES = Object.keys(VALUES) as [string, ...string[]];

function header(random: SeededRandom): Header {
  if (random.oneIn(12)) return [noise(random, 8), noise(random, 20)];
  const name = random.pick(NAMES);
  return [name, random.pick(VALUES[name] ?? [''])];
}

function session(random: SeededRandom): string {
  const prefix = random.pick(PREFIXES);
  return `${prefix}/${random.integer(0, 9)}/SESSION${random.integer(0, 1)}`;
}

export function receive(random: SeededRandom, base = session(random)): Request {
  const [method, last] = random.pick(RECEIVERS);
  return { method, target: `${base}/${last}`, headers: [] };
}

export function send(random: SeededRandom, base = session(random)): Request {
  const last = random.pick(SENDERS);
  const type = 'application/x-www-form-urlencoded';
  const headers: Header[] = last === 'jsonp_send' ? [['Content-Type', type]] : [];
  const body = last === 'jsonp_send' ? form(random) : payload(random);
  return { method: 'POST', target: `${base}/${last}`, headers, body };
}

export function upgrade(random: SeededRandom, base = session(random)): Request {
  const target = random.oneIn(3) ? '/echo/websocket' : `${base}/websocket`;
  return { method: 'GET', target, headers: WEBSOCKET_HEADERS };
}

function page(random: SeededRandom): Request {
  return { method: 'GET', target: random.pick(PREFIXES) + random.pick(PAGES), headers: [] };
}

function anything(random: SeededRandom): Request {
  const method = random.oneIn(6) ? random.pick(INVALID_METHODS) : random.pick(METHODS);
  return { method, target: random.pick(TARGETS), headers: [], body: payload(random) };
}

/** A valid request of any kind. */
export function request(random: SeededRandom): Request {
  return random.pick([receive, send, upgrade, page, anything] as const)(random);
}

/** Changes one part of a request. */
export function damage(random: SeededRandom, valid: Request): Request {
  switch (random.integer(0, 6)) {
    case 0:
      return { ...valid, method: random.pick(METHODS) };
    case 1:
      return { ...valid, target: random.pick(TARGETS) };
    case 2:
      return { ...valid, body: payload(random) };
    case 3:
      return { ...valid, headers: valid.headers.slice(1) };
    case 4:
      return { ...valid, target: `${valid.target}?open=${random.pick(['later', 'refuse', 'x'])}` };
    default:
      return { ...valid, headers: [...valid.headers, header(random)] };
  }
}

function chunked(random: SeededRandom, body: string): string {
  const size = Math.max(1, random.integer(1, body.length + 1));
  const chunks = [];
  for (let at = 0; at < body.length; at += size) {
    const chunk = body.slice(at, at + size);
    chunks.push(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  }
  return `${chunks.join('')}${random.oneIn(8) ? '-1' : '0'}\r\n\r\n`;
}

/** The bytes of a request. A few are not valid HTTP/1.1. */
export function encode(
  random: SeededRandom,
  { method, target, headers, body = '' }: Request,
): string {
  const version = random.oneIn(15) ? random.pick(['1.0', '0.9', '2.0', '1.', '9.9']) : '1.1';
  const lines = [`${method} ${target} HTTP/${version}`];
  if (!random.oneIn(20) && !headers.some(([name]) => name === 'Host'))
    lines.push('Host: 127.0.0.1');
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  const hasLength = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  const inChunks = !hasLength && body !== '' && random.oneIn(4);
  if (inChunks) lines.push('Transfer-Encoding: chunked');
  else if (!hasLength && (body !== '' || method === 'POST')) {
    lines.push(`Content-Length: ${body.length + (random.oneIn(15) ? random.integer(-1, 3) : 0)}`);
  }
  const newline = random.oneIn(40) ? '\n' : '\r\n';
  const head = `${lines.join(newline)}${newline}${newline}`;
  return head + (inChunks ? chunked(random, body) : body);
}

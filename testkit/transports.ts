/**
 * SockJS transports from the client's side: the receiving request, and the decoding of frames. The code follows
 * PROTOCOL.md and shares nothing with the server, so that tests compare two independent implementations.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Headers, RawRequest } from './raw-http.ts';
import { UPGRADE_HEADERS } from './raw-websocket.ts';

export type HttpTransportName = 'xhr' | 'xhr_streaming' | 'eventsource' | 'htmlfile' | 'jsonp';
export type WsTransportName = 'websocket' | 'rawwebsocket';
export type TransportName = HttpTransportName | WsTransportName;

export interface HttpTransport {
  readonly name: HttpTransportName;
  readonly isWebSocket: false;
  readonly method: 'GET' | 'POST';
  /** Last part of the session URL, with its query. */
  readonly path: string;
  readonly contentType: string;
  /** True if a response carries several frames. */
  readonly isStreaming: boolean;
  /** Text before the first frame; empty for polling. */
  readonly prelude: string;
  /** Matches one encoded frame; the first group is the frame, still escaped. */
  readonly pattern: RegExp;
  encode(frame: string): string;
  /** Undoes the escaping of the transport. */
  unescape(escaped: string): string;
}

export interface WsTransport {
  readonly name: WsTransportName;
  readonly isWebSocket: true;
  readonly isStreaming: true;
}

export type Transport = HttpTransport | WsTransport;

const HTMLFILE_HEAD = `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.callback;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>
`;

function parseStringLiteral(literal: string): string {
  const text: unknown = JSON.parse(literal);
  assert.ok(typeof text === 'string');
  return text;
}

const POLLING = { isWebSocket: false, isStreaming: false, prelude: '' } as const;
const STREAMING = { isWebSocket: false, isStreaming: true } as const;

const LINES = {
  method: 'POST',
  contentType: 'application/javascript; charset=UTF-8',
  pattern: /([^\n]*)\n/,
  encode: (frame: string) => `${frame}\n`,
  unescape: (escaped: string) => escaped,
} as const;

export const XHR: HttpTransport = { ...POLLING, ...LINES, name: 'xhr', path: 'xhr' };

export const XHR_STREAMING: HttpTransport = {
  ...STREAMING,
  ...LINES,
  name: 'xhr_streaming',
  path: 'xhr_streaming',
  prelude: `${'h'.repeat(2048)}\n`,
};

export const EVENTSOURCE: HttpTransport = {
  ...STREAMING,
  name: 'eventsource',
  method: 'GET',
  path: 'eventsource',
  contentType: 'text/event-stream',
  prelude: '\r\n',
  pattern: /data: ([^\r\n\0]*)\r\n\r\n/,
  encode: (frame) => `data: ${frame}\r\n\r\n`,
  unescape: decodeURI,
};

export const HTMLFILE: HttpTransport = {
  ...STREAMING,
  name: 'htmlfile',
  method: 'GET',
  path: 'htmlfile?c=callback',
  contentType: 'text/html; charset=UTF-8',
  prelude: `${HTMLFILE_HEAD.padEnd(1025)}\r\n\r\n`,
  pattern: /<script>\np\(("[^\n]*")\);\n<\/script>\r\n/,
  encode: (frame) => `<script>\np(${JSON.stringify(frame)});\n</script>\r\n`,
  unescape: parseStringLiteral,
};

export const JSONP: HttpTransport = {
  ...POLLING,
  name: 'jsonp',
  method: 'GET',
  path: 'jsonp?c=callback',
  contentType: 'application/javascript; charset=UTF-8',
  pattern: /\/\*\*\/callback\(("[^\n]*")\);\r\n/,
  encode: (frame) => `/**/callback(${JSON.stringify(frame)});\r\n`,
  unescape: parseStringLiteral,
};

export const WEBSOCKET: WsTransport = { name: 'websocket', isWebSocket: true, isStreaming: true };
export const RAW_WEBSOCKET: WsTransport = { ...WEBSOCKET, name: 'rawwebsocket' };

export const HTTP_TRANSPORTS: readonly HttpTransport[] = [
  XHR,
  XHR_STREAMING,
  EVENTSOURCE,
  HTMLFILE,
  JSONP,
];
export const STREAMING_TRANSPORTS: readonly HttpTransport[] = HTTP_TRANSPORTS.filter(
  ({ isStreaming }) => isStreaming,
);
export const POLLING_TRANSPORTS: readonly HttpTransport[] = HTTP_TRANSPORTS.filter(
  ({ isStreaming }) => !isStreaming,
);
export const WS_TRANSPORTS: readonly WsTransport[] = [WEBSOCKET, RAW_WEBSOCKET];
export const TRANSPORTS: readonly Transport[] = [...HTTP_TRANSPORTS, ...WS_TRANSPORTS];

/** Returns the URL of a new session. */
export function newSession(prefix = '/echo', server = '000'): string {
  return `${prefix}/${server}/${randomUUID()}`;
}

export interface OpenRequestOptions {
  /** URL of the session. Default: a new one below `/echo`. */
  readonly session?: string;
  readonly query?: string;
  readonly headers?: Headers;
  readonly version?: '1.0' | '1.1';
}

function addQuery(path: string, query: string): string {
  if (query === '') return path;
  return `${path}${path.includes('?') ? '&' : '?'}${query}`;
}

/** Returns the path of a WebSocket of this transport. */
export function wsPath(transport: WsTransport, session: string): string {
  if (transport.name === 'websocket') return `${session}/websocket`;
  return `${session.split('/').slice(0, -2).join('/')}/websocket`;
}

/** Returns the request that opens a session, or receives its frames. */
export function openRequest(transport: Transport, options: OpenRequestOptions = {}): RawRequest {
  const { session = newSession(), query = '', headers = [], version = '1.1' } = options;
  if (transport.isWebSocket) {
    const path = addQuery(wsPath(transport, session), query);
    return { method: 'GET', path, headers: [...UPGRADE_HEADERS, ...headers], version };
  }
  const path = addQuery(`${session}/${transport.path}`, query);
  return { method: transport.method, path, headers, version };
}

/** Returns the request that sends messages to a session of an HTTP transport. */
export function sendRequest(
  transport: HttpTransport,
  { session = newSession(), query = '', headers = [], version = '1.1' }: OpenRequestOptions,
  json: string,
): RawRequest {
  const isForm = transport.name === 'jsonp';
  const type = isForm ? 'application/x-www-form-urlencoded' : 'text/plain';
  return {
    method: 'POST',
    path: addQuery(`${session}/${isForm ? 'jsonp_send' : 'xhr_send'}`, query),
    headers: [...headers, ['Content-Type', type]],
    body: isForm ? new URLSearchParams({ d: json }).toString() : json,
    version,
  };
}

/** Decodes a chunk of a response that is one frame. @throws AssertionError for any other chunk */
export function decodeFrame(transport: HttpTransport, chunk: string): string {
  const match = transport.pattern.exec(chunk);
  const escaped = match?.[1];
  const isWhole = match?.index === 0 && match[0].length === chunk.length;
  assert.ok(
    isWhole && escaped !== undefined,
    `not a frame: ${JSON.stringify(chunk.slice(0, 200))}`,
  );
  return transport.unescape(escaped);
}

/** Splits a text into frames, whatever its chunks were. @returns the frames, and the incomplete rest */
export function splitFrames(
  transport: HttpTransport,
  text: string,
): { readonly frames: readonly string[]; readonly rest: string } {
  const pattern = new RegExp(transport.pattern, 'y');
  const frames: string[] = [];
  let at = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    frames.push(transport.unescape(match[1] ?? ''));
    at = pattern.lastIndex;
  }
  return { frames, rest: text.slice(at) };
}

/** Returns the messages of a frame `a[…]`. */
export function parseMessages(frame: string | undefined): string[] {
  assert.ok(frame?.startsWith('a[') === true, `no messages: ${frame?.slice(0, 200)}`);
  const messages: unknown = JSON.parse(frame.slice(1));
  assert.ok(Array.isArray(messages) && messages.every((message) => typeof message === 'string'));
  return messages;
}

export interface CloseEvent {
  readonly code: number;
  readonly reason: string;
}

/** Returns the code and reason of a frame `c[…]`. */
export function parseClose(frame: string): CloseEvent {
  assert.ok(frame.startsWith('c['), `not a close frame: ${frame.slice(0, 200)}`);
  const [code, reason] = JSON.parse(frame.slice(1)) as [unknown, unknown];
  assert.ok(typeof code === 'number' && typeof reason === 'string');
  return { code, reason };
}

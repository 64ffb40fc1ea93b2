/** The opening handshake of RFC 6455, section 4.2. */
import { Refusal } from '../base/refusal.ts';

/** The parts of an HTTP request that the handshake reads. `http.IncomingMessage` has this shape. */
export interface UpgradeRequest {
  readonly method?: string | undefined;
  readonly httpVersion: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** RFC 6455, section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** The base64 form of 16 bytes. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.0-9A-Z^_`a-z|~]+$/;

const INVALID_HTTP_VERSION = new Refusal(400, 'A WebSocket needs HTTP/1.1.');
export const INVALID_EXTENSIONS: Refusal = new Refusal(
  400,
  '"Sec-WebSocket-Extensions" is malformed.',
);
const INVALID_KEY = new Refusal(400, '"Sec-WebSocket-Key" is missing or invalid.');
// RFC 9110, sections 15.5.22 and 7.8: a 426 response names the protocol in Upgrade, and Upgrade in Connection.
const UNSUPPORTED_VERSION = new Refusal(426, 'Version 13 of WebSocket is served.', {
  'Sec-WebSocket-Version': '13, 8',
  Upgrade: 'websocket',
  Connection: 'Upgrade, close',
});

export function headerOf({ headers }: Pick<UpgradeRequest, 'headers'>, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}

/** Returns whether the request is for a WebSocket. Other upgrades belong to the application. */
export function isWebSocketRequest(request: UpgradeRequest): boolean {
  return request.method === 'GET' && headerOf(request, 'upgrade').toLowerCase() === 'websocket';
}

/** Returns the refusal of a version that is not served, or undefined. */
export function checkVersion(request: Pick<UpgradeRequest, 'headers'>): Refusal | undefined {
  const version = headerOf(request, 'sec-websocket-version');
  return version === '13' || version === '8' ? undefined : UNSUPPORTED_VERSION;
}

/** Returns the refusal of an invalid WebSocket request, or undefined if the request is valid. */
export function checkHandshake(request: UpgradeRequest): Refusal | undefined {
  if (request.httpVersion !== '1.1') return INVALID_HTTP_VERSION;
  if (!KEY.test(headerOf(request, 'sec-websocket-key'))) return INVALID_KEY;
  return checkVersion(request);
}

/** Returns the first subprotocol that the client offers. Only the application could choose a better one. */
export function acceptSubprotocol(offered: string): string | undefined {
  const first = offered.split(',', 1)[0]?.trim() ?? '';
  return TOKEN.test(first) ? first : undefined;
}

/**
 * Returns the head of the 101 response to a valid request.
 * @param sha1 returns the SHA-1 digest of an ASCII text in base64
 * @param extension accepted extension with its parameters
 */
export function acceptHandshake(
  request: UpgradeRequest,
  sha1: (text: string) => string,
  extension?: string,
): string {
  const accept = sha1(headerOf(request, 'sec-websocket-key') + GUID);
  const subprotocol = acceptSubprotocol(headerOf(request, 'sec-websocket-protocol'));
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n` +
    (extension === undefined ? '' : `Sec-WebSocket-Extensions: ${extension}\r\n`) +
    `${subprotocol === undefined ? '' : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`}\r\n`
  );
}

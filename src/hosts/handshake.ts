/** The opening handshake of RFC 6455, 4.2, without extensions. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Refusal } from '../refusal.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Sixteen bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
const TOKEN = /^[!#$%&'*+\-.0-9A-Z^_`a-z|~]+$/;

const HTTP_FAULT = new Refusal(400, 'A WebSocket needs HTTP/1.1.');
const KEY_FAULT = new Refusal(400, '"Sec-WebSocket-Key" is missing or invalid.');
// RFC 9110, 15.5.22: an answer with 426 names what to upgrade to, and 7.8: so does its connection.
const VERSION_FAULT = new Refusal(426, 'Version 13 of WebSocket is served.', {
  'Sec-WebSocket-Version': '13, 8',
  Upgrade: 'websocket',
  Connection: 'Upgrade, close',
});

/** Whether it asks for a WebSocket; other upgrades are for others. */
export function isWebSocketRequest(request: IncomingMessage): boolean {
  return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
}

/** What is wrong with a request for a WebSocket, if anything is. */
export function handshakeFault({ httpVersion, headers }: IncomingMessage): Refusal | undefined {
  if (httpVersion !== '1.1') return HTTP_FAULT;
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) return KEY_FAULT;
  const version = headers['sec-websocket-version'];
  return version === '13' || version === '8' ? undefined : VERSION_FAULT;
}

/** The first subprotocol that is asked for: which it is, only the application could tell. */
function subprotocol(asked: string | undefined): string {
  const first = asked?.split(',', 1)[0]?.trim() ?? '';
  return TOKEN.test(first) ? `Sec-WebSocket-Protocol: ${first}\r\n` : '';
}

/** The answer to a request that has no fault. */
export function shakeHands({ headers }: IncomingMessage): string {
  const accept = createHash('sha1')
    .update(`${headers['sec-websocket-key']}${GUID}`)
    .digest('base64');
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n${subprotocol(headers['sec-websocket-protocol'])}\r\n`
  );
}

/**
 * Name of a transport: the last part of a session URL. The exception is `rawwebsocket` at `<prefix>/websocket`, which
 * carries messages without SockJS frames.
 */
export type TransportName =
  | 'websocket'
  | 'rawwebsocket'
  | 'xhr'
  | 'xhr_streaming'
  | 'eventsource'
  | 'htmlfile'
  | 'jsonp';

export const TRANSPORT_NAMES: readonly TransportName[] = [
  'websocket',
  'rawwebsocket',
  'xhr',
  'xhr_streaming',
  'eventsource',
  'htmlfile',
  'jsonp',
];

/** Returns whether a session of this transport lives on one WebSocket, so that no other request belongs to it. */
export function isWebSocketTransport(transport: TransportName): boolean {
  return transport === 'websocket' || transport === 'rawwebsocket';
}

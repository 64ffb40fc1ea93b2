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

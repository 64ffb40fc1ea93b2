/**
 * Last part of a session URL. `rawwebsocket` is `<prefix>/websocket`, which carries plain messages without SockJS
 * frames.
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

/** The client with transports as values, so that a bundler drops those that are not imported. */
import type { CoreOptions } from './options.ts';
import { ReconnectingSocket, type Socket } from './socket.ts';

export type {
  OpenEvent,
  ReconnectingEvent,
  SocketCloseEvent,
  SocketEvents,
  SocketMessageEvent,
} from './events.ts';
export type { CoreOptions, LossDetails } from './options.ts';
export type { Socket } from './socket.ts';
export type { Session } from './session.ts';
export type { Outlet, Transport, TransportName } from './transport.ts';
export { eventsource } from './transports/eventsource.ts';
export { websocket } from './transports/websocket.ts';
export { xhrPolling } from './transports/xhr-polling.ts';
export { xhrStreaming } from './transports/xhr-streaming.ts';

/**
 * Connects to a service, and connects again when the connection is lost.
 * @param url URL of the service, which may be relative to the page
 * @throws TypeError for an invalid URL, and an unknown or invalid option
 *
 * @example
 * const socket = connect('/echo', { transports: [websocket, xhrPolling] });
 */
export function connect(url: string | URL, options: CoreOptions): Socket {
  return new ReconnectingSocket(url, options);
}

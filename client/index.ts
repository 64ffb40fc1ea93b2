/** The browser client with all transports. */
import type { CoreOptions } from './options.ts';
import { ReconnectingSocket, type Socket } from './socket.ts';
import type { Transport, TransportName } from './transport.ts';
import { TRANSPORTS } from './transports/index.ts';

export type {
  OpenEvent,
  ReconnectingEvent,
  SocketCloseEvent,
  SocketEvents,
  SocketMessageEvent,
} from './events.ts';
export type { LossDetails } from './options.ts';
export type { Socket } from './socket.ts';
export type { TransportName } from './transport.ts';

/** Options of `connect`. */
export interface ConnectOptions extends Omit<CoreOptions, 'transports'> {
  /** Name of the transport, or names in the order in which they are attempted. Default: all. */
  readonly transports?: TransportName | readonly TransportName[];
}

function findTransport(name: string): Transport {
  const found = TRANSPORTS.find((transport) => transport.name === name);
  if (found === undefined) throw new TypeError(`Unknown transport ${name}`);
  return found;
}

/**
 * Connects to a service, and connects again when the connection is lost.
 * @param url URL of the service, which may be relative to the page
 * @throws TypeError for an invalid URL, and an unknown or invalid option
 *
 * @example
 * const socket = connect('/echo');
 * socket.onopen = () => socket.send('Hello!');
 * socket.onmessage = (event) => console.log(event.data);
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Socket {
  const { transports, ...others } = options;
  const found = transports === undefined ? TRANSPORTS : [transports].flat().map(findTransport);
  return new ReconnectingSocket(url, { ...others, transports: found });
}

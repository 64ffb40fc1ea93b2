import type { Session } from './session.ts';

export type TransportName = 'websocket' | 'xhr-streaming' | 'eventsource' | 'xhr-polling';

/** The sending side of a session. */
export interface Outlet {
  /** Bytes that it has taken and not passed to the network. Default: 0. */
  readonly bufferedAmount?: number;
  /**
   * Sends a JSON array of messages.
   * @returns undefined if they are written, or a promise that is fulfilled with true once the server has them
   */
  send(body: string): Promise<boolean> | undefined;
}

/** A way to carry a session. */
export interface Transport {
  readonly name: TransportName;
  /**
   * Opens a session. The transport reports frames and losses to it, and stops when its signal aborts.
   * @throws an error where the transport is not supported
   */
  open(session: Session): Outlet;
}

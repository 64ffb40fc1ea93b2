import type { LossDetails } from './options.ts';

/** An event. It is a plain object, since the events of browsers take most of the CPU time of a message. */
export interface SocketEvent {
  readonly type: string;
  /** The socket. */
  readonly target: object;
}

/** An event for `dispatchEvent`, which may be one of a browser. */
export type DispatchedEvent = { readonly type: string } | SocketEvents[keyof SocketEvents];

/** Raised for each new session on the server, so after each reconnect too. */
export interface OpenEvent extends SocketEvent {
  /** True after a reconnect. */
  readonly reconnected: boolean;
}

/** Raised when the connection is lost, or could not be opened, and another attempt follows. */
export interface ReconnectingEvent extends SocketEvent, LossDetails {
  /** Time until the next attempt, in milliseconds. */
  readonly delay: number;
}

/** Raised for each message. */
export interface SocketMessageEvent extends SocketEvent {
  /** Text of the message. */
  readonly data: string;
}

/** Raised once, after which no attempt follows. */
export interface SocketCloseEvent extends SocketEvent, LossDetails {}

export interface SocketEvents {
  readonly open: OpenEvent;
  readonly message: SocketMessageEvent;
  readonly reconnecting: ReconnectingEvent;
  readonly close: SocketCloseEvent;
}

export interface ListenerOptions {
  /** Removes the listener when it is called. */
  readonly once?: boolean;
  /** Removes the listener when it aborts. */
  readonly signal?: AbortSignal;
}

/** The methods of an `EventTarget`, with the types of the events. */
export interface SocketTarget {
  addEventListener<Type extends keyof SocketEvents>(
    type: Type,
    listener: (event: SocketEvents[Type]) => void,
    options?: ListenerOptions,
  ): void;
  removeEventListener<Type extends keyof SocketEvents>(
    type: Type,
    listener: (event: SocketEvents[Type]) => void,
  ): void;
  /** Calls `on…`, and then the listeners in the order in which they were added. */
  dispatchEvent(event: DispatchedEvent): boolean;
}

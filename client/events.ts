import type { LossDetails } from './options.ts';

/** Raised for each new session on the server, so after each reconnect too. */
export interface OpenEvent extends Event {
  /** True after a reconnect. */
  readonly reconnected: boolean;
}

/** Raised when the connection is lost, or could not be opened, and another attempt follows. */
export interface ReconnectingEvent extends Event, LossDetails {
  /** Time until the next attempt, in milliseconds. */
  readonly delay: number;
}

/** Raised for each message. */
export interface SocketMessageEvent extends Event {
  /** Text of the message. */
  readonly data: string;
}

/** Raised once, after which no attempt follows. */
export interface SocketCloseEvent extends Event, LossDetails {}

export interface SocketEvents {
  readonly open: OpenEvent;
  readonly message: SocketMessageEvent;
  readonly reconnecting: ReconnectingEvent;
  readonly close: SocketCloseEvent;
}

/** `EventTarget` with the types of the events. */
export interface SocketTarget {
  addEventListener<Type extends keyof SocketEvents>(
    type: Type,
    listener: (event: SocketEvents[Type]) => void,
    options?: { readonly once?: boolean; readonly signal?: AbortSignal },
  ): void;
  removeEventListener<Type extends keyof SocketEvents>(
    type: Type,
    listener: (event: SocketEvents[Type]) => void,
  ): void;
  dispatchEvent(event: Event): boolean;
}

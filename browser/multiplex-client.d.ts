/** What `MultiplexClient` needs of a connection: SockJS and WebSocket have it. */
export interface MultiplexSocket {
  readonly readyState: number;
  send(text: string): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: string }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { code: number; reason: string; wasClean: boolean }) => void,
  ): void;
}

export interface ChannelCloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

export interface ChannelMessageEvent extends Event {
  readonly data: string;
}

/** One channel; it looks like a WebSocket. */
export interface Channel extends EventTarget {
  readonly name: string;
  /** 0 connecting, 1 open, 3 closed. */
  readonly readyState: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: ChannelMessageEvent) => void) | null;
  onclose: ((event: ChannelCloseEvent) => void) | null;
  /** @throws Error while the channel is connecting */
  send(text: string): void;
  /** Leaves the channel; the connection and its other channels go on. */
  close(): void;
}

/** Channels over one SockJS connection; the other half of `multiplex()` in sockjs-server. */
export declare class MultiplexClient {
  /** @param socket a SockJS (or WebSocket) object, open or not */
  constructor(socket: MultiplexSocket);
  /** Opens a channel, or hands out the one of this name that is open. */
  channel(name: string): Channel;
}

/**
 * Browser module for `sockjs-server/multiplex`: channels over one SockJS connection. A channel has the interface of a
 * WebSocket: `readyState`, `onopen`, `onmessage`, `onclose`, `addEventListener`, `send`, `close`.
 */

/** The part of a connection that `MultiplexClient` uses. That of `connect`, `SockJS` and `WebSocket` have it. */
export interface MultiplexSocket {
  readonly readyState: number;
  send(text: string): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: string }) => void): void;
  addEventListener(type: 'reconnecting', listener: () => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { code: number; reason: string; wasClean: boolean }) => void,
  ): void;
}

/** Event of a channel that has closed. */
export interface ChannelCloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** Event of a message on a channel. */
export interface ChannelMessageEvent extends Event {
  /** Text of the message. */
  readonly data: string;
}

/** One channel, with the interface of a WebSocket. */
export interface Channel extends EventTarget {
  readonly name: string;
  /** 0 connecting or reconnecting, 1 open, 3 closed. */
  readonly readyState: number;
  /** Called once the channel is subscribed, so after each reconnect too. */
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: ChannelMessageEvent) => void) | null;
  onclose: ((event: ChannelCloseEvent) => void) | null;
  /**
   * Sends a message. It has no effect once the channel is closed. During a reconnect the connection queues it.
   * @throws Error before the channel has opened
   */
  send(text: string): void;
  /** Closes the channel. The connection and its other channels stay open. */
  close(): void;
}

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;

class SocketChannel extends EventTarget implements Channel {
  readonly name: string;
  readyState = CONNECTING;
  #hasOpened = false;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: ChannelMessageEvent) => void) | null = null;
  onclose: ((event: ChannelCloseEvent) => void) | null = null;
  readonly #post: (text: string) => void;
  readonly #remove: (channel: SocketChannel) => void;

  constructor(
    name: string,
    post: (text: string) => void,
    remove: (channel: SocketChannel) => void,
  ) {
    super();
    this.name = name;
    this.#post = post;
    this.#remove = remove;
  }

  send(text: string): void {
    if (!this.#hasOpened && this.readyState === CONNECTING)
      throw new Error(`Channel ${this.name} is not open yet.`);
    if (this.readyState !== CLOSED) this.#post(`msg,${encodeURIComponent(this.name)},${text}`);
  }

  close(): void {
    if (this.readyState === CLOSED) return;
    if (this.readyState === OPEN) this.#post(`uns,${encodeURIComponent(this.name)}`);
    this.onClosed(1000, 'Unsubscribed', true);
  }

  /** Called by `MultiplexClient` once it has subscribed. */
  onOpened(): void {
    this.readyState = OPEN;
    this.#hasOpened = true;
    const event = new Event('open');
    this.onopen?.(event);
    this.dispatchEvent(event);
  }

  /** Called by `MultiplexClient` when the connection is lost and connects again. */
  onReconnecting(): void {
    this.readyState = CONNECTING;
  }

  /** Called by `MultiplexClient` for each message. */
  onReceived(text: string): void {
    const event = new MessageEvent('message', { data: text });
    this.onmessage?.(event);
    this.dispatchEvent(event);
  }

  /** Called by `MultiplexClient` when the server has closed the channel, or the connection is closed. */
  onClosed(code: number, reason: string, wasClean: boolean): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#remove(this);
    const event = Object.assign(new Event('close'), { code, reason, wasClean });
    this.onclose?.(event);
    this.dispatchEvent(event);
  }
}

/** Returns the text before the first comma, and the text after it. */
function splitOnce(text: string): [head: string, rest: string] {
  const comma = text.indexOf(',');
  return comma === -1 ? [text, ''] : [text.slice(0, comma), text.slice(comma + 1)];
}

/** Half of a surrogate pair, which `encodeURIComponent` rejects. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Opens channels over one SockJS connection to a server that uses `sockjs-server/multiplex`. */
export class MultiplexClient {
  readonly #socket: MultiplexSocket;
  /** Channels by encoded name, as in messages. */
  readonly #channels = new Map<string, SocketChannel>();

  /** @param socket SockJS or WebSocket object, connecting or open. This client receives all its messages */
  constructor(socket: MultiplexSocket) {
    this.#socket = socket;
    socket.addEventListener('open', () => {
      this.#snapshot().forEach((channel) => this.#subscribe(channel));
    });
    socket.addEventListener('message', (event) => this.#receive(event.data));
    socket.addEventListener('reconnecting', () => {
      this.#snapshot().forEach((channel) => channel.onReconnecting());
    });
    socket.addEventListener('close', ({ code, reason, wasClean }) => {
      this.#snapshot().forEach((channel) => channel.onClosed(code, reason, wasClean));
    });
  }

  /**
   * Opens a channel, or returns the channel of this name that is connecting or open.
   * @throws Error for a name with half of a surrogate pair
   */
  channel(name: string): Channel {
    if (LONE_SURROGATE.test(name))
      throw new Error(
        `The channel name ${JSON.stringify(name)} contains half of a surrogate pair.`,
      );
    const key = encodeURIComponent(name);
    const known = this.#channels.get(key);
    if (known !== undefined) return known;
    const channel = new SocketChannel(
      name,
      (text) => this.#socket.send(text),
      (closed) => {
        if (this.#channels.get(key) === closed) this.#channels.delete(key);
      },
    );
    this.#channels.set(key, channel);
    if (this.#socket.readyState === OPEN) queueMicrotask(() => this.#subscribe(channel));
    return channel;
  }

  /** Returns a copy of the channels, since handlers may open and close channels during an iteration. */
  #snapshot(): SocketChannel[] {
    return [...this.#channels.values()];
  }

  #subscribe(channel: SocketChannel): void {
    if (channel.readyState !== CONNECTING || this.#socket.readyState !== OPEN) return;
    this.#socket.send(`sub,${encodeURIComponent(channel.name)}`);
    channel.onOpened();
  }

  #receive(message: string): void {
    const [kind, addressed] = splitOnce(message);
    const [name, rest] = splitOnce(addressed);
    const channel = this.#channels.get(name);
    if (channel === undefined) return;
    if (kind === 'msg') channel.onReceived(rest);
    if (kind !== 'uns') return;
    const [code, reason] = splitOnce(rest);
    channel.onClosed(Number(code) || 1000, reason, true);
  }
}

/**
 * Named channels over one connection. It is an ordinary connection class whose messages are
 * `sub,NAME`, `uns,NAME` and `msg,NAME,TEXT`, as in the multiplexing of the SockJS project; each channel
 * has a connection of its own. When the server ends a channel it says `uns,NAME,CODE,REASON`.
 */
import {
  type ConnectionBackend,
  SockJSConnection,
  connect,
  isConnectionClass,
  linkOf,
} from '../api/connection.ts';
import { SockJSError } from '../base/errors.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import type { Message } from '../protocol/message.ts';
import { createMessage } from '../sessions/create-message.ts';
import { MAX_MEMOIZED_BYTES } from '../base/memoize.ts';
import type { CloseStatus } from '../base/close-reasons.ts';
import { HandlerRunner, type HandlerOwner } from '../sessions/handler-runner.ts';
import type { SockJSLogger, TransportName } from '../base/settings.ts';

type ConnectionClass = new () => SockJSConnection;

/** How channels end by themselves. docs/errors.md explains each; a test compares the two. */
export const CHANNEL_ENDS = {
  unknown: { code: 1008, reason: 'No such channel' },
  opening: { code: 1013, reason: 'Channel is still opening' },
  unsubscribed: { code: 1000, reason: 'Unsubscribed' },
} as const satisfies Readonly<Record<string, CloseStatus>>;

const LONGEST_NAME = 200;

/** A channel as it was declared: what its instances in all sessions share. */
class Topic {
  /** As it stands in messages: no comma in it. */
  readonly name: string;
  readonly connection: ConnectionClass;
  #last: { readonly message: Message; readonly wrapped: Message } | undefined;

  constructor(name: string, connection: ConnectionClass) {
    this.name = encodeURIComponent(name);
    this.connection = connection;
  }

  /** The message with the channel's name in front; unless it is large, made once for all receivers of a broadcast. */
  wrap(message: Message): Message {
    if (message === this.#last?.message) return this.#last.wrapped;
    if (typeof message.data !== 'string') {
      throw new SockJSError('ERR_MESSAGE_TYPE', 'A channel carries strings only.');
    }
    const wrapped = createMessage(`msg,${this.name},${message.data}`);
    if (wrapped.size <= MAX_MEMOIZED_BYTES) this.#last = { message, wrapped };
    return wrapped;
  }
}

/** One channel of one session. */
class Channel implements ConnectionBackend, HandlerOwner {
  readonly #link: ConnectionBackend;
  readonly #topic: Topic;
  readonly #handlers: HandlerRunner;
  #closeReason: CloseStatus | undefined;

  constructor(link: ConnectionBackend, topic: Topic) {
    this.#link = link;
    this.#topic = topic;
    const connection = new topic.connection();
    connect(connection, this);
    this.#handlers = new HandlerRunner(connection, this, link.logger);
  }

  get info(): ConnectionInfo {
    return this.#link.info;
  }

  get user(): unknown {
    return this.#link.user;
  }

  get transport(): TransportName {
    return this.#link.transport;
  }

  get logger(): SockJSLogger {
    return this.#link.logger;
  }

  get bufferedBytes(): number {
    return this.#link.bufferedBytes;
  }

  get closeReason(): CloseStatus | undefined {
    return this.#closeReason ?? this.#link.closeReason;
  }

  get isOpen(): boolean {
    return this.closeReason === undefined;
  }

  get isOpening(): boolean {
    return this.#handlers.opening !== undefined;
  }

  open(): void {
    this.#handlers.open();
  }

  receive(text: string): void {
    this.#handlers.deliver(text);
  }

  drained(): void {
    if (this.isOpen) this.#handlers.drain();
  }

  send(message: Message): boolean {
    return this.isOpen && this.#link.send(this.#topic.wrap(message));
  }

  watchClose(watcher: () => void): () => void {
    return this.#handlers.watchClose(watcher);
  }

  whenDrained(): Promise<boolean> {
    return new Promise((resolve) => {
      const unwatch = this.watchClose(() => resolve(false));
      void this.#link.whenDrained().then((keepsUp) => {
        unwatch();
        resolve(keepsUp && this.isOpen);
      });
    });
  }

  close(reason: CloseStatus): void {
    if (!this.isOpen) return;
    this.#link.send(createMessage(`uns,${this.#topic.name},${reason.code},${reason.reason}`));
    this.onClosed(reason);
  }

  /** The client knows of the end. `onClose` is called later, so that no handler runs inside another one. */
  onClosed(reason: CloseStatus): void {
    if (this.#closeReason !== undefined) return;
    this.#closeReason = reason;
    queueMicrotask(() => this.#handlers.close());
  }
}

/** The connection that carries the channels. */
class MultiplexConnection extends SockJSConnection {
  readonly #topics: ReadonlyMap<string, Topic>;
  readonly #channels = new Map<Topic, Channel>();

  constructor(topics: ReadonlyMap<string, Topic>) {
    super();
    this.#topics = topics;
  }

  override onMessage(message: string): void {
    const kindEnd = message.indexOf(',');
    const kind = message.slice(0, Math.max(kindEnd, 0));
    const nameEnd = message.indexOf(',', kindEnd + 1);
    const name = message.slice(kindEnd + 1, nameEnd < 0 ? message.length : nameEnd);
    const topic = this.#topics.get(name);
    if (topic === undefined) {
      if (kind === 'sub' && name.length <= LONGEST_NAME) this.#refuse(name, CHANNEL_ENDS.unknown);
      return;
    }
    const text = nameEnd < 0 ? '' : message.slice(nameEnd + 1);
    if (kind === 'msg') this.#channels.get(topic)?.receive(text);
    else if (kind === 'sub') this.#subscribe(topic);
    else if (kind === 'uns') this.#channels.get(topic)?.onClosed(CHANNEL_ENDS.unsubscribed);
  }

  override onDrain(): void {
    for (const channel of this.#channels.values()) channel.drained();
  }

  override onClose(code: number, reason: string): void {
    for (const channel of this.#channels.values()) channel.onClosed({ code, reason });
  }

  #subscribe(topic: Topic): void {
    const before = this.#channels.get(topic);
    if (before?.isOpen === true) return;
    // However fast a client comes and goes, one `onOpen` is under way for each channel at the most.
    if (before?.isOpening === true) {
      this.#refuse(topic.name, CHANNEL_ENDS.opening);
      return;
    }
    const channel = new Channel(linkOf(this), topic);
    this.#channels.set(topic, channel);
    channel.open();
  }

  #refuse(name: string, { code, reason }: CloseStatus): void {
    this.send(`uns,${name},${code},${reason}`);
  }
}

/**
 * A connection class that carries several others, each under a name, over one connection. In the browser
 * `MultiplexClient` of `sockjs-server/multiplex-client` opens the channels.
 * @throws SockJSError `ERR_SETTING` if there is no channel, or one is no connection class
 *
 * @example
 * new SockJSRouter(multiplex({ news: NewsConnection, chat: ChatConnection }), '/all');
 */
export function multiplex(channels: Readonly<Record<string, ConnectionClass>>): ConnectionClass {
  const topics = new Map<string, Topic>();
  for (const [name, connection] of Object.entries(channels)) {
    if (name === '' || !isConnectionClass(connection)) {
      throw new SockJSError(
        'ERR_SETTING',
        `Channel '${name}' needs a name and a class that extends SockJSConnection.`,
      );
    }
    const topic = new Topic(name, connection);
    topics.set(topic.name, topic);
  }
  if (topics.size === 0)
    throw new SockJSError('ERR_SETTING', 'multiplex() needs at least one channel.');
  return class extends MultiplexConnection {
    constructor() {
      super(topics);
    }
  };
}

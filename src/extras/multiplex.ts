/**
 * `sockjs-server/multiplex`: named channels over one connection. It is an ordinary connection class whose messages are
 * `sub,NAME`, `uns,NAME` and `msg,NAME,TEXT`, as in the multiplexing of the SockJS project; each channel
 * has a connection of its own. When the server ends a channel it says `uns,NAME,CODE,REASON`.
 */
/// <reference types="node" preserve="true" />
import { type Link, SockJSConnection, connect, isConnectionClass, linkOf } from '../connection.ts';
import { SockJSError } from '../errors.ts';
import type { ConnectionInfo } from '../connection-info.ts';
import { Message } from '../protocol/message.ts';
import { LONGEST_REMEMBERED } from '../remember.ts';
import type { Closing } from '../protocol/ends.ts';
import { CHANNEL_ENDS } from './channel-ends.ts';
import { Lifecycle, type Living } from '../sessions/lifecycle.ts';
import type { Logger, TransportName } from '../settings.ts';

type ConnectionClass = new () => SockJSConnection;

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
    const wrapped = new Message(`msg,${this.name},${message.data}`);
    if (wrapped.size <= LONGEST_REMEMBERED) this.#last = { message, wrapped };
    return wrapped;
  }
}

/** One channel of one session. */
class Channel implements Link, Living {
  readonly #link: Link;
  readonly #topic: Topic;
  readonly #lifecycle: Lifecycle;
  #isOpen = true;

  constructor(link: Link, topic: Topic) {
    this.#link = link;
    this.#topic = topic;
    const connection = new topic.connection();
    connect(connection, this);
    this.#lifecycle = new Lifecycle(connection, this, link.logger);
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

  get logger(): Logger {
    return this.#link.logger;
  }

  get bufferedBytes(): number {
    return this.#link.bufferedBytes;
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#link.isClosed;
  }

  get isClosed(): boolean {
    return !this.isOpen;
  }

  get isOpening(): boolean {
    return this.#lifecycle.opening !== undefined;
  }

  open(): void {
    this.#lifecycle.open();
  }

  receive(text: string): void {
    this.#lifecycle.deliver(text);
  }

  drained(): void {
    if (this.isOpen) this.#lifecycle.drained();
  }

  send(message: Message): boolean {
    return this.isOpen && this.#link.send(this.#topic.wrap(message));
  }

  watchEnd(watcher: () => void): () => void {
    return this.#lifecycle.watchEnd(watcher);
  }

  whenDrained(): Promise<boolean> {
    return new Promise((resolve) => {
      const unwatch = this.watchEnd(() => resolve(false));
      void this.#link.whenDrained().then((keepsUp) => {
        unwatch();
        resolve(keepsUp && this.isOpen);
      });
    });
  }

  end(end: Closing): void {
    if (!this.isOpen) return;
    this.#link.send(new Message(`uns,${this.#topic.name},${end.code},${end.reason}`));
    this.over(end);
  }

  /** Over, and the client knows. `onClose` never runs inside another handler. */
  over(end: Closing): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    queueMicrotask(() => this.#lifecycle.close(end));
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
    else if (kind === 'uns') this.#channels.get(topic)?.over(CHANNEL_ENDS.unsubscribed);
  }

  override onDrain(): void {
    for (const channel of this.#channels.values()) channel.drained();
  }

  override onClose(code: number, reason: string): void {
    for (const channel of this.#channels.values()) channel.over({ code, reason });
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

  #refuse(name: string, { code, reason }: Closing): void {
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

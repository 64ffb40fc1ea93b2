/**
 * Named channels over one connection. Messages are `sub,NAME`, `uns,NAME` and `msg,NAME,TEXT`, as in websocket-multiplex
 * of the SockJS project. Clients of that library work too. Each channel has a `SockJSConnection`. When the server closes
 * a channel, it sends `uns,NAME,CODE,REASON`.
 */
/// <reference types="node" preserve="true" />
import {
  type ConnectionSource,
  type CreateConnection,
  connectionCreator,
} from '../api/connection-factory.ts';
import type { ConnectionBackend, ConnectionLink } from '../api/connection-backend.ts';
import { SockJSConnection, linkOf } from '../api/connection.ts';
import { SockJSError } from '../base/errors.ts';
import type { ConnectionInfo } from '../base/connection-info.ts';
import type { Message } from '../protocol/message.ts';
import { createMessage, createSharedMessage } from '../sessions/create-message.ts';
import { memoizeEncoding } from '../base/memoize.ts';
import type { CloseStatus } from '../base/close-reasons.ts';
import { CHANNEL_CLOSE_REASONS } from './channel-close-reasons.ts';
import {
  type HandlerContext,
  type HandlerOwner,
  HandlerRunner,
} from '../sessions/handler-runner.ts';
import type { ClientMemory } from '../base/memory-budget.ts';
import type { TransportName } from '../base/transport-name.ts';

/** Limit for the name in the refusal of an unknown channel. */
const MAX_NAME_LENGTH = 200;

/** Definition of a channel, which all sessions share. */
interface ChannelDefinition {
  readonly createConnection: CreateConnection<SockJSConnection>;
}

/** One spelling of a channel's name in messages. A client gets the spelling that it has subscribed with. */
class ChannelSpelling {
  /** Encoded name, so that it contains no comma. */
  readonly name: string;
  readonly definition: ChannelDefinition;
  /** Adds the name of the channel to a message. Memoized, so that a broadcast is encoded once. */
  readonly addPrefix: (message: Message) => Message;

  constructor(name: string, definition: ChannelDefinition) {
    this.name = name;
    this.definition = definition;
    this.addPrefix = memoizeEncoding(({ data, isShared }: Message) => {
      const create = isShared ? createSharedMessage : createMessage;
      if (typeof data === 'string') return create(`msg,${name},${data}`);
      throw new SockJSError(
        'ERR_MESSAGE_TYPE',
        'A channel carries strings only. Send text, for example JSON.',
      );
    });
  }
}

/** One channel of one session. */
class Channel implements ConnectionBackend, HandlerOwner {
  readonly #session: ConnectionBackend;
  readonly #spelling: ChannelSpelling;
  readonly #handlers: HandlerRunner;
  #closeReason: CloseStatus | undefined;

  /** @param link session that carries the channel, and groups of its router */
  constructor({ backend, groups }: ConnectionLink, spelling: ChannelSpelling) {
    this.#session = backend;
    this.#spelling = spelling;
    const connection = spelling.definition.createConnection({ backend: this, groups });
    this.#handlers = new HandlerRunner(connection, this);
  }

  get info(): ConnectionInfo {
    return this.#session.info;
  }

  get user(): unknown {
    return this.#session.user;
  }

  get transport(): TransportName {
    return this.#session.transport;
  }

  get context(): HandlerContext {
    return this.#session.context;
  }

  get memory(): ClientMemory {
    return this.#session.memory;
  }

  get bufferedBytes(): number {
    return this.#session.bufferedBytes;
  }

  get closeReason(): CloseStatus | undefined {
    return this.#closeReason ?? this.#session.closeReason;
  }

  get isOpen(): boolean {
    return this.closeReason === undefined;
  }

  get isOpening(): boolean {
    return this.#handlers.isOpening;
  }

  open(): void {
    this.#handlers.open();
  }

  receive(text: string): void {
    const { input } = this.#handlers;
    input.push([text], this.context.clock());
    if (input.delay === 'handlers') this.#session.holdInput(input.ready());
  }

  holdInput(until: Promise<unknown>): void {
    this.#handlers.input.hold(until);
  }

  drained(): void {
    if (this.isOpen) this.#handlers.drain();
  }

  send(message: Message): boolean {
    return this.isOpen && this.#session.send(this.#spelling.addPrefix(message));
  }

  watchClose(watcher: () => void): () => void {
    return this.#handlers.watchClose(watcher);
  }

  whenDrained(): Promise<boolean> {
    return new Promise((resolve) => {
      const unwatch = this.watchClose(() => resolve(false));
      void this.#session.whenDrained().then((keepsUp) => {
        unwatch();
        resolve(keepsUp && this.isOpen);
      });
    });
  }

  close({ code, reason }: CloseStatus): void {
    if (!this.isOpen) return;
    this.#session.send(createMessage(`uns,${this.#spelling.name},${code},${reason}`));
    this.onClosed({ code, reason });
  }

  /** Called when the client knows that the channel is closed. `onClose` follows in a microtask, outside any handler. */
  onClosed(reason: CloseStatus): void {
    if (this.#closeReason !== undefined) return;
    this.#closeReason = reason;
    queueMicrotask(() => this.#handlers.close());
  }
}

/** Connection that carries the channels of one session. */
class MultiplexConnection extends SockJSConnection {
  readonly #spellings: ReadonlyMap<string, ChannelSpelling>;
  readonly #channels = new Map<ChannelDefinition, Channel>();

  constructor(spellings: ReadonlyMap<string, ChannelSpelling>) {
    super();
    this.#spellings = spellings;
  }

  override onMessage(message: string): void {
    const kindEnd = message.indexOf(',');
    const kind = message.slice(0, Math.max(kindEnd, 0));
    const nameEnd = message.indexOf(',', kindEnd + 1);
    const name = message.slice(kindEnd + 1, nameEnd < 0 ? message.length : nameEnd);
    const spelling = this.#spellings.get(name);
    if (spelling === undefined) {
      if (kind === 'sub' && name.length <= MAX_NAME_LENGTH)
        this.#refuse(name, CHANNEL_CLOSE_REASONS.unknown);
      return;
    }
    const text = nameEnd < 0 ? '' : message.slice(nameEnd + 1);
    if (kind === 'sub') return this.#subscribe(spelling);
    const channel = this.#channels.get(spelling.definition);
    if (kind === 'msg') channel?.receive(text);
    else if (kind === 'uns') channel?.onClosed(CHANNEL_CLOSE_REASONS.unsubscribed);
    return undefined;
  }

  override onDrain(): void {
    for (const channel of this.#channels.values()) channel.drained();
  }

  override onClose(code: number, reason: string): void {
    for (const channel of this.#channels.values()) channel.onClosed({ code, reason });
  }

  #subscribe(spelling: ChannelSpelling): void {
    const { definition } = spelling;
    const previous = this.#channels.get(definition);
    if (previous?.isOpen === true) return;
    // A client that subscribes and unsubscribes in a loop may have only one pending `onOpen` for each channel.
    if (previous?.isOpening === true) {
      this.#refuse(spelling.name, CHANNEL_CLOSE_REASONS.opening);
      return;
    }
    const channel = new Channel(linkOf(this), spelling);
    this.#channels.set(definition, channel);
    channel.open();
  }

  #refuse(name: string, { code, reason }: CloseStatus): void {
    this.send(`uns,${name},${code},${reason}`);
  }
}

/**
 * Returns the spellings of all names: that of `MultiplexClient`, and that of the client of websocket-multiplex, which
 * calls `escape`. If one text spells two names, it is that of `MultiplexClient`.
 */
function spellNames(
  definitions: ReadonlyMap<string, ChannelDefinition>,
): ReadonlyMap<string, ChannelSpelling> {
  const spellings = new Map<string, ChannelSpelling>();
  for (const encode of [escape, encodeURIComponent]) {
    for (const [name, definition] of definitions) {
      const encoded = encode(name);
      spellings.set(encoded, new ChannelSpelling(encoded, definition));
    }
  }
  return spellings;
}

/** Half of a surrogate pair, which `encodeURIComponent` rejects. */
const LONE_SURROGATE = /\p{Surrogate}/u;

function checkName(name: string): void {
  if (name === '')
    throw new SockJSError('ERR_SETTING', 'A channel needs a name that is not empty.');
  if (LONE_SURROGATE.test(name)) {
    throw new SockJSError(
      'ERR_SETTING',
      `The channel name ${JSON.stringify(name)} contains half of a surrogate pair. Use whole characters.`,
    );
  }
}

/**
 * Creates a connection class that carries named channels over one connection. In the browser, `MultiplexClient` of
 * `sockjs-server/multiplex-client` opens the channels.
 * @param channels connection classes, or functions that return a connection, by channel name
 * @throws SockJSError `ERR_SETTING` without a channel, for an empty or malformed name, or for a value that is neither
 *
 * @example
 * new SockJSRouter(multiplex({ news: NewsConnection, chat: ChatConnection }), '/all');
 */
export function multiplex(
  channels: Readonly<Record<string, ConnectionSource<SockJSConnection>>>,
): new () => SockJSConnection {
  const definitions = new Map<string, ChannelDefinition>();
  for (const [name, source] of Object.entries(channels)) {
    checkName(name);
    const createConnection = connectionCreator(source, `Channel '${name}'`, 'ERR_SETTING');
    definitions.set(name, { createConnection });
  }
  if (definitions.size === 0)
    throw new SockJSError('ERR_SETTING', 'multiplex() needs at least one channel.');
  const spellings = spellNames(definitions);
  return class extends MultiplexConnection {
    constructor() {
      super(spellings);
    }
  };
}

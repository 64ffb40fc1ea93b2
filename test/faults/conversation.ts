/**
 * One client and one server that exchange messages through a relay, until the test ends the conversation.
 * Afterwards the router may have no sessions and no receivers left.
 */
import type { SockJSSettings } from '../../src/index.ts';
import type { SeededRandom } from '../../testkit/random.ts';
import type { RelayOptions } from '../../testkit/tcp-relay.ts';
import { until } from '../../testkit/until.ts';
import { type FaultTransport, type LoggingClient, connectClient } from './clients.ts';
import { type CloseStatus, DeliveryLog } from './delivery-log.ts';
import type { History } from './delivery-rules.ts';
import { type RelayedServer, type ServerSession, startRelayedServer } from './relayed-server.ts';

export interface ConversationOptions {
  readonly transport: FaultTransport;
  readonly stages: RelayOptions;
  /** The stages cut nothing, and stall nothing for longer than a session lives. */
  readonly intact: boolean;
  readonly settings: SockJSSettings;
  readonly random: SeededRandom;
  /** Minimal time that sockjs-client allows for opening, in milliseconds. */
  readonly openTimeout?: number;
}

/** Text of which the transports escape much, in characters of one to four bytes. */
const FILLINGS = ['x', '„ä“ 🙂', '\u2028"\\%0A', '</script>\r\n\r\n'] as const;

function hasDelivered(from: DeliveryLog | undefined, to: DeliveryLog | undefined): boolean {
  return from?.texts('sent').at(-1) === to?.texts('received').at(-1);
}

export class Conversation {
  readonly #log = new DeliveryLog();
  readonly #client: LoggingClient;
  readonly #server: RelayedServer;
  readonly #random: SeededRandom;
  #session: ServerSession | undefined;
  #messageCount = 0;

  constructor(options: ConversationOptions, server: RelayedServer) {
    const { transport, openTimeout = 0, random } = options;
    this.#server = server;
    this.#random = random.fork('texts');
    this.#client = connectClient(transport, { ...server, openTimeout }, this.#log);
  }

  /** The client has closed. */
  get isClosed(): boolean {
    return this.#log.closeStatus !== undefined;
  }

  /** Set once the session has closed at the server. */
  get sessionCloseStatus(): CloseStatus | undefined {
    return this.#session?.log.closeStatus;
  }

  /** The client is open, and the latest message of each end has arrived at the other. */
  get isDelivered(): boolean {
    const session = this.#session?.log;
    return (
      this.#client.isOpen && hasDelivered(this.#log, session) && hasDelivered(session, this.#log)
    );
  }

  /** Waits until both ends are open, or the client has failed to open. */
  async opened(): Promise<void> {
    await until(
      () => this.#client.isOpen || this.isClosed,
      'the open or the close event of the client',
    );
    if (this.#log.hasOpened) this.#session = this.#server.sessions.at(-1);
  }

  clientSends(count: number): void {
    this.#client.send(Array.from({ length: count }, () => this.#text('client')));
  }

  serverSends(count: number): void {
    const session = this.#session;
    for (let rest = count; rest > 0; rest -= 1) {
      if (session === undefined || session.connection.isClosed) return;
      const text = this.#text('server');
      session.log.sent(text);
      session.connection.send(text);
    }
  }

  /** Sends up to three messages from each end. In half of the cases it waits until they have arrived. */
  async step(): Promise<void> {
    this.clientSends(this.#random.integer(0, 3));
    this.serverSends(this.#random.integer(0, 3));
    if (this.#random.oneIn(2)) await new Promise(setImmediate);
    else await this.delivered();
  }

  /** Waits until all messages have arrived, or an end has closed. */
  async delivered(): Promise<void> {
    const isOver = (): boolean => this.isClosed || this.sessionCloseStatus !== undefined;
    await until(() => this.isDelivered || isOver(), 'all messages to arrive');
  }

  /** Waits for a pending receiving request: with one the server notices at once that the client leaves. */
  async receiverAttached(): Promise<void> {
    const { stats } = this.#server.router;
    await until(() => stats.dump().connectionsActive > 0, 'an attached receiver');
  }

  closeClient(): void {
    this.#client.close();
  }

  closeServer(code: number, reason: string): void {
    this.#session?.connection.close(code, reason);
  }

  /** Waits until both ends have closed, and the router has released all sessions and receivers. */
  async ended(): Promise<Pick<History, 'client' | 'session' | 'others'>> {
    const { router, sessions } = this.#server;
    await until(() => this.isClosed, 'the client to close');
    await until(
      () => sessions.every(({ log }) => log.closeStatus !== undefined),
      'the sessions to close',
    );
    await until(() => router.stats.dump().sessionsActive === 0, 'the router to have no sessions');
    await until(
      () => router.stats.dump().connectionsActive === 0,
      'the router to have no receivers',
    );
    const session = this.#session?.log ?? new DeliveryLog();
    const others = sessions.map(({ log }) => log).filter((log) => log !== session);
    return { client: this.#log, session, others };
  }

  #text(sender: string): string {
    this.#messageCount += 1;
    const filling = this.#random.pick(FILLINGS).repeat(this.#random.integer(0, 12));
    return `${sender} ${this.#messageCount} ${filling}`;
  }
}

/** @param run drives the conversation, and returns the end that closed it */
export async function converse(
  options: ConversationOptions,
  run: (conversation: Conversation) => Promise<History['endedBy']>,
): Promise<History> {
  const server = await startRelayedServer(options.stages, options.settings);
  const conversation = new Conversation(options, server);
  try {
    await conversation.opened();
    const endedBy = await run(conversation);
    return { ...(await conversation.ended()), endedBy, intact: options.intact };
  } finally {
    conversation.closeClient();
    await server.stop();
  }
}

/**
 * One conversation through a relay: a server, a client, messages in both directions until it is enough or
 * over, and an end after which nothing may be left.
 */
import type { SockJSSettings } from '../../src/index.ts';
import { until } from '../support/client.ts';
import type { Stages } from '../support/relay.ts';
import type { Dice } from './dice.ts';
import { type End, type History, Log } from './history.ts';
import { type AnyTransport, type Peer, connectPeer } from './peers.ts';
import { type Place, type Session, prepare } from './place.ts';

export interface Setting {
  readonly transport: AnyTransport;
  readonly stages: Stages;
  /** The stages cut nothing, and stall nothing for longer than a session lives. */
  readonly intact: boolean;
  readonly settings: SockJSSettings;
  readonly dice: Dice;
  /** How long sockjs-client waits for its connection to open, at least; in milliseconds. */
  readonly patience?: number;
}

/** What makes chunks of every kind: bytes that belong together, and what dialects escape. */
const FILLINGS = ['x', '„ä“ 🙂', '\u2028"\\%0A', '</script>\r\n\r\n'] as const;

function arrived(from: Log | undefined, to: Log | undefined): boolean {
  return from?.texts('sent').at(-1) === to?.texts('received').at(-1);
}

export class Conversation {
  readonly #log = new Log();
  readonly #peer: Peer;
  readonly #place: Place;
  readonly #dice: Dice;
  #session: Session | undefined;
  #said = 0;

  constructor({ transport, patience = 0, dice }: Setting, place: Place) {
    this.#place = place;
    this.#dice = dice.of('texts');
    this.#peer = connectPeer(transport, { ...place, patience }, this.#log);
  }

  /** The client has closed. */
  get isOver(): boolean {
    return this.#log.end !== undefined;
  }

  /** The server has closed the session, or found it gone. */
  get sessionEnd(): End | undefined {
    return this.#session?.log.end;
  }

  /** The client is open, and the last message that was sent is there, on either side. */
  get isQuiet(): boolean {
    const session = this.#session?.log;
    return this.#peer.isOpen && arrived(this.#log, session) && arrived(session, this.#log);
  }

  /** Waits until both ends are open, or the client could not open. */
  async opened(): Promise<void> {
    await until('the client has opened or closed', () => this.#peer.isOpen || this.isOver);
    if (this.#log.hasOpened) this.#session = this.#place.sessions.at(-1);
  }

  clientSays(count: number): void {
    for (let rest = count; rest > 0; rest -= 1) this.#peer.send(this.#text('client'));
  }

  serverSays(count: number): void {
    const session = this.#session;
    for (let rest = count; rest > 0; rest -= 1) {
      if (session === undefined || session.connection.isClosed) return;
      const text = this.#text('server');
      session.log.sent(text);
      session.connection.send(text);
    }
  }

  /** Some messages from both, after which one or the other waits or does not. */
  async step(): Promise<void> {
    this.clientSays(this.#dice.between(0, 3));
    this.serverSays(this.#dice.between(0, 3));
    if (this.#dice.oneIn(2)) await new Promise(setImmediate);
    else await this.quiet();
  }

  /** Waits until all has arrived, or the session is over on one side at least. */
  async quiet(): Promise<void> {
    const over = (): boolean => this.isOver || this.sessionEnd !== undefined;
    await until('all has arrived', () => this.isQuiet || over());
  }

  /** Waits for a request that waits at the server: then the server sees the client leave at once. */
  async attached(): Promise<void> {
    const { stats } = this.#place.router;
    await until('a receiver is attached', () => stats.dump().connectionsActive > 0);
  }

  closeClient(): void {
    this.#peer.close();
  }

  closeServer(code: number, reason: string): void {
    this.#session?.connection.close(code, reason);
  }

  /** Waits until both ends are over, whatever it was, and nothing is left of them in the router. */
  async ended(): Promise<Pick<History, 'client' | 'session' | 'others'>> {
    const { router, sessions } = this.#place;
    await until('the client has closed', () => this.isOver);
    const over = (): boolean => sessions.every(({ log }) => log.end !== undefined);
    await until('the sessions have closed', over);
    await until('the router has no sessions', () => router.stats.dump().sessionsActive === 0);
    await until('nor receivers', () => router.stats.dump().connectionsActive === 0);
    const session = this.#session?.log ?? new Log();
    const others = sessions.map(({ log }) => log).filter((log) => log !== session);
    return { client: this.#log, session, others };
  }

  #text(who: string): string {
    this.#said += 1;
    const filling = this.#dice.pick(FILLINGS).repeat(this.#dice.between(0, 12));
    return `${who} ${this.#said} ${filling}`;
  }
}

/** @param talk answers what ended it */
export async function converse(
  setting: Setting,
  talk: (conversation: Conversation) => Promise<History['endedBy']>,
): Promise<History> {
  const place = await prepare(setting.stages, setting.settings);
  const conversation = new Conversation(setting, place);
  try {
    await conversation.opened();
    const endedBy = await talk(conversation);
    return { ...(await conversation.ended()), endedBy, intact: setting.intact };
  } finally {
    conversation.closeClient();
    await place.stop();
  }
}

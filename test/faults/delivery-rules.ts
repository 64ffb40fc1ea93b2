/**
 * What SockJS promises about messages, as a check of what both ends of a connection did and saw.
 *
 * A message is accepted by a `send` that is called while its end is open. SockJS numbers nothing and
 * acknowledges nothing, so all its promises rest on TCP and on one rule: whatever may have lost a message
 * ends the session. In full:
 *
 * 1. What an end receives is a beginning of what the other has sent: in order, without gap or double.
 * 2. Nothing is missing from it if the connection was closed when all was quiet, or by the other end of it
 *    and over a network without faults: then what was sent before the close arrives before it. (The real
 *    client drops what waits in it when it is closed, so this holds for `close` of the server only.)
 * 3. A message that was under way when a connection was cut may be lost only if the session then closes at
 *    both ends. So where the session is alive after a cut, rule 1 and 2 hold as if nothing had been.
 * 4. An end opens at most once, closes exactly once if it has opened, and has nothing after it; nor does it
 *    have a message before it has opened.
 * 5. A close by the server arrives with its code and reason.
 * 6. A client has one session. Only where a connection was cut, or stalled until the session was over and
 *    forgotten, a late request may open another one under the same id: before the client has opened, and
 *    then that one is its session, or after it, and then the client ends with 1006 `Server lost session`
 *    and takes nothing from it. In no case is a message received by two of them.
 *
 * What it does not promise: a client that cannot tell a complete answer from one that was cut (EventSource
 * and htmlfile) loses what was cut off the end of an answer that the server had ended at `responseLimit`,
 * and goes on. The server has no means to know either. No other moment of these transports is concerned,
 * and none of the others: they see that an answer is incomplete, and close.
 */

export interface End {
  readonly code: number;
  readonly reason: string;
}

export type Event =
  | { readonly what: 'opened' }
  | { readonly what: 'sent' | 'received'; readonly text: string }
  | { readonly what: 'closed'; readonly end: End };

/** What one end did and saw, in its order. */
export class Log {
  readonly events: Event[] = [];
  #end: End | undefined;

  opened(): void {
    this.events.push({ what: 'opened' });
  }

  sent(text: string): void {
    this.events.push({ what: 'sent', text });
  }

  received(text: string): void {
    this.events.push({ what: 'received', text });
  }

  closed(code: number, reason: string): void {
    this.#end = { code, reason };
    this.events.push({ what: 'closed', end: this.#end });
  }

  get end(): End | undefined {
    return this.#end;
  }

  get hasOpened(): boolean {
    return this.events.some(({ what }) => what === 'opened');
  }

  /** All texts that it has sent, or received. */
  texts(what: 'sent' | 'received'): string[] {
    return this.events.flatMap((event) => (event.what === what ? [event.text] : []));
  }
}

export interface History {
  readonly client: Log;
  /** The server's end of what the client had opened. */
  readonly session: Log;
  /** Sessions that the server had for the same client besides. */
  readonly others: readonly Log[];
  /** What ended the connection. `fault`: neither of the two. */
  readonly endedBy: 'client when all was quiet' | 'client' | 'server' | 'fault';
  /** No connection was cut, nor stalled for longer than a session lives. */
  readonly intact: boolean;
}

function* lifeFaults(who: string, { events }: Log): Generator<string> {
  const count = (what: Event['what']): number =>
    events.filter((event) => event.what === what).length;
  if (count('opened') > 1) yield `${who} opened ${count('opened')} times`;
  if (count('closed') !== 1) yield `${who} closed ${count('closed')} times`;
  const last = events.at(-1)?.what;
  if (count('closed') > 0 && last !== 'closed') yield `${who} has ${last} as its last event`;
  const early = events.findIndex(({ what }) => what === 'sent' || what === 'received');
  const opened = events.findIndex(({ what }) => what === 'opened');
  if (early >= 0 && (opened < 0 || early < opened)) yield `${who} had a message before it opened`;
}

function quoteForLog(text: string | undefined): string {
  return text === undefined ? 'nothing more' : JSON.stringify(text.slice(0, 40));
}

function* lossFaults(
  who: string,
  received: readonly string[],
  sent: readonly string[],
  complete: boolean,
): Generator<string> {
  const differs = received.findIndex((text, index) => text !== sent[index]);
  if (differs >= 0) {
    const [got, wanted] = [quoteForLog(received[differs]), quoteForLog(sent[differs])];
    yield `${who} received ${got} as message ${differs}, and ${wanted} had been sent`;
  } else if (complete && received.length < sent.length) {
    yield `${who} received ${received.length} of ${sent.length} messages`;
  }
}

function* otherFaults({ client, session, others, intact }: History): Generator<string> {
  if (intact && others.length > 0) yield `the client had ${others.length + 1} sessions`;
  const sent = client.texts('sent');
  const theirs = others.flatMap((other) => other.texts('received'));
  const all = [...new Set(session.texts('received')), ...theirs];
  if (new Set(all).size < all.length) yield 'two sessions received the same message';
  if (theirs.some((text) => !sent.includes(text)))
    yield 'another session received what nobody sent';
}

/** @returns what is wrong with it; nothing if all promises were kept */
export function complaints(history: History): string[] {
  const { client, session, others, endedBy, intact } = history;
  const quiet = endedBy === 'client when all was quiet';
  const toClient = [client.texts('received'), session.texts('sent')] as const;
  const toServer = [session.texts('received'), client.texts('sent')] as const;
  const found = [
    ...lifeFaults('the client', client),
    ...(client.hasOpened ? lifeFaults('the session', session) : []),
    ...others.flatMap((each) => Array.from(lifeFaults('another session', each))),
    ...lossFaults('the client', ...toClient, quiet || endedBy === 'server'),
    ...lossFaults('the server', ...toServer, quiet),
    ...otherFaults(history),
  ];
  if (intact && endedBy === 'fault') found.push('it closed without a fault');
  if (endedBy === 'server' && JSON.stringify(client.end) !== JSON.stringify(session.end))
    found.push(
      `the client was told ${JSON.stringify(client.end)} of ${JSON.stringify(session.end)}`,
    );
  return found;
}

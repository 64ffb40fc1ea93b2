/**
 * What clients do. The healthy and the slow have to get everything, once and in order; the others are there to
 * be survived.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Dialect, DIALECTS, XHR } from '../conformance/dialects.ts';
import type { SeededRandom } from '../../testkit/random.ts';
import { until } from '../support/client.ts';
import { generate } from '../fuzz/generator.ts';
import { play } from '../fuzz/player.ts';
import { HttpLink } from './http-link.ts';
import type { Ending, ConnectionBackend, Listener, Place } from './link.ts';
import { CLOSE, FAREWELL, FLOOD, FLOOD_COUNT, LIMITS } from './settings.ts';
import { WebSocketLink } from './websocket-link.ts';

/** What one client has of the whole. */
export interface Part {
  readonly place: Place;
  readonly random: SeededRandom;
  /** The load is to end: say goodbye soon. */
  readonly signal: AbortSignal;
  /** Broken off when the client's part is over, however that came. */
  readonly links: ConnectionBackend[];
  /** Counts what has come. */
  readonly count: (what: 'echoes' | 'broadcasts' | 'floods', messages: number) => void;
}

export type Role = (part: Part) => Promise<void>;

const TRANSPORTS: readonly [string, ...(string | Dialect)[]] = [
  'websocket',
  'rawwebsocket',
  ...DIALECTS,
];

function connect({ place, random, links }: Part, listener: Listener): ConnectionBackend {
  const transport = random.pick<string | Dialect>(TRANSPORTS);
  const link =
    typeof transport === 'string'
      ? new WebSocketLink(place, transport === 'rawwebsocket', listener)
      : new HttpLink(place, transport, listener);
  links.push(link);
  return link;
}

async function opened(link: ConnectionBackend): Promise<void> {
  const ending = await link.opened;
  if (ending !== undefined) throw new Error(`was not opened: ${ending.code} ${ending.reason}`);
}

async function pause(part: Part, least: number, most: number): Promise<void> {
  await delay(part.random.integer(least, most), undefined, { signal: part.signal }).catch(() => {});
}

/** What is expected of a client that misses nothing. */
class Expected implements Listener {
  readonly #part: Part;
  readonly #texts: string[] = [];
  #nextBroadcast: number | undefined;
  #flooded = 0;
  #fault: Error | undefined;

  constructor(part: Part) {
    this.#part = part;
  }

  echo(text: string): void {
    this.#texts.push(text);
  }

  get flooded(): number {
    return this.#flooded;
  }

  get isComplete(): boolean {
    return this.#texts.length === 0 || this.#fault !== undefined;
  }

  /** @throws an error if something came that should not have, or not then */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  message(text: string): void {
    if (text.startsWith('b:')) this.#broadcast(Number(text.slice(2)));
    else if (/^\d+ \.+$/.test(text)) this.#flood(Number.parseInt(text, 10));
    else if (text === this.#texts.shift()) this.#part.count('echoes', 1);
    else this.#fault ??= new Error(`an echo out of order: ${text.slice(0, 50)}`);
  }

  #broadcast(number: number): void {
    const expected = this.#nextBroadcast ?? number;
    if (number !== expected) this.#fault ??= new Error(`broadcast ${number}, not ${expected}`);
    this.#nextBroadcast = number + 1;
    this.#part.count('broadcasts', 1);
  }

  #flood(number: number): void {
    if (number !== this.#flooded)
      this.#fault ??= new Error(`flood ${number}, not ${this.#flooded}`);
    this.#flooded += 1;
    this.#part.count('floods', 1);
  }
}

/** @throws an error if the session ends first */
async function unlessOver<T>(link: ConnectionBackend, awaited: Promise<T>): Promise<T> {
  const over = link.over.then(({ code, reason }: Ending): never => {
    throw new Error(`was ended: ${code} ${reason}`);
  });
  return Promise.race([awaited, over]);
}

async function farewell(link: ConnectionBackend, random: SeededRandom): Promise<void> {
  if (!random.oneIn(2)) return link.leave();
  await link.send(CLOSE);
  const { code, reason } = await link.over;
  if (code !== FAREWELL.code || reason !== FAREWELL.reason) {
    throw new Error(`the farewell was ${code} ${reason}`);
  }
  return undefined;
}

let sent = 0;

/** Sends some messages now and then, and wants each of them back. */
const healthy: Role = async (part) => {
  const { random, signal } = part;
  const expected = new Expected(part);
  const link = connect(part, expected);
  await opened(link);
  for (let turns = random.integer(1, 12); turns > 0 && !signal.aborted; turns -= 1) {
    await unlessOver(link, pause(part, 1000, 7000));
    const texts = Array.from({ length: random.integer(1, 4) }, () => `${(sent += 1)}\u2028"<😀`);
    for (const text of texts) expected.echo(text);
    await unlessOver(link, link.send(...texts));
    expected.check();
  }
  await unlessOver(
    link,
    until('all echoes have come', () => expected.isComplete),
  );
  expected.check();
  await farewell(link, random);
  await link.over;
  expected.check();
};

/**
 * Asks for much, and takes it by and by; but never so slowly that an answer which the system has taken for it
 * waits there for `disconnectDelay`: then it would be gone, as far as a server can tell.
 */
const slow: Role = async (part) => {
  const { random, signal } = part;
  const expected = new Expected(part);
  const link = connect(part, expected);
  await opened(link);
  for (let floods = 1; floods < 6 && !signal.aborted; floods += 1) {
    await unlessOver(link, link.send(FLOOD));
    while (expected.flooded < floods * FLOOD_COUNT) {
      link.pause();
      await unlessOver(link, delay(random.integer(50, 400)));
      link.resume();
      await unlessOver(link, delay(random.integer(30, 100)));
      expected.check();
    }
  }
  await farewell(link, random);
  await link.over;
};

const NOBODY: Listener = { message() {} };

/** Asks for much, and takes nothing. */
const neverReading: Role = async (part) => {
  const link = connect(part, NOBODY);
  await opened(link);
  link.pause();
  try {
    for (let floods = 0; floods < 20 && !part.signal.aborted; floods += 1) {
      await link.send(FLOOD);
      await pause(part, 300, 700);
    }
  } catch {
    // It has been cut off: that is what should happen to it.
  }
  link.abort();
  await link.over;
};

/** Breaks off at any moment. */
const aborting: Role = async (part) => {
  const link = connect(part, NOBODY);
  if (!part.random.oneIn(4)) {
    await opened(link);
    void link.send('lost', 'lost').catch(() => {});
  }
  await pause(part, 0, 8000);
  link.abort();
  await link.over;
};

/** Opens a session, and never comes back. */
const forgetting: Role = async (part) => {
  const link = connect(part, NOBODY);
  await opened(link);
  link.leave();
  await link.over;
  await pause(part, 1000, 5000);
};

/** Sends what no client would. */
const broken: Role = async (part) => {
  for (let inputs = part.random.integer(1, 20); inputs > 0 && !part.signal.aborted; inputs -= 1) {
    const readings = await play(generate(part.random), part.place.port);
    for (const { fault } of readings) if (fault !== undefined) throw new Error(fault);
    await pause(part, 50, 500);
  }
};

/** Goes beyond the limits of a body, and finds its session none the worse. */
const excessive: Role = async (part) => {
  const expected = new Expected(part);
  const link = new HttpLink(part.place, part.random.pick(DIALECTS as [Dialect]), expected);
  part.links.push(link);
  await opened(link);
  const tooLong = JSON.stringify(['x'.repeat(LIMITS.maxMessageBytes)]);
  const tooMany = JSON.stringify(Array.from({ length: LIMITS.maxMessagesPerBody + 1 }, () => ''));
  for (const [body, status] of [
    [tooLong, 413],
    [tooMany, 413],
    ['[', 500],
  ] as const) {
    const answered = await unlessOver(link, link.post(body));
    if (answered !== status) throw new Error(`${status} was expected, not ${answered}`);
    await pause(part, 100, 3000);
  }
  const texts = Array.from({ length: LIMITS.maxMessagesPerBody }, (_, index) => `${index}`);
  for (let bodies = 0; bodies < 4; bodies += 1) {
    for (const text of texts) expected.echo(text);
    await unlessOver(link, link.send(...texts)); // The third has to wait.
  }
  await unlessOver(
    link,
    until('all echoes have come', () => expected.isComplete),
  );
  expected.check();
  await farewell(link, part.random);
  await link.over;
};

/** How many of a hundred clients have each role. */
export const ROLES = { healthy, slow, neverReading, aborting, forgetting, broken, excessive };
export type RoleName = keyof typeof ROLES;

export const SHARES: Readonly<Record<RoleName, number>> = {
  healthy: 72,
  slow: 6,
  neverReading: 2,
  aborting: 7,
  forgetting: 6,
  broken: 4,
  excessive: 3,
};

/** From an address that opens more sessions than it may. @returns how many were refused */
export async function burst(port: number): Promise<number> {
  const place = { port, address: '10.255.0.1' };
  const links = Array.from(
    { length: LIMITS.maxSessionsPerAddress + 100 },
    () => new HttpLink(place, XHR, NOBODY),
  );
  const endings = await Promise.all(links.map((link) => link.opened));
  for (const link of links) link.leave();
  await Promise.all(links.map((link) => link.over));
  return endings.filter((ending) => ending?.code === 503).length;
}

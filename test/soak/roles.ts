/**
 * Roles of the clients. The healthy and the slow ones have to receive everything once and in order. The server
 * only has to survive the others.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { SeededRandom } from '../../testkit/random.ts';
import { type ClientCloseEvent, SockJSClient } from '../../testkit/sockjs-client.ts';
import {
  HTTP_TRANSPORTS,
  TRANSPORTS,
  type Transport,
  XHR,
  newSession,
} from '../../testkit/transports.ts';
import { until } from '../../testkit/until.ts';
import { generate } from '../fuzz/generator.ts';
import { play } from '../fuzz/player.ts';
import { CLOSE, CLOSE_STATUS, FLOOD, FLOOD_MESSAGES, LIMITS, PREFIX } from './settings.ts';

/** Sessions last as long as the role lets them. */
const NO_LIMIT = { timeout: Infinity };
/** Limit for the echoes of a client that the server throttles, in milliseconds. */
const ECHO_TIMEOUT_MS = 30_000;

export interface Address {
  readonly port: number;
  /** The client's address, sent in `X-Forwarded-For`. */
  readonly ip: string;
}

export interface RoleContext {
  readonly address: Address;
  readonly random: SeededRandom;
  /** Aborted when the load ends: clients leave soon. */
  readonly signal: AbortSignal;
  /** Clients that are aborted at the end of the role, whether it has failed or not. */
  readonly clients: SockJSClient[];
  readonly count: (kind: 'echoes' | 'broadcasts' | 'floods', messages: number) => void;
}

export type Role = (context: RoleContext) => Promise<void>;

function ignore(): void {}

function newClient(
  { port, ip }: Address,
  transport: Transport,
  message: (text: string) => void,
): SockJSClient {
  return new SockJSClient(transport, {
    server: port,
    session: newSession(PREFIX),
    headers: [['X-Forwarded-For', ip]],
    record: false,
    message,
  });
}

function pickTransport(
  random: SeededRandom,
  transports: readonly Transport[] = TRANSPORTS,
): Transport {
  return random.pick(transports as readonly [Transport, ...Transport[]]);
}

/** Opens a session on any transport. @throws an error if it does not open */
async function open(
  { address, random, clients }: RoleContext,
  message: (text: string) => void,
  transports: readonly Transport[] = TRANSPORTS,
): Promise<SockJSClient> {
  const client = newClient(address, pickTransport(random, transports), message);
  clients.push(client);
  return client.opened(NO_LIMIT);
}

async function pause({ random, signal }: RoleContext, min: number, max: number): Promise<void> {
  await delay(random.integer(min, max), undefined, { signal }).catch(ignore);
}

/** Messages that a client expects. It records the first one that is missing or out of order. */
class Expectation {
  readonly #context: RoleContext;
  readonly #texts: string[] = [];
  #nextBroadcast: number | undefined;
  #floodCount = 0;
  #fault: Error | undefined;

  constructor(context: RoleContext) {
    this.#context = context;
  }

  echo(text: string): void {
    this.#texts.push(text);
  }

  get floodCount(): number {
    return this.#floodCount;
  }

  get isComplete(): boolean {
    return this.#texts.length === 0 || this.#fault !== undefined;
  }

  /** @throws an error if a message was missing, unexpected or out of order */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** Bound, so that it can be passed as a callback. */
  readonly message = (text: string): void => {
    if (text.startsWith('b:')) this.#broadcast(Number(text.slice(2)));
    else if (/^\d+ \.+$/.test(text)) this.#flood(Number.parseInt(text, 10));
    else if (text === this.#texts.shift()) this.#context.count('echoes', 1);
    else this.#fault ??= new Error(`an echo out of order: ${text.slice(0, 50)}`);
  };

  #broadcast(number: number): void {
    const expected = this.#nextBroadcast ?? number;
    if (number !== expected)
      this.#fault ??= new Error(`broadcast ${number} in place of ${expected}`);
    this.#nextBroadcast = number + 1;
    this.#context.count('broadcasts', 1);
  }

  #flood(number: number): void {
    if (number !== this.#floodCount)
      this.#fault ??= new Error(`flood message ${number} in place of ${this.#floodCount}`);
    this.#floodCount += 1;
    this.#context.count('floods', 1);
  }
}

/** @throws an error if the session ends first */
async function unlessClosed<T>(client: SockJSClient, awaited: Promise<T>): Promise<T> {
  const closed = client.closed(NO_LIMIT).then(({ code, reason }): never => {
    throw new Error(`the session ended with ${code} ${reason}`);
  });
  return Promise.race([awaited, closed]);
}

async function allEchoes(client: SockJSClient, expectation: Expectation): Promise<void> {
  const echoes = until(() => expectation.isComplete, 'all echoes', { timeout: ECHO_TIMEOUT_MS });
  await unlessClosed(client, echoes);
  expectation.check();
}

/** Ends the session: in half of the cases by a close of the server. */
async function end(client: SockJSClient, random: SeededRandom): Promise<void> {
  if (random.oneIn(2)) {
    // The close frame may arrive before the response to this request, which ends the request.
    client.send(CLOSE).catch(ignore);
    const { code, reason } = await client.closed(NO_LIMIT);
    if (code !== CLOSE_STATUS.code || reason !== CLOSE_STATUS.reason) {
      throw new Error(`the session was closed with ${code} ${reason}`);
    }
  } else {
    client.leave();
  }
  await client.closed(NO_LIMIT);
}

let sentMessages = 0;

/** Sends messages from time to time, and expects each of them back. */
const healthy: Role = async (context) => {
  const { random, signal } = context;
  const expectation = new Expectation(context);
  const client = await open(context, expectation.message);
  for (let rounds = random.integer(1, 12); rounds > 0 && !signal.aborted; rounds -= 1) {
    await unlessClosed(client, pause(context, 1000, 7000));
    const texts = Array.from(
      { length: random.integer(1, 4) },
      () => `${(sentMessages += 1)}\u2028"<😀`,
    );
    for (const text of texts) expectation.echo(text);
    await unlessClosed(client, client.send(...texts));
    expectation.check();
  }
  await allEchoes(client, expectation);
  await end(client, random);
  expectation.check();
};

/**
 * Requests floods and reads them slowly. Its pauses stay below `disconnectDelay`: a server cannot distinguish a
 * client that leaves a written response unread for longer from one that is gone.
 */
const slow: Role = async (context) => {
  const { random, signal } = context;
  const expectation = new Expectation(context);
  const client = await open(context, expectation.message);
  for (let floods = 1; floods < 6 && !signal.aborted; floods += 1) {
    await unlessClosed(client, client.send(FLOOD));
    while (expectation.floodCount < floods * FLOOD_MESSAGES) {
      client.pause();
      await unlessClosed(client, delay(random.integer(50, 400)));
      client.resume();
      await unlessClosed(client, delay(random.integer(30, 100)));
      expectation.check();
    }
  }
  await end(client, random);
};

/** Requests floods and reads nothing. */
const neverReading: Role = async (context) => {
  const client = await open(context, ignore);
  client.pause();
  try {
    for (let floods = 0; floods < 20 && !context.signal.aborted; floods += 1) {
      await client.send(FLOOD);
      await pause(context, 300, 700);
    }
  } catch {
    // The server has closed the session, as it should.
  }
  client.abort();
};

/** Aborts at any moment. */
const aborting: Role = async (context) => {
  const { address, random, clients } = context;
  const client = newClient(address, pickTransport(random), ignore);
  clients.push(client);
  if (!random.oneIn(4)) {
    await client.opened(NO_LIMIT);
    void client.send('lost', 'lost').catch(ignore);
  }
  await pause(context, 0, 8000);
  client.abort();
};

/** Opens a session and leaves it. */
const leaving: Role = async (context) => {
  const client = await open(context, ignore);
  client.leave();
  await client.closed(NO_LIMIT);
  await pause(context, 1000, 5000);
};

/** Sends inputs of the fuzzer. */
const malformed: Role = async (context) => {
  const { address, random, signal } = context;
  for (let inputs = random.integer(1, 20); inputs > 0 && !signal.aborted; inputs -= 1) {
    const judgements = await play(generate(random), address.port);
    for (const { fault } of judgements) if (fault !== undefined) throw new Error(fault);
    await pause(context, 50, 500);
  }
};

/** Exceeds the limits of a body, after which its session has to work on. */
const excessive: Role = async (context) => {
  const expectation = new Expectation(context);
  const client = await open(context, expectation.message, HTTP_TRANSPORTS);
  const tooLong = JSON.stringify(['x'.repeat(LIMITS.maxMessageBytes)]);
  const tooMany = JSON.stringify(Array.from({ length: LIMITS.maxMessagesPerBody + 1 }, () => ''));
  for (const [body, expected] of [
    [tooLong, 413],
    [tooMany, 413],
    ['[', 500],
  ] as const) {
    const status = await unlessClosed(client, client.post(body));
    if (status !== expected) throw new Error(`the status was ${status} in place of ${expected}`);
    await pause(context, 100, 3000);
  }
  const texts = Array.from({ length: LIMITS.maxMessagesPerBody }, (_, index) => `${index}`);
  for (let bodies = 0; bodies < 4; bodies += 1) {
    for (const text of texts) expectation.echo(text);
    await unlessClosed(client, client.send(...texts)); // The third one exceeds the rate limit.
  }
  await allEchoes(client, expectation);
  await end(client, context.random);
};

export const ROLES = { healthy, slow, neverReading, aborting, leaving, malformed, excessive };
export type RoleName = keyof typeof ROLES;

/** Clients of each role among 100. */
export const SHARES: Readonly<Record<RoleName, number>> = {
  healthy: 72,
  slow: 6,
  neverReading: 2,
  aborting: 7,
  leaving: 6,
  malformed: 4,
  excessive: 3,
};

/** Opens more sessions from one address than it may have. @returns the number of refusals with 503 */
export async function burst(port: number): Promise<number> {
  const address: Address = { port, ip: '10.255.0.1' };
  const count = LIMITS.maxSessionsPerAddress + 100;
  const clients = Array.from({ length: count }, () => newClient(address, XHR, ignore));
  const refused = (event: ClientCloseEvent): boolean => event.status === 503;
  await Promise.all(clients.map((client) => client.opened(NO_LIMIT).catch(ignore)));
  for (const client of clients) client.leave();
  const events = await Promise.all(clients.map((client) => client.closed(NO_LIMIT)));
  return events.filter(refused).length;
}

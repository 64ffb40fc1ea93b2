/** Plays an input on a server, and judges its responses. */
import { setTimeout as delay } from 'node:timers/promises';
import { RawConnection } from '../../testkit/raw-connection.ts';
import type { Input, Step } from './input.ts';
import { type Judgement, judgeResponses } from './response-judge.ts';

/** Wait for a response, in milliseconds. It is short because many requests get none, such as a pending poll. */
const WAIT_MS = 12;
/** The same while only a few inputs are being played. */
const QUICK_WAIT_MS = 2;
const REST_MS = 400;
const MAX_TRICKLED_BYTES = 200;
const MAX_KEPT_BYTES = 512 * 1024;

class PlayedConnection {
  readonly #connection: RawConnection;
  #sent = '';
  #received = '';

  constructor(port: number) {
    this.#connection = new RawConnection({ port, allowHalfOpen: true });
    this.#connection.socket.setNoDelay(true);
  }

  send(data: string): void {
    this.#sent += data;
    this.#connection.write(Buffer.from(data, 'latin1'));
  }

  async trickle(data: string): Promise<void> {
    const slow = data.slice(0, MAX_TRICKLED_BYTES);
    this.#sent += slow;
    await this.#connection.writeSlowly(Buffer.from(slow, 'latin1'));
    this.send(data.slice(MAX_TRICKLED_BYTES));
  }

  /** Waits until bytes have arrived since the last call, or the connection has ended. */
  async receive(wait: number): Promise<void> {
    if (this.#connection.available === 0) await this.#connection.activity(wait);
    this.#keep();
  }

  end(): void {
    this.#connection.end();
  }

  reset(): void {
    this.#connection.abort();
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  /** Resets the connection: after an end its port would stay in use for a minute. */
  close(): Judgement {
    this.#keep();
    this.reset();
    return judgeResponses(this.#received, /head/i.test(this.#sent));
  }

  #keep(): void {
    const data = this.#connection.takeAvailable().toString('latin1');
    this.#received += data.slice(0, MAX_KEPT_BYTES - this.#received.length);
  }
}

let playedCount = 0;

async function perform(step: Step, connection: PlayedConnection, isQuick: boolean): Promise<void> {
  switch (step.do) {
    case 'send':
      return connection.send(step.data);
    case 'trickle':
      return connection.trickle(step.data);
    case 'await':
      return connection.receive(isQuick ? QUICK_WAIT_MS : WAIT_MS);
    case 'rest':
      return delay(isQuick ? 0 : REST_MS);
    case 'end':
      return connection.end();
    case 'reset':
      return connection.reset();
    case 'pause':
      return connection.pause();
    case 'resume':
      return connection.resume();
  }
}

/**
 * @param isQuick shortens the waits, for an input that is played almost alone
 * @returns a judgement for each connection that was used
 */
export async function play(input: Input, port: number, isQuick = false): Promise<Judgement[]> {
  playedCount += 1;
  const session = `f${playedCount}-`;
  const connections = new Map<number, PlayedConnection>();
  let hasRested = false;
  for (const step of input.steps) {
    if (step.do === 'rest' && hasRested) continue;
    hasRested ||= step.do === 'rest';
    const connection = connections.get(step.on) ?? new PlayedConnection(port);
    connections.set(step.on, connection);
    const withSession =
      'data' in step ? { ...step, data: step.data.replaceAll('SESSION', session) } : step;
    await perform(withSession, connection, isQuick);
  }
  const all = [...connections.values()];
  const wait = isQuick ? QUICK_WAIT_MS : WAIT_MS;
  await Promise.all(all.map((connection) => connection.receive(wait)));
  return all.map((connection) => connection.close());
}

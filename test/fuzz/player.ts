/** Plays an input on a server, and reads what comes back. */
import { type Socket, connect } from 'node:net';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { type Reading, readAnswers } from './response-judge.ts';
import type { Input, Step } from './input.ts';

/** In milliseconds. Many answers never come, and that is right: polls, bodies that are cut short. */
const PATIENCE = 12;
/** Where nothing else is going on, an answer that comes comes sooner. */
const HURRIED_PATIENCE = 2;
const REST = 400;
const MOST_TRICKLED = 200;
const MOST_KEPT = 512 * 1024;

class Connection {
  readonly #socket: Socket;
  #sent = '';
  #chunks: string[] = [];
  #received = 0;
  #seen = 0;
  #isOver = false;
  #wake: () => void = () => {};

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.#socket.on('data', (data: Buffer) => {
      if (this.#received < MOST_KEPT) this.#chunks.push(data.toString('latin1'));
      this.#received += data.length;
      this.#wake();
    });
    for (const event of ['error', 'end', 'close']) this.#socket.on(event, () => this.#ended());
  }

  send(data: string): void {
    this.#sent += data;
    if (this.#socket.writable) this.#socket.write(data, 'latin1');
  }

  async trickle(data: string): Promise<void> {
    for (const byte of data.slice(0, MOST_TRICKLED)) {
      this.send(byte);
      await turn();
    }
    this.send(data.slice(MOST_TRICKLED));
  }

  /** Something that has not been seen yet, or the end, or nothing for a while. */
  async answer(patience: number): Promise<void> {
    if (this.#received === this.#seen && !this.#isOver) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patience);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#seen = this.#received;
  }

  end(): void {
    this.#socket.end();
  }

  reset(): void {
    // Node cannot reset what is being ended: the handle would stay.
    if (this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Leaves, and judges what has come. */
  leave(): Reading {
    this.reset(); // An end would keep the port for a minute.
    return readAnswers(this.#chunks.join('').slice(0, MOST_KEPT), /head/i.test(this.#sent));
  }

  #ended(): void {
    this.#isOver = true;
    this.#wake();
  }
}

let played = 0;

async function perform(step: Step, connection: Connection, hurried: boolean): Promise<void> {
  switch (step.do) {
    case 'send':
      return connection.send(step.data);
    case 'trickle':
      return connection.trickle(step.data);
    case 'answer':
      return connection.answer(hurried ? HURRIED_PATIENCE : PATIENCE);
    case 'rest':
      return delay(hurried ? 0 : REST);
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
 * @param hurried whether it is played alone, and only for what it does at once
 * @returns a reading for each connection that was used
 */
export async function play(input: Input, port: number, hurried = false): Promise<Reading[]> {
  played += 1;
  const session = `f${played}-`;
  const connections = new Map<number, Connection>();
  let hasRested = false;
  for (const step of input.steps) {
    if (step.do === 'rest' && hasRested) continue;
    hasRested ||= step.do === 'rest';
    const connection = connections.get(step.on) ?? new Connection(port);
    connections.set(step.on, connection);
    const named =
      'data' in step ? { ...step, data: step.data.replaceAll('SESSION', session) } : step;
    await perform(named, connection, hurried);
  }
  await Promise.all(
    [...connections.values()].map((connection) =>
      connection.answer(hurried ? HURRIED_PATIENCE : PATIENCE),
    ),
  );
  return [...connections.values()].map((connection) => connection.leave());
}

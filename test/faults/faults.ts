/**
 * What networks do, as stages of a relay. Those of the first kind are without loss: they tear the bytes
 * apart and let them wait, and TCP would do the same. The others cut. Where a fault strikes depends on the
 * dice and on how many bytes have passed, and not on the chunks in which they happened to come.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { CutKind, Passage, Sink, Stage } from '../support/relay.ts';
import type { Dice } from './dice.ts';

/** How the bytes of one direction of one connection go on. */
interface Pace {
  /** The most bytes that the next piece has. */
  readonly length: () => number;
  /** For how many milliseconds it waits. */
  readonly delay: () => number;
}

/** Passes on piece by piece. What waits for a turn of the event loop is read by the peer on its own. */
class PacedSink implements Sink {
  readonly #next: Sink;
  readonly #pace: Pace;
  #waiting = Buffer.alloc(0);
  #pieceLeft = 0;
  #ended = false;
  #running = false;

  constructor(next: Sink, pace: Pace) {
    this.#next = next;
    this.#pace = pace;
  }

  write(data: Buffer): void {
    this.#waiting = Buffer.concat([this.#waiting, data]);
    this.#start();
  }

  end(): void {
    this.#ended = true;
    this.#start();
  }

  #start(): void {
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      if (this.#pieceLeft === 0) this.#pieceLeft = this.#pace.length();
      const delay = this.#pace.delay();
      await (delay === 0 ? setImmediate() : setTimeout(delay));
      const piece = this.#waiting.subarray(0, this.#pieceLeft);
      this.#waiting = this.#waiting.subarray(piece.length);
      this.#pieceLeft -= piece.length;
      this.#next.write(piece);
    }
    this.#running = false;
    if (this.#ended) this.#next.end();
  }
}

const never = (): number => 0;
const whole = (): number => Infinity;

/** Both directions of all connections; each of them throws dice of its own. */
function paced(dice: Dice, pace: (dice: Dice) => Pace): Stage {
  return (next, { index }) => new PacedSink(next, pace(dice.of(`connection ${index}`)));
}

export const LOSSLESS = {
  'split at random places': (dice: Dice) =>
    paced(dice, (own) => ({
      length: () => (own.oneIn(3) ? own.between(1, 3) : own.between(4, 90)),
      delay: never,
    })),
  'byte by byte': (dice: Dice) => paced(dice, () => ({ length: () => 1, delay: never })),
  delayed: (dice: Dice) =>
    paced(dice, (own) => ({ length: whole, delay: () => own.between(0, 12) })),
  'stalled now and then': (dice: Dice) =>
    paced(dice, (own) => ({
      length: whole,
      delay: () => (own.oneIn(6) ? own.between(40, 120) : 0),
    })),
} as const satisfies Readonly<Record<string, (dice: Dice) => Stage>>;

/** Lets everything wait while it is shut, in both directions of all connections. */
export class InboundGate {
  #waiting: (() => void)[] | undefined;

  shut(): void {
    this.#waiting ??= [];
  }

  open(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const pass of waiting ?? []) pass();
  }

  readonly stage: Stage = (next) => ({
    write: (data) => this.#pass(() => next.write(data)),
    end: () => this.#pass(() => next.end()),
  });

  #pass(pass: () => void): void {
    if (this.#waiting === undefined) pass();
    else this.#waiting.push(pass);
  }
}

/** `half`: nothing more passes in one direction, and its end is all that the receiver sees of it. */
export type CutWay = CutKind | 'half';

/**
 * Cuts once, before the byte at an offset that counts what passes in one direction over all connections:
 * the connection whose byte that is.
 */
export class Cut {
  #happened = false;
  #left: number;
  readonly #way: CutWay;

  constructor(way: CutWay, offset: number) {
    this.#way = way;
    this.#left = offset;
  }

  get happened(): boolean {
    return this.#happened;
  }

  readonly stage: Stage = (next, passage) => ({
    write: (data) => {
      const passed = this.#happened ? data : data.subarray(0, this.#left);
      next.write(passed);
      this.#left -= passed.length;
      if (passed.length < data.length) this.#strike(next, passage);
    },
    end: () => next.end(),
  });

  #strike(next: Sink, passage: Passage): void {
    this.#happened = true;
    if (this.#way === 'half') next.end();
    else passage.cut(this.#way);
  }
}

/** What no network does, for the proof that it would be noticed. */
export const TAMPERING = {
  'is lost': () => [],
  'comes twice': (chunk: Buffer) => [chunk, chunk],
} as const satisfies Readonly<Record<string, (chunk: Buffer) => readonly Buffer[]>>;

/** Does it to the first chunk after it was armed. */
export class Tampering {
  readonly #tamper: (chunk: Buffer) => readonly Buffer[];
  #state: 'off' | 'armed' | 'done' = 'off';

  constructor(tamper: (chunk: Buffer) => readonly Buffer[]) {
    this.#tamper = tamper;
  }

  arm(): void {
    this.#state = 'armed';
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  readonly stage: Stage = (next) => ({
    write: (data) => {
      const chunks = this.#state === 'armed' ? this.#tamper(data) : [data];
      if (this.#state === 'armed') this.#state = 'done';
      for (const chunk of chunks) next.write(chunk);
    },
    end: () => next.end(),
  });
}

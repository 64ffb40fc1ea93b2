/**
 * Network faults as stages of a relay. Random numbers and the number of bytes that have passed determine a fault. The
 * chunks in which the bytes arrive do not.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { SeededRandom } from './random.ts';
import type { CutKind, RelayedConnection, Sink, Stage } from './tcp-relay.ts';

/** The pace of one direction of one connection. */
interface Pace {
  /** Maximum length of the next piece, in bytes. */
  readonly length: () => number;
  /** Delay before it, in milliseconds. */
  readonly delay: () => number;
}

/** Passes bytes on piece by piece, each in its own turn of the event loop, so that each piece is read separately. */
class PacedSink implements Sink {
  readonly #next: Sink;
  readonly #pace: Pace;
  #pending = Buffer.alloc(0);
  #pieceLeft = 0;
  #hasEnded = false;
  #isRunning = false;

  constructor(next: Sink, pace: Pace) {
    this.#next = next;
    this.#pace = pace;
  }

  write(data: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, data]);
    this.#start();
  }

  end(): void {
    this.#hasEnded = true;
    this.#start();
  }

  #start(): void {
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#pending.length > 0) {
      if (this.#pieceLeft === 0) this.#pieceLeft = this.#pace.length();
      const delay = this.#pace.delay();
      await (delay === 0 ? setImmediate() : setTimeout(delay));
      const piece = this.#pending.subarray(0, this.#pieceLeft);
      this.#pending = this.#pending.subarray(piece.length);
      this.#pieceLeft -= piece.length;
      this.#next.write(piece);
    }
    this.#isRunning = false;
    if (this.#hasEnded) this.#next.end();
  }
}

const noDelay = (): number => 0;
const unlimited = (): number => Infinity;

/** Returns a stage that paces each direction of each connection with its own sequence of random numbers. */
function paced(random: SeededRandom, paceOf: (random: SeededRandom) => Pace): Stage {
  return (next, { index }) => new PacedSink(next, paceOf(random.fork(`connection ${index}`)));
}

/** Faults without loss, which TCP allows. */
export const LOSSLESS_FAULTS = {
  'split at random places': (random: SeededRandom) =>
    paced(random, (own) => ({
      length: () => (own.oneIn(3) ? own.integer(1, 3) : own.integer(4, 90)),
      delay: noDelay,
    })),
  'byte by byte': (random: SeededRandom) =>
    paced(random, () => ({ length: () => 1, delay: noDelay })),
  delayed: (random: SeededRandom) =>
    paced(random, (own) => ({ length: unlimited, delay: () => own.integer(0, 12) })),
  'stalled now and then': (random: SeededRandom) =>
    paced(random, (own) => ({
      length: unlimited,
      delay: () => (own.oneIn(6) ? own.integer(40, 120) : 0),
    })),
} as const satisfies Readonly<Record<string, (random: SeededRandom) => Stage>>;

/** Buffers all bytes while it is stalled, in both directions of all connections. */
export class StallingStage {
  #held: (() => void)[] | undefined;

  stall(): void {
    this.#held ??= [];
  }

  resume(): void {
    const held = this.#held;
    this.#held = undefined;
    for (const pass of held ?? []) pass();
  }

  readonly stage: Stage = (next) => ({
    write: (data) => this.#pass(() => next.write(data)),
    end: () => this.#pass(() => next.end()),
  });

  #pass(pass: () => void): void {
    if (this.#held === undefined) pass();
    else this.#held.push(pass);
  }
}

/** `half` ends only one direction, and drops its further bytes. */
export type CutMode = CutKind | 'half';

/** Cuts one connection before the byte at an offset, which counts the bytes of all connections in one direction. */
export class CuttingStage {
  #hasCut = false;
  #left: number;
  readonly #mode: CutMode;

  constructor(mode: CutMode, offset: number) {
    this.#mode = mode;
    this.#left = offset;
  }

  get hasCut(): boolean {
    return this.#hasCut;
  }

  readonly stage: Stage = (next, connection) => ({
    write: (data) => {
      const passed = this.#hasCut ? data : data.subarray(0, this.#left);
      next.write(passed);
      this.#left -= passed.length;
      if (passed.length < data.length) this.#cut(next, connection);
    },
    end: () => next.end(),
  });

  #cut(next: Sink, connection: RelayedConnection): void {
    this.#hasCut = true;
    if (this.#mode === 'half') next.end();
    else connection.cut(this.#mode);
  }
}

/** Faults that TCP prevents, to prove that a test detects them. */
export const TAMPERING = {
  'is lost': () => [],
  'comes twice': (chunk: Buffer) => [chunk, chunk],
} as const satisfies Readonly<Record<string, (chunk: Buffer) => readonly Buffer[]>>;

/** Tampers with the first chunk after `arm`. */
export class TamperingStage {
  readonly #tamper: (chunk: Buffer) => readonly Buffer[];
  #state: 'off' | 'armed' | 'done' = 'off';

  constructor(tamper: (chunk: Buffer) => readonly Buffer[]) {
    this.#tamper = tamper;
  }

  arm(): void {
    this.#state = 'armed';
  }

  get hasTampered(): boolean {
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

import { randomBytes } from 'node:crypto';
import type { Engine } from './engine.ts';

const INCARNATION_KEY = 'incarnation';
const SECRET_KEY = 'secret';
const SECRET_BYTES = 32;

/** Records are renewed when a third of their lifetime has passed. */
const RENEWAL_INTERVAL_MS = 20 * 60 * 1000;

function random(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/** Records that all nodes share. Each node stores them again if the engine has lost them. */
export class SharedRecords {
  readonly #engine: Engine;
  #incarnation = '';
  #secret: string = random();
  #renewed = -Infinity;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Changes when the engine has lost its records. */
  get incarnation(): string {
    return this.#incarnation;
  }

  /** Secret with which nodes authenticate to each other. */
  get secret(): string {
    return this.#secret;
  }

  /** Reads the records, and stores those that are missing. */
  async read(): Promise<void> {
    const [incarnation, secret] = await Promise.all([
      this.#engine.create('cluster', INCARNATION_KEY, random()),
      this.#engine.create('cluster', SECRET_KEY, this.#secret),
    ]);
    this.#incarnation = incarnation;
    this.#secret = secret;
  }

  /** Renews the records when it is time. */
  async renew(now: number): Promise<void> {
    if (now - this.#renewed < RENEWAL_INTERVAL_MS) return;
    this.#renewed = now;
    const records = [
      [INCARNATION_KEY, this.#incarnation],
      [SECRET_KEY, this.#secret],
    ] as const;
    await this.#engine.keep('cluster', new Map(records));
  }
}

/** Two thousand clients at once: whenever one has left, another comes, with a role of its own. */
import { setTimeout as delay } from 'node:timers/promises';
import { SeededRandom } from '../../testkit/random.ts';
import type { ConnectionBackend } from './link.ts';
import { type Part, ROLES, type RoleName, SHARES, burst } from './roles.ts';

/** Clients of one address: as behind a proxy of a company. */
const CLIENTS_PER_ADDRESS = 50;
const RAMP = 10_000;
const BURST_EVERY = 30_000;

const DECK = Object.entries(SHARES).flatMap(([name, share]) =>
  Array.from({ length: share }, () => name),
) as [RoleName, ...RoleName[]];

export interface LoadOptions {
  readonly port: number;
  readonly clients: number;
  readonly seed: string;
}

export class Load {
  readonly #options: LoadOptions;
  readonly #stopping = new AbortController();
  readonly #slots: readonly Promise<void>[];
  readonly counts = { echoes: 0, broadcasts: 0, floods: 0, refusedInBursts: 0 };
  readonly clients: Record<string, number> = {};
  /** What must not happen to a client that keeps to the protocol. */
  readonly faults: string[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
    const slots = Array.from({ length: options.clients }, (_, index) => this.#occupy(index));
    this.#slots = [...slots, this.#burst()];
  }

  /** Everybody says goodbye. */
  async end(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#slots);
  }

  async #pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  async #occupy(index: number): Promise<void> {
    const { port, seed } = this.#options;
    const { signal } = this.#stopping;
    const address = `10.0.0.${1 + Math.floor(index / CLIENTS_PER_ADDRESS)}`;
    const random = new SeededRandom(`${seed}/${index}`);
    const count: Part['count'] = (what, messages) => {
      this.counts[what] += messages;
    };
    await this.#pause(random.integer(0, RAMP));
    while (!signal.aborted) {
      const role = random.pick(DECK);
      this.clients[role] = (this.clients[role] ?? 0) + 1;
      const links: ConnectionBackend[] = [];
      try {
        await ROLES[role]({ place: { port, address }, random, signal, count, links });
      } catch (error) {
        this.faults.push(`${role}: ${error instanceof Error ? error.message : String(error)}`);
        await this.#pause(1000);
      } finally {
        for (const link of links) link.abort();
      }
    }
  }

  async #burst(): Promise<void> {
    for (;;) {
      await this.#pause(BURST_EVERY);
      if (this.#stopping.signal.aborted) return;
      this.counts.refusedInBursts += await burst(this.#options.port);
    }
  }
}

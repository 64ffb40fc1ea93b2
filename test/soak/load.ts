/** A constant number of clients. When one has ended, another with a random role takes its place. */
import { setTimeout as delay } from 'node:timers/promises';
import { SeededRandom } from '../../testkit/random.ts';
import type { SockJSClient } from '../../testkit/sockjs-client.ts';
import { ROLES, type RoleContext, type RoleName, SHARES, burst } from './roles.ts';

/** Clients that share an address, as behind the proxy of a company. */
const CLIENTS_PER_ADDRESS = 50;
/** Time in which all clients start. */
const RAMP_MS = 10_000;
const BURST_INTERVAL_MS = 30_000;

const WEIGHTED_ROLES = Object.entries(SHARES).flatMap(([name, share]) =>
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
  /** Failures of clients that keep to the protocol. */
  readonly faults: string[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
    const slots = Array.from({ length: options.clients }, (_, index) => this.#occupy(index));
    this.#slots = [...slots, this.#burst()];
  }

  /** Ends all sessions. */
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
    const ip = `10.0.0.${1 + Math.floor(index / CLIENTS_PER_ADDRESS)}`;
    const random = new SeededRandom(`${seed}/${index}`);
    const count: RoleContext['count'] = (kind, messages) => {
      this.counts[kind] += messages;
    };
    await this.#pause(random.integer(0, RAMP_MS));
    while (!signal.aborted) {
      const role = random.pick(WEIGHTED_ROLES);
      this.clients[role] = (this.clients[role] ?? 0) + 1;
      const clients: SockJSClient[] = [];
      try {
        await ROLES[role]({ address: { port, ip }, random, signal, count, clients });
      } catch (error) {
        this.faults.push(`${role}: ${error instanceof Error ? error.message : String(error)}`);
        await this.#pause(1000);
      } finally {
        for (const client of clients) client.abort();
      }
    }
  }

  async #burst(): Promise<void> {
    for (;;) {
      await this.#pause(BURST_INTERVAL_MS);
      if (this.#stopping.signal.aborted) return;
      this.counts.refusedInBursts += await burst(this.#options.port);
    }
  }
}

/** Counts the commands that sessions cause in Redis, without those of the heartbeats of nodes. */
import { createClient } from 'redis';
import { until } from './until.ts';

export interface SessionCommands {
  readonly claims: number;
  readonly lookups: number;
  readonly releases: number;
  /** Messages of topics. Nodes publish further messages, a few per heartbeat, which count here too. */
  readonly publishes: number;
}

/** Calls of each command by its name, with those of scripts. */
type Calls = ReadonlyMap<string, number>;

function parseCommandStats(info: string): Calls {
  const lines = info.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm);
  return new Map([...lines].map(([, name = '', calls]) => [name, Number(calls)]));
}

/** Records that each node renews with its first heartbeat. */
const SHARED_RECORDS = 2;

/** The part of a client that is used. */
interface Client {
  info(section: string): Promise<string>;
  destroy(): void;
}

export class RedisCommands {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async connect(url: string): Promise<RedisCommands> {
    const client = createClient({ url });
    await client.connect();
    return new RedisCommands(client);
  }

  /** Waits for the first heartbeat of each node. */
  async heartbeats(members: number): Promise<void> {
    const hasBeaten = async (): Promise<boolean> =>
      ((await this.#calls()).get('pexpire') ?? 0) >= SHARED_RECORDS * members;
    await until(hasBeaten, 'the first heartbeats');
  }

  /** CPU time of Redis in microseconds. */
  async cpuTime(): Promise<number> {
    const info = await this.#client.info('cpu');
    const seconds = ['user', 'sys'].map((part) =>
      Number(new RegExp(`^used_cpu_${part}:([\\d.]+)`, 'm').exec(info)?.[1]),
    );
    return 1e6 * seconds.reduce((sum, part) => sum + part, 0);
  }

  /**
   * Counts the commands while a function runs. Each heartbeat is a script with one `SMEMBERS`, one `SET`, and one `GET`
   * for each member. A release is a script with one `GET`. Wait for `heartbeats` first.
   * @param members number of nodes, which must not change
   */
  async during(members: number, run: () => Promise<unknown>): Promise<SessionCommands> {
    const before = await this.#calls();
    await run();
    const after = await this.#calls();
    const calls = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    const heartbeats = calls('smembers');
    const releases = calls('eval') - heartbeats;
    return {
      claims: calls('set') - heartbeats,
      lookups: calls('get') - members * heartbeats - releases,
      releases,
      publishes: calls('publish') - heartbeats, // One probe per heartbeat.
    };
  }

  close(): void {
    this.#client.destroy();
  }

  async #calls(): Promise<Calls> {
    return parseCommandStats(await this.#client.info('commandstats'));
  }
}

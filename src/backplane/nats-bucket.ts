/** A bucket of JetStream, which stores the records of one kind. */
import type { StreamAPI } from '@nats-io/jetstream';
import type { KV, KvEntry, Kvm } from '@nats-io/kv';

/** Keys and subjects allow few characters, and none of them is special in base64url. */
export function encodeToken(text: string): string {
  // An empty token is not allowed either.
  return `_${Buffer.from(text).toString('base64url')}`;
}

function decodeToken(token: string): string {
  return Buffer.from(token.slice(1), 'base64url').toString();
}

/** The value of an entry, or undefined if it was removed. */
export function valueOf(entry: KvEntry | null): string | undefined {
  return entry?.operation === 'PUT' ? entry.string() : undefined;
}

export class NatsBucket {
  readonly kv: KV;
  readonly #name: string;
  readonly #streams: StreamAPI;

  private constructor(kv: KV, name: string, streams: StreamAPI) {
    this.kv = kv;
    this.#name = name;
    this.#streams = streams;
  }

  /** Opens a bucket, and creates it if it is missing. @param ttl lifetime of its records in milliseconds */
  static async open(manager: Kvm, name: string, ttl: number): Promise<NatsBucket> {
    const [kv, { streams }] = await Promise.all([
      manager.create(name, { history: 1, ttl }),
      manager.js.jetstreamManager(false),
    ]);
    return new NatsBucket(kv, name, streams);
  }

  /**
   * Reads all records below a key. It does not use the consumers of `KV`, since a consumer stalls for seconds if a
   * record is replaced meanwhile.
   */
  async readAll(prefix: string): Promise<ReadonlyMap<string, string>> {
    const root = `$KV.${this.#name}.`;
    const filter = { subjects_filter: `${root}${prefix}.*` };
    const { state } = await this.#streams.info(`KV_${this.#name}`, filter);
    const keys = Object.keys(state.subjects ?? {}).map((subject) => subject.slice(root.length));
    const entries = await Promise.all(keys.map((key) => this.kv.get(key)));
    const records = new Map<string, string>();
    for (const [index, key] of keys.entries()) {
      const value = valueOf(entries[index] ?? null);
      if (value !== undefined) records.set(decodeToken(key.slice(prefix.length + 1)), value);
    }
    return records;
  }
}

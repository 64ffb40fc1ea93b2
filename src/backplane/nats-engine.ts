import { Kvm } from '@nats-io/kv';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { SockJSError } from '../base/errors.ts';
import {
  type Engine,
  type EngineListener,
  NO_ENGINE_LISTENER,
  RECORD_TTL_MS,
  type RecordKind,
} from './engine.ts';
import { NatsBucket, encodeToken, valueOf } from './nats-bucket.ts';

/** Longer messages are split, also if the server allows more. */
const MAX_PUBLISH_BYTES = 1024 * 1024;

/** Code of JetStream for a key that has another revision than expected. */
const WRONG_REVISION = 10_071;

const MEMBER_KEY = 'member';

const CLOSED =
  'The connection to NATS is closed. Pass `maxReconnectAttempts: -1` to connect(), so that it does not give up.';

type Buckets = Readonly<Record<RecordKind, NatsBucket>>;

function ignore(): void {}

function isConflict(error: unknown): boolean {
  return Reflect.get(Object(error), 'code') === WRONG_REVISION;
}

/** The engine for NATS with JetStream. It uses the connection of the application. */
export class NatsEngine implements Engine {
  readonly maxPublishBytes: number;
  readonly #connection: NatsConnection;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Rejects each pending operation. */
  readonly #pending = new Set<(error: Error) => void>();
  /** Undefined until an operation opens them. */
  #buckets: Promise<Buckets> | undefined;
  #lastFlush: Promise<void> = Promise.resolve();
  #nextFlush: Promise<void> | undefined;
  #listener: EngineListener = NO_ENGINE_LISTENER;
  #namespace = '';
  #isConnected = true;
  #isClosed = false;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
    const limit = connection.info?.max_payload ?? MAX_PUBLISH_BYTES;
    this.maxPublishBytes = Math.min(limit, MAX_PUBLISH_BYTES);
  }

  async connect(namespace: string, listener: EngineListener): Promise<void> {
    this.#namespace = namespace;
    this.#buckets = this.#openBuckets();
    await this.#buckets;
    this.#listener = listener;
    void this.#watchStatus();
  }

  async create(kind: RecordKind, key: string, value: string): Promise<string> {
    try {
      await this.#use(kind, (bucket) => bucket.kv.create(encodeToken(key), value));
      return value;
    } catch (error) {
      if (!isConflict(error)) throw error;
      const stored = await this.read(kind, key);
      // The record may have expired between the two.
      return stored ?? this.create(kind, key, value);
    }
  }

  async read(kind: RecordKind, key: string): Promise<string | undefined> {
    return valueOf(await this.#use(kind, (bucket) => bucket.kv.get(encodeToken(key))));
  }

  async replace(
    kind: RecordKind,
    key: string,
    current: string,
    next: string | undefined,
    ttl: number,
  ): Promise<void> {
    const isReplaced = await this.#use(kind, async (bucket) => {
      const entry = await bucket.kv.get(encodeToken(key));
      if (entry === null || valueOf(entry) !== current) return false;
      const { revision } = entry;
      if (next === undefined) await bucket.kv.delete(encodeToken(key), { previousSeq: revision });
      else await bucket.kv.update(encodeToken(key), next, revision);
      return true;
    });
    if (!isReplaced || next === undefined) return;
    // Buckets have one lifetime for all records. A record whose node is gone keeps that of its bucket.
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.replace(kind, key, next, undefined, 0).catch(ignore);
    }, ttl);
    this.#timers.add(timer.unref());
  }

  async keep(kind: RecordKind, records: ReadonlyMap<string, string>): Promise<readonly string[]> {
    const keep = async ([key, value]: readonly [string, string]): Promise<string[]> => {
      if ((await this.create(kind, key, value)) !== value) return [key];
      try {
        const entry = await this.#use(kind, (bucket) => bucket.kv.get(encodeToken(key)));
        if (entry === null || valueOf(entry) !== value) return [key];
        await this.#use(kind, (bucket) =>
          bucket.kv.update(encodeToken(key), value, entry.revision),
        );
        return [];
      } catch (error) {
        if (!isConflict(error)) throw error;
        // Another node has renewed the same value, or taken the key.
        return (await this.read(kind, key)) === value ? [] : [key];
      }
    };
    return (await Promise.all([...records].map(keep))).flat();
  }

  keepMember(node: string, card: string): Promise<ReadonlyMap<string, string>> {
    return this.#use('member', async (bucket) => {
      await bucket.kv.put(`${MEMBER_KEY}.${encodeToken(node)}`, card);
      return bucket.readAll(MEMBER_KEY);
    });
  }

  async removeMember(node: string): Promise<void> {
    await this.#use('member', (bucket) => bucket.kv.delete(`${MEMBER_KEY}.${encodeToken(node)}`));
  }

  async writeFields(key: string, changes: ReadonlyMap<string, string | undefined>): Promise<void> {
    await this.#use('facts', async (bucket) => {
      const write = async ([field, value]: readonly [
        string,
        string | undefined,
      ]): Promise<void> => {
        const path = `${encodeToken(key)}.${encodeToken(field)}`;
        if (value === undefined) await bucket.kv.delete(path);
        else await bucket.kv.put(path, value);
      };
      await Promise.all([...changes].map(write));
    });
  }

  readFields(key: string): Promise<ReadonlyMap<string, string>> {
    return this.#use('facts', (bucket) => bucket.readAll(encodeToken(key)));
  }

  async replaceFields(key: string, fields: ReadonlyMap<string, string>): Promise<void> {
    const stored = await this.readFields(key);
    // Only now, since `fields` may have changed.
    const changes = new Map<string, string | undefined>(fields);
    for (const field of stored.keys()) if (!fields.has(field)) changes.set(field, undefined);
    await this.writeFields(key, changes);
  }

  async publish(topic: string, data: string): Promise<void> {
    this.#requireConnection();
    this.#connection.publish(this.#subject(topic), data);
    await this.#flush();
  }

  async subscribe(topic: string): Promise<void> {
    this.#requireConnection();
    if (!this.#subscriptions.has(topic)) this.#open(topic);
    await this.#connection.flush();
  }

  async unsubscribe(topic: string): Promise<void> {
    this.#subscriptions.get(topic)?.unsubscribe();
    this.#subscriptions.delete(topic);
  }

  async resubscribe(): Promise<void> {
    const topics = [...this.#subscriptions.keys()];
    for (const subscription of this.#subscriptions.values()) subscription.unsubscribe();
    for (const topic of topics) this.#open(topic);
    await this.#connection.flush();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listener = NO_ENGINE_LISTENER;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const subscription of this.#subscriptions.values()) subscription.unsubscribe();
  }

  /**
   * Waits until the server has received everything, so that the limits of pending messages apply. Calls during a flush
   * share the next one.
   */
  #flush(): Promise<void> {
    this.#nextFlush ??= this.#lastFlush.catch(ignore).then(() => {
      this.#nextFlush = undefined;
      this.#lastFlush = this.#untilDisconnected(() => this.#connection.flush());
      return this.#lastFlush;
    });
    return this.#nextFlush;
  }

  #open(topic: string): void {
    const subscription = this.#connection.subscribe(this.#subject(topic), {
      callback: (error, message) => {
        if (error === null) this.#listener.onMessage(topic, message.string());
      },
    });
    this.#subscriptions.set(topic, subscription);
  }

  async #openBuckets(): Promise<Buckets> {
    const manager = new Kvm(this.#connection);
    const open = (kind: RecordKind): Promise<NatsBucket> =>
      NatsBucket.open(manager, `${this.#namespace}-${kind}`, RECORD_TTL_MS[kind]);
    const [claim, cluster, facts, member] = await Promise.all([
      open('claim'),
      open('cluster'),
      open('facts'),
      open('member'),
    ]);
    return { claim, cluster, facts, member };
  }

  async #watchStatus(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (this.#isClosed) return;
      if (type === 'disconnect') {
        this.#isConnected = false;
        this.#rejectPending();
        this.#listener.onDown();
      } else if (type === 'reconnect') {
        this.#isConnected = true;
        this.#listener.onUp();
      }
    }
  }

  /** After a disconnection, the client would let a request wait for its timeout. */
  #rejectPending(): void {
    const error = new SockJSError('ERR_BACKPLANE', 'The connection to NATS was lost.');
    for (const reject of this.#pending) reject(error);
    // A restarted server may have lost the buckets.
    this.#buckets = undefined;
  }

  /** Calls an operation with a bucket. */
  async #use<Value>(
    kind: RecordKind,
    operation: (bucket: NatsBucket) => Promise<Value>,
  ): Promise<Value> {
    this.#requireConnection();
    this.#buckets ??= this.#openBuckets();
    const opened = this.#buckets;
    try {
      return await this.#untilDisconnected(async () => operation((await opened)[kind]));
    } catch (error) {
      // The buckets may be missing. The next operation opens them again.
      if (!isConflict(error) && this.#buckets === opened) this.#buckets = undefined;
      throw error;
    }
  }

  /** Rejects when the connection is lost before the operation has settled. */
  #untilDisconnected<Value>(operation: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      operation()
        .then(resolve, reject)
        .finally(() => this.#pending.delete(reject));
    });
  }

  /** While it reconnects, the client would queue messages without a limit. */
  #requireConnection(): void {
    if (this.#connection.isClosed()) throw new SockJSError('ERR_BACKPLANE', CLOSED);
    if (this.#isConnected) return;
    throw new SockJSError('ERR_BACKPLANE', 'The connection to NATS is lost.');
  }

  #subject(topic: string): string {
    return `${this.#namespace}.topic.${encodeToken(topic)}`;
  }
}

/** The engine for several nodes in one process: for tests, and for trying out a cluster. */
import { describeType } from '../base/describe-value.ts';
import { SockJSError } from '../base/errors.ts';
import type { Backplane } from './backplane.ts';
import { EngineBackplane } from './engine-backplane.ts';
import {
  type Engine,
  type EngineListener,
  NO_ENGINE_LISTENER,
  RECORD_TTL_MS,
  type RecordKind,
} from './engine.ts';

const MAX_PUBLISH_BYTES = 1024 * 1024;

/** Values that expire. */
class ExpiringMap<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly timer: NodeJS.Timeout }>();

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** @param ttl lifetime in milliseconds */
  set(key: string, value: Value, ttl: number): void {
    this.delete(key);
    const timer = setTimeout(() => this.#entries.delete(key), ttl).unref();
    this.#entries.set(key, { value, timer });
  }

  delete(key: string): void {
    clearTimeout(this.#entries.get(key)?.timer);
    this.#entries.delete(key);
  }

  clear(): void {
    for (const key of this.keys()) this.delete(key);
  }
}

/** Records and topics that nodes share. */
export class MemoryHub {
  readonly records = new ExpiringMap<string>();
  readonly members = new ExpiringMap<string>();
  readonly fields = new ExpiringMap<Map<string, string>>();
  readonly subscribers = new Map<string, Set<EngineListener>>();

  /** Removes all records, as an engine does that is restarted. */
  clear(): void {
    this.records.clear();
    this.members.clear();
    this.fields.clear();
  }
}

/** One node's access to a hub. */
export class MemoryEngine implements Engine {
  readonly maxPublishBytes: number = MAX_PUBLISH_BYTES;
  readonly #hub: MemoryHub;
  readonly #topics = new Set<string>();
  #namespace = '';
  #listener: EngineListener = NO_ENGINE_LISTENER;

  constructor(hub: MemoryHub) {
    this.#hub = hub;
  }

  async connect(namespace: string, listener: EngineListener): Promise<void> {
    this.#namespace = namespace;
    this.#listener = listener;
  }

  async create(kind: RecordKind, key: string, value: string): Promise<string> {
    const path = this.#path(kind, key);
    const stored = this.#hub.records.get(path);
    if (stored === undefined) this.#hub.records.set(path, value, RECORD_TTL_MS[kind]);
    return stored ?? value;
  }

  async read(kind: RecordKind, key: string): Promise<string | undefined> {
    return this.#hub.records.get(this.#path(kind, key));
  }

  async replace(
    kind: RecordKind,
    key: string,
    current: string,
    next: string | undefined,
    ttl: number,
  ): Promise<void> {
    const path = this.#path(kind, key);
    if (this.#hub.records.get(path) !== current) return;
    if (next === undefined) this.#hub.records.delete(path);
    else this.#hub.records.set(path, next, ttl);
  }

  async keep(kind: RecordKind, records: ReadonlyMap<string, string>): Promise<readonly string[]> {
    const taken: string[] = [];
    for (const [key, value] of records) {
      const path = this.#path(kind, key);
      const stored = this.#hub.records.get(path) ?? value;
      if (stored === value) this.#hub.records.set(path, value, RECORD_TTL_MS[kind]);
      else taken.push(key);
    }
    return taken;
  }

  async keepMember(node: string, card: string): Promise<ReadonlyMap<string, string>> {
    this.#hub.members.set(this.#path('member', node), card, RECORD_TTL_MS.member);
    const prefix = this.#path('member', '');
    const members = new Map<string, string>();
    for (const path of this.#hub.members.keys()) {
      const value = path.startsWith(prefix) ? this.#hub.members.get(path) : undefined;
      if (value !== undefined) members.set(path.slice(prefix.length), value);
    }
    return members;
  }

  async removeMember(node: string): Promise<void> {
    this.#hub.members.delete(this.#path('member', node));
  }

  async writeFields(key: string, changes: ReadonlyMap<string, string | undefined>): Promise<void> {
    const path = this.#path('facts', key);
    const fields = new Map(this.#hub.fields.get(path));
    for (const [field, value] of changes) {
      if (value === undefined) fields.delete(field);
      else fields.set(field, value);
    }
    if (fields.size === 0) this.#hub.fields.delete(path);
    else this.#hub.fields.set(path, fields, RECORD_TTL_MS.facts);
  }

  async readFields(key: string): Promise<ReadonlyMap<string, string>> {
    return this.#hub.fields.get(this.#path('facts', key)) ?? new Map();
  }

  async replaceFields(key: string, fields: ReadonlyMap<string, string>): Promise<void> {
    const path = this.#path('facts', key);
    if (fields.size === 0) this.#hub.fields.delete(path);
    else this.#hub.fields.set(path, new Map(fields), RECORD_TTL_MS.facts);
  }

  async publish(topic: string, data: string): Promise<void> {
    const path = this.#topic(topic);
    for (const listener of this.#hub.subscribers.get(path) ?? [])
      queueMicrotask(() => listener.onMessage(topic, data));
  }

  async subscribe(topic: string): Promise<void> {
    const path = this.#topic(topic);
    this.#topics.add(topic);
    const listeners = this.#hub.subscribers.get(path) ?? new Set();
    this.#hub.subscribers.set(path, listeners.add(this.#listener));
  }

  async unsubscribe(topic: string): Promise<void> {
    const path = this.#topic(topic);
    this.#topics.delete(topic);
    const listeners = this.#hub.subscribers.get(path);
    listeners?.delete(this.#listener);
    if (listeners?.size === 0) this.#hub.subscribers.delete(path);
  }

  async resubscribe(): Promise<void> {
    await Promise.all([...this.#topics].map((topic) => this.subscribe(topic)));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#topics].map((topic) => this.unsubscribe(topic)));
  }

  #path(kind: RecordKind, key: string): string {
    return `${this.#namespace} ${kind} ${key}`;
  }

  #topic(topic: string): string {
    return `${this.#namespace} ${topic}`;
  }
}

/**
 * Creates the backplane of one node. Nodes with the same hub form a cluster within this process.
 *
 * ```ts
 * const hub = new MemoryHub();
 * const one = createCluster({ backplane: memoryBackplane(hub), listen: { host: '127.0.0.1' } });
 * const two = createCluster({ backplane: memoryBackplane(hub), listen: { host: '127.0.0.1' } });
 * ```
 *
 * @throws SockJSError `ERR_ARGUMENT` if the value is not a `MemoryHub`
 */
export function memoryBackplane(hub: MemoryHub): Backplane {
  if (!(hub instanceof MemoryHub)) {
    const text = `memoryBackplane(hub) takes a hub that the nodes share, new MemoryHub(), not ${describeType(hub)}.`;
    throw new SockJSError('ERR_ARGUMENT', text);
  }
  return new EngineBackplane(new MemoryEngine(hub));
}

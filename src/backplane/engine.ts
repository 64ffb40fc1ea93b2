/**
 * Stores of expiring records, and topics, which an engine provides. Renewal, recovery, numbering and splitting of
 * messages are in `EngineBackplane`, so that an engine is a thin adapter.
 */

/** Each kind of record has its own keys and its own lifetime. */
export type RecordKind = 'claim' | 'cluster' | 'facts' | 'member';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Lifetime of a record that is not renewed, in milliseconds. */
export const RECORD_TTL_MS: Readonly<Record<RecordKind, number>> = {
  claim: 60 * MINUTE,
  cluster: 60 * MINUTE,
  facts: 60 * SECOND,
  member: 10 * SECOND,
};

export interface EngineListener {
  /** Called with each message of a subscribed topic. */
  onMessage(topic: string, data: string): void;
  /** Called when the engine has dropped messages of subscribed topics. */
  onMissed(): void;
  /** Called when the engine is connected again and its subscriptions are restored. */
  onUp(): void;
  /** Called when the connection to the engine is lost. */
  onDown(): void;
}

function ignore(): void {}

/** Listener of an engine that is not connected. */
export const NO_ENGINE_LISTENER: EngineListener = {
  onMessage: ignore,
  onMissed: ignore,
  onUp: ignore,
  onDown: ignore,
};

/** Every promise rejects if the engine cannot be reached. None needs a timeout of its own. */
export interface Engine {
  /** Longest message that `publish` carries, in bytes of UTF-8. */
  readonly maxPublishBytes: number;

  /** @param namespace prefix of all keys and topics */
  connect(namespace: string, listener: EngineListener): Promise<void>;
  /** Stores a record unless the key exists. Returns the stored value. */
  create(kind: RecordKind, key: string, value: string): Promise<string>;
  read(kind: RecordKind, key: string): Promise<string | undefined>;
  /**
   * Replaces or removes a record, if its value is `current`.
   * @param next undefined removes the record
   * @param ttl lifetime of the new record in milliseconds
   */
  replace(
    kind: RecordKind,
    key: string,
    current: string,
    next: string | undefined,
    ttl: number,
  ): Promise<void>;
  /**
   * Renews records, and stores those that are missing.
   * @returns the keys that have another value
   */
  keep(kind: RecordKind, records: ReadonlyMap<string, string>): Promise<readonly string[]>;
  /** Stores or replaces the record of a member, and returns the records of all members. */
  keepMember(node: string, card: string): Promise<ReadonlyMap<string, string>>;
  removeMember(node: string): Promise<void>;
  /**
   * Sets and removes fields, and renews the set of fields.
   * @param changes fields, of which those with undefined are removed
   */
  writeFields(key: string, changes: ReadonlyMap<string, string | undefined>): Promise<void>;
  readFields(key: string): Promise<ReadonlyMap<string, string>>;
  /**
   * Replaces the set of fields. An empty set is removed.
   * @param fields may change meanwhile, each time together with a call of `writeFields`, which is not undone
   */
  replaceFields(key: string, fields: ReadonlyMap<string, string>): Promise<void>;
  /** Publishes to all subscribers, this node included. */
  publish(topic: string, data: string): Promise<void>;
  subscribe(topic: string): Promise<void>;
  unsubscribe(topic: string): Promise<void>;
  /** Replaces the connection of the subscriptions, which delivers nothing although it seems to be open. */
  resubscribe(): Promise<void>;
  close(): Promise<void>;
}

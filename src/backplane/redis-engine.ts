import {
  type Engine,
  type EngineListener,
  NO_ENGINE_LISTENER,
  RECORD_TTL_MS,
  type RecordKind,
} from './engine.ts';
import { type RedisClient, type RedisConnection, createConnection } from './redis-connection.ts';
import { withDeadline } from './with-deadline.ts';

/** Longer messages are split, since Redis closes the connection of a subscriber that falls 32 MiB behind. */
const MAX_PUBLISH_BYTES = 1024 * 1024;

/** Time without a successful command after which the connections are replaced: their host may be gone without a reset. */
const MAX_SILENCE_MS = 5000;

/** Replaces a record that has a certain value. An empty new value removes it. */
const REPLACE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`;

/** Stores a member, and returns all members that have not expired. */
const KEEP_MEMBER = `
redis.call('SET', KEYS[1] .. ':' .. ARGV[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[1], ARGV[1])
local members = {}
for _, node in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local card = redis.call('GET', KEYS[1] .. ':' .. node)
  if card then
    members[#members + 1] = node
    members[#members + 1] = card
  else
    redis.call('SREM', KEYS[1], node)
  end
end
return members`;

/** Replaces all fields. */
const REPLACE_FIELDS = `
redis.call('DEL', KEYS[1])
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[1])`;

/** Sets and removes fields. The set gets its lifetime with its first field, or it would outlive its node. */
const WRITE_FIELDS = `
local set = tonumber(ARGV[2])
for i = 3, 2 + 2 * set, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = 3 + 2 * set, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[1])`;

function toMap(pairs: unknown): Map<string, string> {
  const map = new Map<string, string>();
  if (Array.isArray(pairs))
    for (let index = 0; index + 1 < pairs.length; index += 2)
      map.set(String(pairs[index]), String(pairs[index + 1]));
  return map;
}

/** Returns field and value alternately. `HGETALL` would return another type with each client and protocol version. */
const READ_FIELDS = `return redis.call('HGETALL', KEYS[1])`;

function ignore(): void {}

/** The error for a host with several addresses has no message. */
function describeCause(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describeCause).join(', ');
  return error instanceof Error ? error.message : String(error);
}

/** The engine for Redis 7 or later. It opens two connections: one for commands, one for subscriptions. */
export class RedisEngine implements Engine {
  readonly maxPublishBytes: number = MAX_PUBLISH_BYTES;
  readonly #client: RedisClient;
  readonly #topics = new Set<string>();
  /** Topics to which the client subscribes again when it reconnects. */
  readonly #subscribed = new Set<string>();
  /** Pending ends of subscriptions. */
  readonly #ending = new Map<string, Promise<void>>();
  #commands: RedisConnection;
  #subscriptions: RedisConnection;
  /** Time of the first command since the last one that succeeded. */
  #silentSince: number | undefined;
  #isClosed = false;
  #listener: EngineListener = NO_ENGINE_LISTENER;
  #namespace = '';
  /** Last error of a connection. */
  #error: string | undefined;

  /** @param client gives the options of the connections */
  constructor(client: RedisClient) {
    this.#client = client;
    this.#commands = this.#createCommands();
    this.#subscriptions = this.#createSubscriptions();
  }

  async connect(namespace: string, listener: EngineListener): Promise<void> {
    this.#namespace = namespace;
    const connections = [this.#commands, this.#subscriptions];
    await withDeadline(
      Promise.all(connections.map((connection) => connection.connect())),
      () => this.#error,
    );
    this.#listener = listener;
  }

  async create(kind: RecordKind, key: string, value: string): Promise<string> {
    const ttl = String(RECORD_TTL_MS[kind]);
    const args = ['SET', this.#key(kind, key), value, 'NX', 'GET', 'PX', ttl];
    const stored = await this.#command(args);
    return typeof stored === 'string' ? stored : value;
  }

  async read(kind: RecordKind, key: string): Promise<string | undefined> {
    const value = await this.#command(['GET', this.#key(kind, key)]);
    return typeof value === 'string' ? value : undefined;
  }

  async replace(
    kind: RecordKind,
    key: string,
    current: string,
    next: string | undefined,
    ttl: number,
  ): Promise<void> {
    await this.#eval(REPLACE, this.#key(kind, key), [current, next ?? '', String(ttl)]);
  }

  async keep(kind: RecordKind, records: ReadonlyMap<string, string>): Promise<readonly string[]> {
    // The client sends the commands of one turn together.
    const keep = async ([key, value]: readonly [string, string]): Promise<string[]> => {
      if ((await this.create(kind, key, value)) !== value) return [key];
      const ttl = String(RECORD_TTL_MS[kind]);
      await this.#command(['PEXPIRE', this.#key(kind, key), ttl]);
      return [];
    };
    return (await Promise.all([...records].map(keep))).flat();
  }

  async keepMember(node: string, card: string): Promise<ReadonlyMap<string, string>> {
    const args = [node, card, String(RECORD_TTL_MS.member)];
    return toMap(await this.#eval(KEEP_MEMBER, this.#members, args));
  }

  async removeMember(node: string): Promise<void> {
    await Promise.all([
      this.#command(['DEL', `${this.#members}:${node}`]),
      this.#command(['SREM', this.#members, node]),
    ]);
  }

  async writeFields(key: string, changes: ReadonlyMap<string, string | undefined>): Promise<void> {
    const set: string[] = [];
    const removed: string[] = [];
    for (const [field, value] of changes) {
      if (value === undefined) removed.push(field);
      else set.push(field, value);
    }
    const counts = [String(RECORD_TTL_MS.facts), String(set.length / 2)];
    await this.#eval(WRITE_FIELDS, this.#key('facts', key), [...counts, ...set, ...removed]);
  }

  async readFields(key: string): Promise<ReadonlyMap<string, string>> {
    return toMap(await this.#eval(READ_FIELDS, this.#key('facts', key), []));
  }

  async replaceFields(key: string, fields: ReadonlyMap<string, string>): Promise<void> {
    const args = [String(RECORD_TTL_MS.facts), ...[...fields].flat()];
    await this.#eval(REPLACE_FIELDS, this.#key('facts', key), args);
  }

  async publish(topic: string, data: string): Promise<void> {
    await this.#command(['PUBLISH', this.#channel(topic), data]);
  }

  async subscribe(topic: string): Promise<void> {
    this.#topics.add(topic);
    // Until the old subscription has ended, `redis` takes it for the new one, and sends nothing.
    // oxlint-disable-next-line no-await-in-loop -- another end may have begun
    while (this.#ending.has(topic)) await this.#ending.get(topic)?.catch(ignore);
    if (!this.#topics.has(topic)) return;
    await this.#subscriptions.subscribe(this.#channel(topic));
    this.#subscribed.add(topic);
  }

  unsubscribe(topic: string): Promise<void> {
    this.#topics.delete(topic);
    const ending = this.#ending.get(topic) ?? this.#end(topic);
    this.#ending.set(topic, ending);
    return ending;
  }

  async resubscribe(): Promise<void> {
    const old = this.#subscriptions;
    this.#subscriptions = this.#createSubscriptions();
    this.#subscribed.clear();
    old.close();
    await this.#subscriptions.connect();
    await Promise.all([...this.#topics].map((topic) => this.subscribe(topic)));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listener = NO_ENGINE_LISTENER;
    this.#commands.close();
    this.#subscriptions.close();
  }

  async #command(args: readonly string[]): Promise<unknown> {
    const now = performance.now();
    this.#silentSince ??= now;
    if (now - this.#silentSince > MAX_SILENCE_MS && !this.#isClosed) {
      this.#silentSince = now;
      this.#replaceConnections();
    }
    const reply = await this.#commands.command(args);
    this.#silentSince = undefined;
    return reply;
  }

  #replaceConnections(): void {
    this.#listener.onDown();
    this.#commands.close();
    this.#commands = this.#createCommands();
    this.#commands.connect().catch(ignore);
    this.resubscribe().catch(ignore);
  }

  #createCommands(): RedisConnection {
    return this.#createConnection(() => this.#commands, ignore);
  }

  #createSubscriptions(): RedisConnection {
    return this.#createConnection(
      () => this.#subscriptions,
      (channel, data) => this.#listener.onMessage(channel.slice(this.#channel('').length), data),
    );
  }

  /** @param current returns the connection in use. Events of one that was replaced are ignored */
  #createConnection(
    current: () => RedisConnection,
    onMessage: (channel: string, data: string) => void,
  ): RedisConnection {
    const isCurrent = (): boolean => current() === connection;
    const connection: RedisConnection = createConnection(this.#client, {
      onMessage: (channel, data) => {
        if (isCurrent()) onMessage(channel, data);
      },
      onReady: () => {
        if (isCurrent()) this.#onReady();
      },
      onEnd: () => {
        if (isCurrent()) this.#listener.onDown();
      },
      onError: (error) => this.#onError(error),
    });
    return connection;
  }

  #onError(error: unknown): void {
    this.#error = `Redis: ${describeCause(error)}`;
  }

  #onReady(): void {
    if (!this.#commands.isReady || !this.#subscriptions.isReady) return;
    for (const topic of this.#subscribed)
      if (!this.#topics.has(topic)) this.unsubscribe(topic).catch(ignore);
    this.#listener.onUp();
  }

  async #end(topic: string): Promise<void> {
    try {
      await this.#subscriptions.unsubscribe(this.#channel(topic));
      this.#subscribed.delete(topic);
    } finally {
      this.#ending.delete(topic);
    }
  }

  #eval(script: string, key: string, args: readonly string[]): Promise<unknown> {
    return this.#command(['EVAL', script, '1', key, ...args]);
  }

  #key(kind: RecordKind, key: string): string {
    return `${this.#namespace}:${kind}:${key}`;
  }

  /** The braces keep the list of members and their records on one node of a Redis cluster. */
  get #members(): string {
    return `{${this.#namespace}:member}`;
  }

  #channel(topic: string): string {
    return `${this.#namespace}:topic:${topic}`;
  }
}

import { SockJSError } from '../base/errors.ts';
import { type Engine, type EngineListener, NO_ENGINE_LISTENER, type RecordKind } from './engine.ts';
import {
  type FromHub,
  IPC_VERSION,
  type IpcCall,
  IpcChannel,
  type IpcProcess,
  isFromHub,
} from './ipc-channel.ts';

const MAX_PUBLISH_BYTES = 1024 * 1024;
const MAX_PENDING_CALLS = 10_000;

/** Less than the time after which joining fails without a reason. */
const CONNECT_TIMEOUT_MS = 1500;

const CLOSED = 'The backplane is closed.';
const NO_HUB =
  'The primary process does not respond. Call startIpcHub() of sockjs-server/ipc in it, before it forks workers.';

function ignore(): void {}

function toMap(entries: unknown): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  if (Array.isArray(entries))
    for (const entry of entries)
      if (Array.isArray(entry)) map.set(String(entry[0]), String(entry[1]));
  return map;
}

interface PendingCall {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

let clients = 0;

/** The engine for workers of `node:cluster`. The records are in the primary process. */
export class IpcEngine implements Engine {
  readonly maxPublishBytes: number = MAX_PUBLISH_BYTES;
  readonly #channel: IpcChannel;
  readonly #client: number;
  readonly #topics = new Set<string>();
  readonly #pending = new Map<number, PendingCall>();
  #calls = 0;
  #isClosed = false;
  #listener: EngineListener = NO_ENGINE_LISTENER;

  /** @param process channel to the hub */
  constructor(process: IpcProcess) {
    clients += 1;
    this.#client = clients;
    this.#channel = new IpcChannel(process, {
      onMessage: (message) => {
        if (isFromHub(message) && message.client === this.#client) this.#receive(message);
      },
      onDisconnect: () => {
        this.#rejectPending('The primary process is gone.');
        this.#listener.onDown();
      },
    });
  }

  async connect(namespace: string, listener: EngineListener): Promise<void> {
    const timer = setTimeout(() => this.#rejectPending(NO_HUB), CONNECT_TIMEOUT_MS);
    try {
      await this.#call({ method: 'connect', version: IPC_VERSION, namespace });
      this.#listener = listener;
    } finally {
      clearTimeout(timer);
    }
  }

  async create(kind: RecordKind, key: string, value: string): Promise<string> {
    return String(await this.#call({ method: 'create', kind, key, value }));
  }

  async read(kind: RecordKind, key: string): Promise<string | undefined> {
    const value = await this.#call({ method: 'read', kind, key });
    return typeof value === 'string' ? value : undefined;
  }

  async replace(
    kind: RecordKind,
    key: string,
    current: string,
    next: string | undefined,
    ttl: number,
  ): Promise<void> {
    await this.#call({ method: 'replace', kind, key, current, next: next ?? null, ttl });
  }

  async keep(kind: RecordKind, records: ReadonlyMap<string, string>): Promise<readonly string[]> {
    const taken = await this.#call({ method: 'keep', kind, records: [...records] });
    return Array.isArray(taken) ? taken.map(String) : [];
  }

  async keepMember(node: string, card: string): Promise<ReadonlyMap<string, string>> {
    return toMap(await this.#call({ method: 'keepMember', node, card }));
  }

  async removeMember(node: string): Promise<void> {
    await this.#call({ method: 'removeMember', node });
  }

  async writeFields(key: string, changes: ReadonlyMap<string, string | undefined>): Promise<void> {
    const entries = [...changes].map(([field, value]) => [field, value ?? null] as const);
    await this.#call({ method: 'writeFields', key, changes: entries });
  }

  async readFields(key: string): Promise<ReadonlyMap<string, string>> {
    return toMap(await this.#call({ method: 'readFields', key }));
  }

  async replaceFields(key: string, fields: ReadonlyMap<string, string>): Promise<void> {
    await this.#call({ method: 'replaceFields', key, fields: [...fields] });
  }

  publish(topic: string, data: string): Promise<void> {
    return this.#channel.send({ sockjsHub: 'publish', client: this.#client, topic, data }, data);
  }

  async subscribe(topic: string): Promise<void> {
    this.#topics.add(topic);
    await this.#call({ method: 'subscribe', topic });
  }

  async unsubscribe(topic: string): Promise<void> {
    this.#topics.delete(topic);
    await this.#call({ method: 'unsubscribe', topic });
  }

  async resubscribe(): Promise<void> {
    await Promise.all([...this.#topics].map((topic) => this.subscribe(topic)));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#topics.clear();
    this.#listener = NO_ENGINE_LISTENER;
    await this.#channel.send({ sockjsHub: 'close', client: this.#client }).catch(ignore);
    this.#channel.close();
    this.#rejectPending(CLOSED);
  }

  #call(call: IpcCall): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new SockJSError('ERR_BACKPLANE', CLOSED));
    if (this.#pending.size >= MAX_PENDING_CALLS) this.#rejectOldest();
    this.#calls += 1;
    const id = this.#calls;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#channel
        .send({ sockjsHub: 'call', client: this.#client, id, call })
        .catch((error: Error) => {
          this.#pending.delete(id);
          reject(error);
        });
    });
  }

  #receive(message: FromHub): void {
    if (message.sockjsHub === 'message') this.#listener.onMessage(message.topic, message.data);
    else if (message.sockjsHub === 'missed') this.#listener.onMissed();
    else {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (message.sockjsHub === 'result') pending?.resolve(message.result);
      else pending?.reject(new SockJSError('ERR_BACKPLANE', message.text));
    }
  }

  /** The hub drops results that do not fit into the channel, so that a call can stay pending. */
  #rejectOldest(): void {
    for (const [id, { reject }] of this.#pending) {
      const text = `The primary process is too slow: ${MAX_PENDING_CALLS} calls are pending.`;
      reject(new SockJSError('ERR_BACKPLANE', text));
      this.#pending.delete(id);
      return;
    }
  }

  #rejectPending(text: string): void {
    const error = new SockJSError('ERR_BACKPLANE', text);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

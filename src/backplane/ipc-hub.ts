/** The hub of a cluster whose nodes are the workers of one primary process. */
import { SockJSError } from '../base/errors.ts';
import { describeError } from '../base/logging.ts';
import type { EngineListener } from './engine.ts';
import {
  IPC_VERSION,
  type IpcCall,
  IpcChannel,
  type IpcProcess,
  type ToHub,
  isToHub,
} from './ipc-channel.ts';
import { MemoryEngine, MemoryHub } from './memory-engine.ts';
import { MEMBERS_TOPIC } from './topics.ts';

const NO_FIELDS: ReadonlyMap<string, string> = new Map();

function ignore(): void {}

/** One engine of a worker. */
class HubClient {
  readonly #engine: MemoryEngine;
  readonly #listener: EngineListener;
  readonly #members = new Set<string>();
  readonly #factKeys = new Set<string>();

  constructor(hub: MemoryHub, listener: EngineListener) {
    this.#engine = new MemoryEngine(hub);
    this.#listener = listener;
  }

  publish(topic: string, data: string): void {
    void this.#engine.publish(topic, data);
  }

  // oxlint-disable-next-line typescript/consistent-return -- the switch is exhaustive, as the compiler checks
  execute(call: IpcCall): Promise<unknown> {
    const engine = this.#engine;
    switch (call.method) {
      case 'connect':
        return this.#connect(call.version, call.namespace);
      case 'create':
        return engine.create(call.kind, call.key, call.value);
      case 'read':
        return engine.read(call.kind, call.key);
      case 'replace':
        return engine.replace(call.kind, call.key, call.current, call.next ?? undefined, call.ttl);
      case 'keep':
        return engine.keep(call.kind, new Map(call.records));
      case 'keepMember':
        this.#members.add(call.node);
        return engine.keepMember(call.node, call.card);
      case 'removeMember':
        this.#members.delete(call.node);
        return engine.removeMember(call.node);
      case 'writeFields':
        return this.#writeFields(
          call.key,
          new Map(call.changes.map(([field, value]) => [field, value ?? undefined])),
        );
      case 'readFields':
        return engine.readFields(call.key);
      case 'replaceFields':
        return this.#replaceFields(call.key, new Map(call.fields));
      case 'subscribe':
        return engine.subscribe(call.topic);
      case 'unsubscribe':
        return engine.unsubscribe(call.topic);
    }
  }

  /** Removes the member and its facts. Its claims stay, so that no other node opens one of its sessions again. */
  async end(): Promise<void> {
    const engine = this.#engine;
    await engine.close();
    const members = [...this.#members];
    await Promise.all([
      ...[...this.#factKeys].map((key) => engine.replaceFields(key, NO_FIELDS)),
      ...members.map((node) => engine.removeMember(node)),
    ]);
    await Promise.all(members.map((node) => engine.publish(MEMBERS_TOPIC, node)));
  }

  async #writeFields(key: string, changes: ReadonlyMap<string, string | undefined>): Promise<void> {
    await this.#engine.writeFields(key, changes);
    await this.#noteFacts(key);
  }

  async #replaceFields(key: string, fields: ReadonlyMap<string, string>): Promise<void> {
    await this.#engine.replaceFields(key, fields);
    await this.#noteFacts(key);
  }

  async #noteFacts(key: string): Promise<void> {
    const { size } = await this.#engine.readFields(key);
    if (size > 0) this.#factKeys.add(key);
    else this.#factKeys.delete(key);
  }

  async #connect(version: number, namespace: string): Promise<void> {
    if (version !== IPC_VERSION) {
      const text =
        'The primary process runs a version of sockjs-server that does not match. Restart it.';
      throw new SockJSError('ERR_BACKPLANE', text);
    }
    await this.#engine.connect(namespace, this.#listener);
  }
}

/** The clients of one worker. */
class HubChannel {
  readonly #hub: MemoryHub;
  readonly #onDropped: () => void;
  readonly #channel: IpcChannel;
  readonly #clients = new Map<number, HubClient>();
  /** Clients that have lost messages, and have to be notified when the worker reads again. */
  readonly #deprived = new Set<number>();

  /** @param onDropped called when a message is dropped, because the worker does not read */
  constructor(hub: MemoryHub, worker: IpcProcess, onDropped: () => void) {
    this.#hub = hub;
    this.#onDropped = onDropped;
    this.#channel = new IpcChannel(worker, {
      onMessage: (message) => {
        if (isToHub(message)) this.#receive(message);
      },
      onDisconnect: () => this.#end(),
    });
  }

  #receive(message: ToHub): void {
    const { client: number } = message;
    const client = this.#clients.get(number) ?? this.#createClient(number);
    if (message.sockjsHub === 'publish') client.publish(message.topic, message.data);
    else if (message.sockjsHub === 'call') void this.#execute(client, message);
    else {
      this.#clients.delete(number);
      void client.end();
    }
  }

  #createClient(client: number): HubClient {
    const created = new HubClient(this.#hub, {
      onMessage: (topic, data) => this.#deliver(client, topic, data),
      onMissed: ignore,
      onUp: ignore,
      onDown: ignore,
    });
    this.#clients.set(client, created);
    return created;
  }

  async #execute(
    client: HubClient,
    { client: number, id, call }: ToHub & { readonly sockjsHub: 'call' },
  ): Promise<void> {
    try {
      const value = await client.execute(call);
      const result = value instanceof Map ? [...value] : value;
      await this.#channel.send({ sockjsHub: 'result', client: number, id, result });
    } catch (error) {
      const text = describeError(error);
      await this.#channel.send({ sockjsHub: 'failure', client: number, id, text }).catch(ignore);
    }
  }

  #deliver(client: number, topic: string, data: string): void {
    const message = { sockjsHub: 'message', client, topic, data } as const;
    this.#channel.send(message, data).then(
      () => this.#notifyDeprived(),
      () => {
        this.#deprived.add(client);
        this.#onDropped();
      },
    );
  }

  #notifyDeprived(): void {
    if (this.#deprived.size === 0 || !this.#channel.isDrained) return;
    for (const client of this.#deprived)
      this.#channel.send({ sockjsHub: 'missed', client }).catch(ignore);
    this.#deprived.clear();
  }

  #end(): void {
    this.#channel.close();
    for (const client of this.#clients.values()) void client.end();
    this.#clients.clear();
  }
}

/** Records and topics of all workers. */
export class IpcHub {
  readonly #hub: MemoryHub;
  #dropped = 0;

  constructor(hub: MemoryHub = new MemoryHub()) {
    this.#hub = hub;
  }

  /** Number of messages that were dropped, because a worker did not read. The worker reports them as missed. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Serves a worker until it disconnects. */
  attach(worker: IpcProcess): void {
    // oxlint-disable-next-line no-new -- the channel keeps its listeners
    new HubChannel(this.#hub, worker, () => {
      this.#dropped += 1;
    });
  }
}

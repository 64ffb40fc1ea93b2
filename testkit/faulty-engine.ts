/** Faults of an engine for the backplane of a cluster, which tests switch on and off. */
import type { Engine, EngineListener, RecordKind } from '../src/backplane/engine.ts';
import { type Deferred, deferred } from './until.ts';

/** Faults that the engines of one test share. */
export class EngineFaults {
  readonly #engines = new Set<FaultyEngine>();
  #thawed: Promise<void> = Promise.resolve();
  #thaw: () => void = () => {};
  #isCut = false;
  #severed: Deferred<never> = deferred<never>();

  get isCut(): boolean {
    return this.#isCut;
  }

  wrap(engine: Engine): Engine {
    const faulty = new FaultyEngine(engine, this);
    this.#engines.add(faulty);
    return faulty;
  }

  /** Resolves when the engine is not frozen. */
  get thawed(): Promise<void> {
    return this.#thawed;
  }

  /** Rejects when all connections are closed. */
  get severed(): Promise<never> {
    return this.#severed.promise;
  }

  /** Lets every operation wait until `thaw` is called. */
  freeze(): void {
    const { promise, resolve } = deferred();
    this.#thawed = promise;
    this.#thaw = () => resolve();
  }

  thaw(): void {
    this.#thaw();
  }

  /** Closes every connection to the engine, rejects what is pending, and refuses new ones until `mend` is called. */
  cut(): void {
    this.#isCut = true;
    this.#severed.promise.catch(() => {}); // Perhaps nothing is pending.
    this.#severed.reject(new Error('The connection to the engine was closed.'));
    this.#severed = deferred<never>();
    for (const engine of this.#engines) engine.disconnect();
  }

  async mend(): Promise<void> {
    this.#isCut = false;
    await Promise.all([...this.#engines].map((engine) => engine.reconnect()));
  }

  /** Lets the open subscriptions deliver nothing. */
  deafen(): void {
    for (const engine of this.#engines) engine.deafen();
  }
}

/** An engine with the faults of `EngineFaults`. */
class FaultyEngine implements Engine {
  readonly maxPublishBytes: number;
  readonly #engine: Engine;
  readonly #faults: EngineFaults;
  #listener: EngineListener | undefined;
  #isDeaf = false;

  constructor(engine: Engine, faults: EngineFaults) {
    this.maxPublishBytes = engine.maxPublishBytes;
    this.#engine = engine;
    this.#faults = faults;
  }

  disconnect(): void {
    this.#listener?.onDown();
  }

  async reconnect(): Promise<void> {
    await this.resubscribe();
    this.#listener?.onUp();
  }

  deafen(): void {
    this.#isDeaf = true;
  }

  connect(namespace: string, listener: EngineListener): Promise<void> {
    this.#listener = listener;
    const onMessage = (topic: string, data: string): void => {
      if (!this.#isDeaf && !this.#faults.isCut) listener.onMessage(topic, data);
    };
    const onMissed = (): void => listener.onMissed();
    const onUp = (): void => listener.onUp();
    const onDown = (): void => listener.onDown();
    const inner = { onMessage, onMissed, onUp, onDown };
    return this.#do(() => this.#engine.connect(namespace, inner));
  }

  create(kind: RecordKind, key: string, value: string): Promise<string> {
    return this.#do(() => this.#engine.create(kind, key, value));
  }

  read(kind: RecordKind, key: string): Promise<string | undefined> {
    return this.#do(() => this.#engine.read(kind, key));
  }

  replace(
    kind: RecordKind,
    key: string,
    current: string,
    next: string | undefined,
    ttl: number,
  ): Promise<void> {
    return this.#do(() => this.#engine.replace(kind, key, current, next, ttl));
  }

  keep(kind: RecordKind, records: ReadonlyMap<string, string>): Promise<readonly string[]> {
    return this.#do(() => this.#engine.keep(kind, records));
  }

  keepMember(node: string, card: string): Promise<ReadonlyMap<string, string>> {
    return this.#do(() => this.#engine.keepMember(node, card));
  }

  removeMember(node: string): Promise<void> {
    return this.#do(() => this.#engine.removeMember(node));
  }

  writeFields(key: string, changes: ReadonlyMap<string, string | undefined>): Promise<void> {
    return this.#do(() => this.#engine.writeFields(key, changes));
  }

  readFields(key: string): Promise<ReadonlyMap<string, string>> {
    return this.#do(() => this.#engine.readFields(key));
  }

  replaceFields(key: string, fields: ReadonlyMap<string, string>): Promise<void> {
    return this.#do(() => this.#engine.replaceFields(key, fields));
  }

  publish(topic: string, data: string): Promise<void> {
    return this.#do(() => this.#engine.publish(topic, data));
  }

  subscribe(topic: string): Promise<void> {
    return this.#do(() => this.#engine.subscribe(topic));
  }

  unsubscribe(topic: string): Promise<void> {
    return this.#do(() => this.#engine.unsubscribe(topic));
  }

  async resubscribe(): Promise<void> {
    this.#isDeaf = false;
    await this.#engine.resubscribe();
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  async #do<Value>(operation: () => Promise<Value>): Promise<Value> {
    if (this.#faults.isCut) throw new Error('The connection to the engine is closed.');
    const { severed, thawed } = this.#faults;
    return Promise.race([severed, thawed.then(operation)]);
  }
}

/** Faults of an engine for the backplane of a cluster, which tests switch on and off. */
import type { Engine, EngineListener, RecordKind } from '../src/backplane/engine.ts';
import { type Deferred, deferred } from './until.ts';

/** Way between a node and its engine, for a test in which the node is a process of a simulation. */
export interface EngineLink {
  /** Performs an operation at the engine, and returns its result to the node. Operations keep their order. */
  perform<Value>(operation: () => Promise<Value>): Promise<Value>;
  /** Passes an event to the node. Events keep their order. */
  deliver(event: () => void): void;
}

const DIRECT_LINK: EngineLink = {
  perform: (operation) => operation(),
  deliver: (event) => event(),
};

/** Faults that the engines of one test share. */
export class EngineFaults {
  readonly link: EngineLink;
  readonly #engines = new Set<FaultyEngine>();
  #thawed: Promise<void> = Promise.resolve();
  #thaw: () => void = () => {};
  #isCut = false;
  #severed: Deferred<never> = deferred<never>();

  /** @param link way between the nodes and the engine. By default it takes no time */
  constructor(link: EngineLink = DIRECT_LINK) {
    this.link = link;
  }

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
  /** Number of lost connections. Everything that was on its way is lost with its connection. */
  #cuts = 0;

  constructor(engine: Engine, faults: EngineFaults) {
    this.maxPublishBytes = engine.maxPublishBytes;
    this.#engine = engine;
    this.#faults = faults;
  }

  disconnect(): void {
    this.#cuts += 1;
    this.#faults.link.deliver(() => this.#listener?.onDown());
  }

  async reconnect(): Promise<void> {
    await this.resubscribe();
    this.#faults.link.deliver(() => this.#listener?.onUp());
  }

  deafen(): void {
    this.#isDeaf = true;
  }

  connect(namespace: string, listener: EngineListener): Promise<void> {
    this.#listener = listener;
    const onMessage = (topic: string, data: string): void => {
      if (this.#isDeaf || this.#faults.isCut) return;
      const cuts = this.#cuts;
      this.#faults.link.deliver(() => {
        if (cuts === this.#cuts) listener.onMessage(topic, data);
      });
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
    const { link, severed, thawed } = this.#faults;
    const cuts = this.#cuts;
    this.#requireConnection(cuts);
    const performed = link.perform(async () => {
      await thawed;
      this.#requireConnection(cuts);
      return operation();
    });
    const lost = new Promise<never>((_resolve, reject) => {
      severed.catch((error: Error) => link.deliver(() => reject(error)));
    });
    return Promise.race([lost, performed]);
  }

  #requireConnection(cuts: number): void {
    if (this.#faults.isCut || cuts !== this.#cuts)
      throw new Error('The connection to the engine is closed.');
  }
}

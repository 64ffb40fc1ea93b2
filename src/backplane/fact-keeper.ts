import type { NodeId } from './backplane.ts';
import type { Engine } from './engine.ts';
import { inBatches, withDeadline } from './with-deadline.ts';

/** Facts are renewed when a third of their lifetime has passed. */
const RENEWAL_INTERVAL_MS = 20_000;

const MAX_FAILED_TOPICS = 10_000;

type Fields = Map<string, string>;

/** Returns the key of the facts of a node. */
function factsKey(topic: string, node: NodeId): string {
  return `${node} ${topic}`;
}

export interface FactListener {
  /** Called when changes could not be stored. */
  onError(error: unknown): void;
  /** Called when such changes of a topic are stored. Other nodes may have read old facts. */
  onStoredLate(topic: string): void;
}

/** Facts of this node. Changes of one turn are stored together. */
export class FactKeeper {
  readonly #engine: Engine;
  readonly #node: NodeId;
  readonly #listener: FactListener;
  readonly #facts = new Map<string, Fields>();
  /** Topics with changes that could not be stored. */
  readonly #failed = new Set<string>();
  readonly #changes = new Map<string, Map<string, string | undefined>>();
  #flushed: Promise<void> = Promise.resolve();
  #renewed = 0;

  constructor(engine: Engine, node: NodeId, listener: FactListener) {
    this.#engine = engine;
    this.#node = node;
    this.#listener = listener;
  }

  /**
   * Returns a promise that resolves when the change is stored, or could not be.
   * @param isUp false leaves the change to the next `renew`: nothing is queued for an engine that is away
   */
  set(topic: string, field: string, value: string | undefined, isUp: boolean): Promise<void> {
    this.#update(topic, field, value);
    if (!isUp) {
      this.#fail(topic);
      return Promise.resolve();
    }
    if (this.#changes.size === 0) this.#flushed = Promise.resolve().then(() => this.#flush());
    const changes = this.#changes.get(topic) ?? new Map<string, string | undefined>();
    this.#changes.set(topic, changes.set(field, value));
    return this.#flushed;
  }

  /** Reads the facts of nodes. */
  async read(
    topic: string,
    nodes: readonly NodeId[],
  ): Promise<ReadonlyMap<NodeId, ReadonlyMap<string, string>>> {
    const fields = await Promise.all(
      nodes.map((node) => this.#engine.readFields(factsKey(topic, node))),
    );
    const facts = new Map<NodeId, ReadonlyMap<string, string>>();
    for (const [index, node] of nodes.entries()) {
      const ofNode = fields[index];
      if (ofNode !== undefined && ofNode.size > 0) facts.set(node, ofNode);
    }
    return facts;
  }

  /** Renews the facts if their time has come, and stores changes that could not be stored. */
  async renew(now: number): Promise<void> {
    if (now - this.#renewed >= RENEWAL_INTERVAL_MS) await this.republish(now);
    else await this.#replaceAll([...this.#failed]);
  }

  /** Stores all facts again. */
  async republish(now: number): Promise<void> {
    this.#renewed = now;
    await this.#replaceAll([...new Set([...this.#facts.keys(), ...this.#failed])]);
  }

  /** Removes all facts. */
  async clear(): Promise<void> {
    const topics = [...this.#facts.keys()];
    this.#facts.clear();
    await this.#replaceAll(topics);
  }

  #update(topic: string, field: string, value: string | undefined): void {
    const fields: Fields = this.#facts.get(topic) ?? new Map();
    if (value === undefined) fields.delete(field);
    else fields.set(field, value);
    if (fields.size > 0) this.#facts.set(topic, fields);
    else this.#facts.delete(topic);
  }

  async #flush(): Promise<void> {
    const changes = [...this.#changes];
    this.#changes.clear();
    await Promise.all(changes.map(([topic, fields]) => this.#write(topic, fields)));
  }

  async #write(topic: string, fields: ReadonlyMap<string, string | undefined>): Promise<void> {
    try {
      await withDeadline(this.#engine.writeFields(factsKey(topic, this.#node), fields));
    } catch (error) {
      this.#fail(topic);
      this.#listener.onError(error);
    }
  }

  #fail(topic: string): void {
    // Facts of further topics expire, or are replaced with the next renewal.
    if (this.#failed.size < MAX_FAILED_TOPICS) this.#failed.add(topic);
  }

  #replaceAll(topics: readonly string[]): Promise<void> {
    return inBatches(topics, (batch) => Promise.all(batch.map((topic) => this.#replace(topic))));
  }

  /** Replaces all facts of a topic, so that a removal that was not stored takes effect. */
  async #replace(topic: string): Promise<void> {
    const fields = this.#facts.get(topic) ?? new Map<string, string>();
    const isLate = this.#failed.delete(topic);
    try {
      await this.#engine.replaceFields(factsKey(topic, this.#node), fields);
    } catch (error) {
      if (isLate) this.#fail(topic);
      throw error;
    }
    if (isLate) this.#listener.onStoredLate(topic);
  }
}

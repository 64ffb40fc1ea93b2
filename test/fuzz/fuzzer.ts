/**
 * Plays inputs on the servers in batches, and checks for violations after each batch. Inputs that reach new
 * branches are kept and mutated.
 */
import { isDeepStrictEqual } from 'node:util';
import { PROCESS_MEMORY_BUDGET } from '../../src/base/memory-budget.ts';
import type { CloseCause, RefusalReason, SockJSRouter } from '../../src/index.ts';
import { activeResources, heapUsed } from '../../testkit/memory.ts';
import { SeededRandom } from '../../testkit/random.ts';
import { TimeoutError, until } from '../../testkit/until.ts';
import { type Counts, addCount, formatCounts } from './counts.ts';
import { Coverage } from './coverage.ts';
import { type Input, isNonEmpty } from './input.ts';
import { minimise } from './minimise.ts';
import { mutate } from './mutate.ts';
import { play } from './player.ts';
import { generate } from './generator.ts';
import { HealthyClients } from './healthy-clients.ts';
import { ProcessMonitor } from './process-monitor.ts';
import { type ServerUnderTest, startServers, stopServers } from './servers.ts';

export interface Options {
  readonly seed: string;
  /** Called after each batch with the number of inputs so far. The run ends when it returns true. */
  readonly isEnough: (inputs: number) => boolean;
  /** Keeps inputs that reach new branches. Not possible in a test runner that counts coverage itself. */
  readonly isGuided: boolean;
}

export interface Violation {
  readonly descriptions: readonly string[];
  /** The minimised input; undefined if several inputs together cause the violation. */
  readonly input: Input | undefined;
  readonly batch: readonly Input[];
}

export interface Report {
  readonly inputs: Counts;
  readonly statuses: Counts;
  readonly opened: Counts;
  readonly closed: Readonly<Partial<Record<CloseCause, number>>>;
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
  readonly branches: number;
  readonly kept: number;
  /** Bytes after a forced collection. `heapBefore` is measured after the first 1000 inputs. */
  readonly heapBefore: number;
  readonly heapAfter: number;
  /** Longest block of the event loop, in milliseconds. */
  readonly longestBlock: number;
  readonly violation: Violation | undefined;
}

const BATCH_SIZE = 64;
/** Batches below this size get their responses quickly. */
const QUICK_BATCH_SIZE = 5;
const MAX_SEARCH_MS = 2000;
const WARM_UP_INPUTS = 1000;
const MAX_BLOCK_MS = 1000;
/** More than any delay of the servers. */
const QUIET_TIMEOUT_MS = 15_000;
const BLOCK_PREFIX = 'the event loop was blocked';
/** Name of the resource that belongs to the monitor itself. */
const MONITOR_RESOURCES = ['IntervalHistogram'];
/**
 * Allowed growth of the heap: compiled code, Node's pool of HTTP parsers and the inputs that were kept. A leak of
 * 1 KiB per input exceeds it after half a minute.
 */
const MAX_HEAP_GROWTH_BYTES = 24 * 1024 * 1024;

/** Numbers and bytes that differ from run to run come later in a description. */
function kindOf(violation: string): string {
  return violation.slice(0, 60);
}

async function becomesTrue(condition: () => boolean): Promise<boolean> {
  try {
    await until(condition, 'the servers to release everything', { timeout: QUIET_TIMEOUT_MS });
    return true;
  } catch (error) {
    if (error instanceof TimeoutError) return false;
    throw error;
  }
}

export class Fuzzer {
  readonly #options: Options;
  readonly #random: SeededRandom;
  readonly #monitor = new ProcessMonitor();
  readonly #coverage = new Coverage();
  readonly #kept: Input[] = [];
  readonly #inputs: Counts = {};
  readonly #statuses: Counts = {};
  #servers: readonly ServerUnderTest[] = [];
  #healthyClients: HealthyClients[] = [];
  #count = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
  }

  async run(): Promise<Report> {
    const before = activeResources(MONITOR_RESOURCES);
    if (this.#options.isGuided) this.#coverage.start();
    this.#monitor.start();
    await this.#begin();
    let heapBefore = 0;
    let violation: Violation | undefined;
    while (violation === undefined && !this.#options.isEnough(this.#count)) {
      violation = await this.#batch();
      if (heapBefore > 0 || this.#count < WARM_UP_INPUTS) continue;
      await this.#quiet();
      heapBefore = await heapUsed();
    }
    violation ??= await this.#finish(before);
    const heapAfter = await heapUsed();
    if (heapBefore > 0 && heapAfter - heapBefore > MAX_HEAP_GROWTH_BYTES) {
      violation ??= { descriptions: ['the heap has grown'], input: undefined, batch: [] };
    }
    if (this.#options.isGuided) this.#coverage.stop();
    this.#monitor.stop();
    return { ...this.#report(), heapBefore, heapAfter, violation };
  }

  /** Plays these inputs at once, and no generated ones. */
  async replay(inputs: readonly Input[]): Promise<string[]> {
    this.#monitor.start();
    await this.#begin();
    await this.#play(inputs);
    const violations = await this.#violations();
    await Promise.all(this.#healthyClients.map((clients) => clients.end()));
    await stopServers(this.#servers);
    this.#monitor.stop();
    return violations;
  }

  async #begin(): Promise<void> {
    this.#servers = await startServers(this.#monitor.logger);
    const checked = this.#servers.filter(({ hasHealthyClients }) => hasHealthyClients);
    this.#healthyClients = await Promise.all(checked.map(({ port }) => HealthyClients.open(port)));
  }

  async #batch(): Promise<Violation | undefined> {
    const batch = Array.from({ length: BATCH_SIZE }, () => this.#next());
    for (const { kind } of batch) addCount(this.#inputs, kind);
    await this.#play(batch);
    const descriptions = await this.#violations();
    if (descriptions.length > 0) return this.#explain(descriptions, batch);
    if (this.#options.isGuided) await this.#keep(batch);
    return undefined;
  }

  #next(): Input {
    // A sequence for each input, so that generated inputs do not depend on the ones that were kept.
    this.#count += 1;
    const random = this.#random.fork(`${this.#count}`);
    const kept = this.#kept;
    if (!isNonEmpty(kept) || random.oneIn(3)) return generate(random);
    return mutate(random, random.pick(kept), random.pick(kept));
  }

  async #play(inputs: readonly Input[], isQuick = false): Promise<void> {
    const judgements = await Promise.all(
      inputs.map((input) => play(input, this.#servers[input.server]?.port ?? 0, isQuick)),
    );
    for (const { statuses, fault } of judgements.flat()) {
      for (const status of statuses) addCount(this.#statuses, status);
      if (fault !== undefined) this.#monitor.report(`an invalid response: ${fault}`);
    }
  }

  async #violations(): Promise<string[]> {
    for (const clients of this.#healthyClients) {
      try {
        await clients.check();
      } catch (error) {
        this.#monitor.report(`a healthy client: ${String(error)}`);
      }
    }
    const block = this.#monitor.takeBlock();
    if (block > MAX_BLOCK_MS) this.#monitor.report(`${BLOCK_PREFIX} for ${block} ms`);
    return this.#monitor.take();
  }

  /** Keeps the inputs that have reached new branches. */
  async #keep(batch: readonly Input[]): Promise<void> {
    const fresh = this.#coverage.takeNew();
    if (fresh.size === 0) return;
    const deadline = performance.now() + MAX_SEARCH_MS;
    const middle = batch.length / 2;
    await this.#search(batch.slice(0, middle), fresh, deadline);
    await this.#search(batch.slice(middle), fresh, deadline);
  }

  /** Finds the inputs of a batch that reached the new branches, by bisection. */
  async #search(inputs: readonly Input[], fresh: Set<string>, deadline: number): Promise<void> {
    if (fresh.size === 0 || performance.now() > deadline) return;
    this.#coverage.take();
    await this.#play(inputs, inputs.length < QUICK_BATCH_SIZE);
    const reached = [...this.#coverage.take()].filter((branch) => fresh.has(branch));
    if (reached.length === 0) return;
    if (inputs.length > 1) {
      const middle = inputs.length >> 1;
      await this.#search(inputs.slice(0, middle), fresh, deadline);
      await this.#search(inputs.slice(middle), fresh, deadline);
    } else {
      this.#kept.push(...inputs);
      for (const branch of reached) fresh.delete(branch);
    }
  }

  /** Violations of one input that is played alone. */
  async #violationsOf(input: Input): Promise<string[]> {
    await this.#play([input]);
    return this.#violations();
  }

  async #explain(
    descriptions: readonly string[],
    batch: readonly Input[],
  ): Promise<Violation | undefined> {
    for (const input of batch) {
      const violations = await this.#violationsOf(input);
      if (violations.length === 0) continue;
      const kinds = new Set(violations.map(kindOf));
      const violates = async (smaller: Input): Promise<boolean> =>
        (await this.#violationsOf(smaller)).some((line) => kinds.has(kindOf(line)));
      return { descriptions: violations, batch, input: await minimise(input, violates) };
    }
    // A busy machine blocks the event loop too. It counts only if an input can repeat it.
    const isBusyMachine = descriptions.every((line) => line.startsWith(BLOCK_PREFIX));
    return isBusyMachine ? undefined : { descriptions, batch, input: undefined };
  }

  /** Waits until only the sessions of healthy clients are left. All others have lost their clients. */
  async #quiet(): Promise<void> {
    const expected = this.#healthyClients.reduce((sum, { size }) => sum + size, 0);
    if (await becomesTrue(() => this.#sessions() <= expected)) return;
    for (const { stats, prefix } of this.#routers()) {
      const { sessionsActive } = stats.dump();
      const transports = Object.entries(stats.dump()).filter(([name]) => name.startsWith('transp'));
      const left = formatCounts(Object.fromEntries(transports));
      if (sessionsActive > 0) this.#monitor.report(`sessions are left below ${prefix}: ${left}`);
    }
  }

  #routers(): SockJSRouter[] {
    return this.#servers.flatMap(({ routers }) => routers);
  }

  #sessions(): number {
    return this.#routers().reduce((sum, { stats }) => sum + stats.dump().sessionsActive, 0);
  }

  /** Closes all clients and servers. No sessions, buffered bytes or handles may be left. */
  async #finish(before: Readonly<Record<string, number>>): Promise<Violation | undefined> {
    for (const clients of this.#healthyClients.splice(0)) await clients.end();
    await this.#quiet();
    const dumps = this.#routers().map(({ stats }) => stats.dump());
    const { bytes } = PROCESS_MEMORY_BUDGET;
    if (bytes !== 0) this.#monitor.report(`${bytes} bytes are counted as buffered`);
    for (const { connectionsActive } of dumps) {
      if (connectionsActive !== 0) this.#monitor.report(`${connectionsActive} receivers are left`);
    }
    await stopServers(this.#servers);
    const handles = (): Record<string, number> => activeResources(MONITOR_RESOURCES);
    if (!(await becomesTrue(() => isDeepStrictEqual(handles(), before)))) {
      const [left, expected] = [formatCounts(handles()), formatCounts(before)];
      this.#monitor.report(`handles are left: ${left}; before: ${expected}`);
    }
    const descriptions = this.#monitor.take();
    return descriptions.length === 0 ? undefined : { descriptions, input: undefined, batch: [] };
  }

  #report(): Omit<Report, 'heapBefore' | 'heapAfter' | 'violation'> {
    const opened: Counts = {};
    const closed: Partial<Record<CloseCause, number>> = {};
    const refused: Partial<Record<RefusalReason, number>> = {};
    for (const { stats } of this.#routers()) {
      const dump = stats.dump();
      addCount(opened, 'sessions', dump.sessionsTotal);
      for (const [cause, count] of Object.entries(dump.closed)) addCount(closed, cause, count);
      for (const [reason, count] of Object.entries(dump.refused)) addCount(refused, reason, count);
    }
    return {
      inputs: this.#inputs,
      statuses: this.#statuses,
      opened,
      closed,
      refused,
      branches: this.#coverage.branches,
      kept: this.#kept.length,
      longestBlock: this.#monitor.longestBlock,
    };
  }
}
